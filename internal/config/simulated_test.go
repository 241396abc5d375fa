package config_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
)

var update = flag.Bool("update", false, "write the files that are made of others")

// published matches the PEM texts of testdata, also where JSON holds them and where their armour is
// written <5d>.
var published = regexp.MustCompile(`(?:-----|<5d>)BEGIN ([A-Z0-9 ]+)(?:-----|<5d>)([A-Za-z0-9+/=\s\\]+)(?:-----|<5d>)END`)

// testdataKeys returns every key and certificate in the repository's testdata, by its kind and the
// hash of its public half, and these hashes.
func testdataKeys(t *testing.T) (sums []string, keys map[string][]byte) {
	t.Helper()
	keys = map[string][]byte{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/testdata/") || strings.Contains(path, "/fuzz/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range published.FindAllSubmatch(text, -1) {
			body := strings.Join(strings.Fields(strings.NewReplacer(`\r`, "", `\n`, "").Replace(string(m[2]))), "")
			der, err := base64.StdEncoding.DecodeString(body)
			if err != nil {
				continue // a broken one, which a test wants so
			}
			if spki := spkiOf(der); spki != nil {
				sum := sha256.Sum256(spki)
				keys[string(m[1])+" "+hex.EncodeToString(sum[:])] = pem.EncodeToMemory(&pem.Block{Type: string(m[1]), Bytes: der})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range keys {
		sums = append(sums, name[strings.LastIndexByte(name, ' ')+1:])
	}
	slices.Sort(sums)
	return slices.Compact(sums), keys
}

func spkiOf(der []byte) []byte {
	if c, err := x509.ParseCertificate(der); err == nil {
		return c.RawSubjectPublicKeyInfo
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKIXPublicKey, x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PublicKey(b) },
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) },
		func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) },
	} {
		k, err := parse(der)
		if err != nil {
			continue
		}
		if s, ok := k.(crypto.Signer); ok {
			k = s.Public()
		}
		if spki, err := x509.MarshalPKIXPublicKey(k); err == nil {
			return spki
		}
	}
	return nil
}

// TestG7_TestKeysAreListed: the list of keys that are no secret is the testdata's; -update writes it.
func TestG7_TestKeysAreListed(t *testing.T) {
	sums, _ := testdataKeys(t)
	want := []byte(strings.Join(sums, "\n") + "\n")
	if *update {
		if err := os.WriteFile("published/testkeys.txt", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("published/testkeys.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || len(sums) < 10 {
		t.Errorf("testkeys.txt is not made of testdata's %d keys: run go test ./internal/config -run TestG7 -update", len(sums))
	}
}

// TestG7_TestKeysAreRefused: whatever form a published key comes in, a production app takes none.
func TestG7_TestKeysAreRefused(t *testing.T) {
	_, keys := testdataKeys(t)
	for name, text := range keys {
		b, _ := pem.Decode(text)
		forms := map[string]string{
			"PEM": string(text), "one line": base64.StdEncoding.EncodeToString(b.Bytes),
			"PEM without line ends": strings.ReplaceAll(string(text), "\n", " "), "behind another": block(b.Type) + string(text),
		}
		for as, form := range forms {
			if got := refusals(t, form); len(got) != 1 || !strings.Contains(got[0].Msg, "of this project's tests") {
				t.Errorf("%s, %s: faults = %v", name, as, got)
			}
		}
	}
}

// refusals puts a text in the place of Alipay's key or, for private keys, of ours, and loads.
func refusals(t *testing.T, text string) fault.Faults {
	t.Helper()
	dir := folder(t)
	name := "public.pem"
	if strings.Contains(text, "PRIVATE") {
		name = "private.pem"
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	production := strings.NewReplacer(
		"start: earliest", "cluster_id: c1",
		"environment: simulator\n    url: http://127.0.0.1:8090\n    app_id", "environment: production\n    url: https://openapi.alipay.com/gateway.do\n    app_id",
	).Replace(file(t, "minimal.yaml"))
	production = strings.Replace(production, "  start: earliest", "  start: earliest\n  cluster_id: c", 1)
	_, err := config.Load(settings(t, dir, production), environment(dir))
	var faults fault.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatal(err)
	}
	return faults
}
