package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/simulator/standalone"
)

// vectorsFolder holds copies of the vectors; here they meet the whole command, over TCP.
const vectorsFolder = "../../internal/simulator/testdata"

// readVectors reads a vector file into a value; PEM armour is written <5d> in it.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("<5d>"), []byte("-----")), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// running is a `bridge simulate -c`.
type running struct{ gateway, admin string }

// runSimulator runs the command with a settings file until the test ends.
func runSimulator(t *testing.T, settings standalone.Config) running {
	t.Helper()
	file := filepath.Join(t.TempDir(), standalone.SimulatorFile)
	if err := os.WriteFile(file, vectorYAML(t, settings), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	said := make(lines, 100)
	c := rootCommand()
	c.SetArgs([]string{"simulate", "-c", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--latency", "1ms"})
	c.SetOut(io.Discard)
	c.SetErr(said)
	done := make(chan error, 1) // one value; not closed
	go func() { done <- c.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return running{said.await(t, "not for real use, at "), said.await(t, "admin at ")}
}

// vectorYAML writes settings; JSON is YAML, and the file's names are those of the yaml tags.
func vectorYAML(t *testing.T, c standalone.Config) []byte {
	t.Helper()
	keys := func(k standalone.KeysConfig) map[string]any {
		out := map[string]any{"signing": k.Signing}
		if k.MerchantPublic != "" {
			out["merchant_public"] = k.MerchantPublic
		}
		return out
	}
	var apps, clients []map[string]any
	for _, a := range c.Apps {
		app := map[string]any{"id": a.ID, "keys": keys(a.Keys), "legacy_keys": keys(a.LegacyKeys), "aes_key": a.AESKey}
		if a.Certificates != nil {
			app["certificates"] = map[string]string{"app": a.Certificates.App, "alipay": a.Certificates.Alipay, "roots": a.Certificates.Roots}
		}
		apps = append(apps, app)
	}
	for _, a := range c.HKApps {
		clients = append(clients, map[string]any{"client_id": a.ClientID, "keys": keys(a.Keys)})
	}
	text, err := json.Marshal(map[string]any{"apps": apps, "hk_apps": clients})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// vectorSettings has the app of the vectors, in certificate mode if asked, and the HK clients.
func vectorSettings(t *testing.T, certified bool) standalone.Config {
	t.Helper()
	var classic, hk struct {
		Keys   map[string]map[string]any
		AESKey string `json:"aes_key_base64"`
	}
	readVectors(t, "openapi/keys.json", &classic)
	readVectors(t, "alipayhk/keys.json", &hk)
	text := func(k map[string]any, name string) string { s, _ := k[name].(string); return s }
	pair := func(merchant, alipay string) standalone.KeysConfig {
		return standalone.KeysConfig{MerchantPublic: text(classic.Keys[merchant], "spki_pem"), Signing: text(classic.Keys[alipay], "pkcs8_pem")}
	}
	app := standalone.AppConfig{ID: standalone.SimulatedApp, Keys: pair("app", "alipay"), LegacyKeys: pair("app1024", "alipay1024"), AESKey: classic.AESKey}
	if certified {
		var v struct {
			Certificates map[string]struct{ PEM string }
			Bundle       string `json:"root_bundle"`
		}
		readVectors(t, "openapi/certs.json", &v)
		app.Keys.MerchantPublic = ""
		app.Certificates = &standalone.CertificatesConfig{App: v.Certificates["app"].PEM, Alipay: v.Certificates["alipay_leaf"].PEM + v.Certificates["class2"].PEM, Roots: v.Bundle}
	}
	out := standalone.Config{Apps: []standalone.AppConfig{app}}
	for _, id := range []string{"C1", "C2"} {
		out.HKApps = append(out.HKApps, standalone.HKAppConfig{ClientID: id, Keys: standalone.KeysConfig{
			MerchantPublic: text(hk.Keys["merchant_rsa_v1"], "public_spki_pem"), Signing: text(hk.Keys["platform_rsa_v1"], "private_pkcs8_pem"),
		}})
	}
	return out
}

// vectorKey reads a private key of the vectors.
func vectorKey(t *testing.T, file, name, member string) *rsa.PrivateKey {
	t.Helper()
	var v struct{ Keys map[string]map[string]any }
	readVectors(t, file, &v)
	text, _ := v.Keys[name][member].(string)
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		t.Fatalf("%s: no key %s", file, name)
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*rsa.PrivateKey)
}

// answerOf sends a raw request to the classic gateway; the node of the answer and its signature.
func (r running) answerOf(t *testing.T, query, body, contentType string) (node map[string]any, raw []byte, sign string) {
	t.Helper()
	resp, err := http.Post(r.gateway+"/gateway.do?"+query, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(text, &top); err != nil {
		t.Fatalf("answer %q: %v", text, err)
	}
	for name, value := range top {
		switch {
		case name == "sign":
			_ = json.Unmarshal(value, &sign)
		case strings.HasSuffix(name, "_response"):
			raw = value
			if err := json.Unmarshal(value, &node); err != nil {
				t.Fatalf("answer %q: %v", text, err)
			}
		}
	}
	return node, raw, sign
}

func checkRSA(t *testing.T, k *rsa.PublicKey, content []byte, sign string) {
	t.Helper()
	sum := sha256.Sum256(content)
	sig, err := base64.StdEncoding.DecodeString(sign)
	if err != nil || rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig) != nil {
		t.Errorf("the signature does not fit %s", content)
	}
}

func signRSA(t *testing.T, k *rsa.PrivateKey, content string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(content))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}
