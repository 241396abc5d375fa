package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/schemas"
)

// TestCheckOnBrokenSettings: `bridge check` names the line of every fault that
// internal/config/testdata/bad has, what is wrong, and what would be right.
func TestCheckOnBrokenSettings(t *testing.T) {
	const bad = "../../internal/config/testdata/bad"
	names, err := filepath.Glob(bad + "/*.yaml")
	mustDo(t, err)
	if len(names) < 20 {
		t.Fatalf("%d files", len(names))
	}
	dir := t.TempDir()
	t.Setenv("KEYS", dir)
	t.Setenv("SIXTY_FOUR", "64")
	t.Setenv("CANARY", "c4n4ry")
	for name, text := range map[string]string{
		"private.pem": privatePEM(ownKey()), "client.pem": privatePEM(ownKey()), "public.pem": publicPEM(platformKey().Public()),
		"simulated.pem": config.SimulatorMark + "\n" + privatePEM(ownKey()), "roots.pem": certificatePEM("", &laterKey().PublicKey),
		"loose.pem": privatePEM(ownKey()), "many.pem": strings.Repeat(publicPEM(platformKey().Public()), 17),
		"long.pem": strings.Repeat("x", 64<<10+1), "empty.pem": " \n", "token": "c4n4ry", "password": "c4n4ry", "mask": strings.Repeat("k", 32),
	} {
		put(t, dir, name, text)
	}
	mustDo(t, os.Chmod(filepath.Join(dir, "loose.pem"), 0o644))
	line := regexp.MustCompile(`^# want: line (\d+): `)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			mustDo(t, err)
			settings := put(t, dir, "bridge.yaml", string(text))
			var out bytes.Buffer
			err = checkOptions{file: settings, output: "json", offline: true}.run(t.Context(), &out)
			if exitCode(err) != exitFound {
				t.Fatalf("exit %d: %v", exitCode(err), err)
			}
			var got findings
			mustDo(t, json.Unmarshal(out.Bytes(), &got))
			if len(got.Findings) != 1 {
				t.Fatalf("findings = %+v, want one", got.Findings)
			}
			f := got.Findings[0]
			if want := line.FindStringSubmatch(string(text)); want == nil || fmt.Sprint(f.Line) != want[1] {
				t.Errorf("line %d, want %q", f.Line, want)
			}
			if f.What == "" || f.Remedy == "" || f.Remedy == "mend this line" || strings.Contains(out.String(), "c4n4ry") {
				t.Errorf("finding = %+v, want what and remedy, no secret", f)
			}
		})
	}
}

// texts are the findings as lines.
func (f findings) texts() []string {
	if len(f.Findings) == 0 {
		return nil
	}
	f.Notes = nil
	return strings.Split(strings.TrimSpace(f.text()), "\n")
}

// wantFound wants one finding for each of these words, and no other.
func wantFound(t *testing.T, f findings, want ...string) {
	t.Helper()
	left := f.texts()
	for _, w := range want {
		i := 0
		for i < len(left) && !strings.Contains(left[i], w) {
			i++
		}
		if i == len(left) {
			t.Errorf("no finding says %q", w)
			continue
		}
		left = append(left[:i:i], left[i+1:]...)
	}
	if len(left) > 0 {
		t.Errorf("found besides:\n%s", strings.Join(left, "\n"))
	}
}

// withSchemas puts the schemas where the settings look for them.
func withSchemas(t *testing.T, cfg config.Config) config.Config {
	t.Helper()
	mustDo(t, os.CopyFS(filepath.Dir(cfg.Apps["main"].PrivateKeyFile.Path), schemas.FS))
	return cfg
}

const nowhereApp = keyApp + "    url: http://127.0.0.1:1\n"

// TestCheckFindsKeysThatAreNoPair: each fault of a key or certificate is found without any
// network, all at once.
func TestCheckFindsKeysThatAreNoPair(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	cert, _ := ca.issue(t, "bridge", time.Now().AddDate(1, 0, 0))
	_, other := ca.issue(t, "other", time.Now().AddDate(1, 0, 0))
	put(t, dir, "client.pem", cert)
	put(t, dir, "client.key", other)
	kafka := "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, tls: {enabled: true, cert_file: DIR/client.pem, key_file: DIR/client.key}}\n"
	registry := "registry: {url: 'https://127.0.0.1:1', cert_file: DIR/client.pem, key_file: DIR/client.key}\n"
	// Our own key stands where Alipay's should be.
	app := strings.Replace(nowhereApp, "alipay.pub", "later.pub", 1) + "    private_key_file: later.pem\n"
	cfg := loadSettings(t, app, strings.ReplaceAll(kafka+registry, "DIR", dir))
	wantFound(t, checkAll(t.Context(), cfg, checkOptions{offline: true}),
		"kafka.tls: "+dir+"/client.pem and "+dir+"/client.key are no pair", "registry: "+dir+"/client.pem and", "app main: ")

	mismatched := openAPIApp + "    url: http://127.0.0.1:1\n    mode: certificate\n    app_cert_file: alipay.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n"
	wantFound(t, checkAll(t.Context(), withSchemas(t, loadSettings(t, mismatched, "")), checkOptions{offline: true}), "app main: ")
}

// TestCheckFindsDates: what has ended, ends within 30 days or has not begun.
func TestCheckFindsDates(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	for name, end := range map[string]time.Time{"ended": time.Now().Add(-time.Minute), "ends": time.Now().AddDate(0, 0, 29), "fine": time.Now().AddDate(0, 0, 31)} {
		cert, key := ca.issue(t, name, end)
		put(t, dir, name+".pem", cert)
		put(t, dir, name+".key", key)
	}
	put(t, dir, "ca.pem", ca.pem)
	for name, want := range map[string][]string{"ended": {`certificate "ended" ended on `}, "ends": {`certificate "ends" ends on `}, "fine": nil} {
		kafka := "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, tls: {enabled: true, ca_file: DIR/ca.pem, cert_file: DIR/NAME.pem, key_file: DIR/NAME.key}}\n"
		cfg := loadSettings(t, nowhereApp, strings.NewReplacer("DIR", dir, "NAME", name).Replace(kafka))
		wantFound(t, checkAll(t.Context(), withSchemas(t, cfg), checkOptions{offline: true}), want...)
	}
	cfg := loadSettings(t, nowhereApp+"    more_alipay_keys: [{file: later.pub, until: 2001-01-01T00:00:00Z}]\n", "")
	wantFound(t, checkAll(t.Context(), withSchemas(t, cfg), checkOptions{offline: true}), "app main: more_alipay_keys[0] ended on 2001-01-01")
	// The certificates of these tests' app end within the hour.
	app := openAPIApp + "    url: http://127.0.0.1:1\n    mode: certificate\n    app_cert_file: app.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n"
	wantFound(t, checkAll(t.Context(), withSchemas(t, loadSettings(t, app, "")), checkOptions{offline: true}), "app main: ", "app main: ")

	c := &checker{now: time.Now().Add(-2 * time.Hour)}
	c.chain("x", ca.pem)
	wantFound(t, c.findings, `certificate "Test CA" counts only from`)
	c = &checker{now: time.Now()}
	old, _ := ca.issue(t, "old root", time.Now().Add(-time.Hour))
	c.roots("x", old+ca.pem) // a bundle with an old one beside
	wantFound(t, c.findings)
}

// TestK9_CheckFindsTheClock: a gateway that is not there, one that nobody knows, and a
// clock that is wrong.
func TestK9_CheckFindsTheClock(t *testing.T) {
	ahead := time.Duration(0)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("the gateway was asked %s %s", r.Method, r.URL)
		}
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
	})
	plain, unknown := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer unknown.Close()
	for _, tt := range []struct {
		name, url string
		ahead     time.Duration
		want      []string
	}{
		{"right", plain.URL, 0, nil},
		{"a little off", plain.URL, 25 * time.Second, nil},
		{"we are behind", plain.URL, 40 * time.Second, []string{"s behind the gateway's of app main; synchronise"}},
		{"we are ahead", plain.URL, -time.Hour, []string{"ahead of the gateway's of app main"}},
		{"nobody there", "http://127.0.0.1:1", 0, []string{"app main: gateway 127.0.0.1:1: "}},
		{"unknown authority", unknown.URL, 0, []string{"certificate signed by unknown authority"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ahead = tt.ahead
			c := &checker{cfg: loadSettings(t, keyApp+"    url: "+tt.url+"\n", "")}
			c.gateways(t.Context())
			wantFound(t, c.findings, tt.want...)
		})
	}
}

// TestCheckOfflineAsksNobody: a key that is elsewhere is not looked at offline.
func TestCheckOfflineAsksNobody(t *testing.T) {
	cfg := withSchemas(t, loadSettings(t, nowhereApp, ""))
	app := cfg.Apps["main"]
	app.PrivateKeyFile, app.PrivateKeyURI = config.SecretFile{}, "vault://127.0.0.1:1/transit/key"
	cfg.Apps["main"] = app
	f := checkAll(t.Context(), cfg, checkOptions{offline: true})
	wantFound(t, f)
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "its key is elsewhere") {
		t.Errorf("notes = %q", f.Notes)
	}
	c := &checker{cfg: cfg}
	c.keys(t.Context(), false)
	wantFound(t, c.findings, "app main: ")
}

// TestCheckPrints: text for people on one line each, JSON for scripts; what is foreign cannot
// break a line.
func TestCheckPrints(t *testing.T) {
	var f findings
	f.add(partKafka, "a\nb", "do c")
	f.note("not %s", "seen")
	var text, asJSON bytes.Buffer
	if err := f.print(&text, false); exitCode(err) != exitFound || text.String() != "note: not seen\na b; do c\n" {
		t.Errorf("exit %d, %q", exitCode(err), text.String())
	}
	want := `{"findings":[{"part":"kafka","what":"a\nb","remedy":"do c"}],"notes":["not seen"]}` + "\n"
	if err := f.print(&asJSON, true); exitCode(err) != exitFound || asJSON.String() != want {
		t.Errorf("exit %d, %s", exitCode(err), asJSON.String())
	}
	text.Reset()
	if err := (findings{}).print(&text, false); err != nil || text.String() != "nothing found\n" {
		t.Errorf("%v, %q", err, text.String())
	}
}

// Each instance has transactional ids of its own, and whoever gives the rights sits elsewhere.
func TestACLsOfAnotherSlot(t *testing.T) {
	dir, err := simulated()
	mustDo(t, err)
	var out bytes.Buffer
	o := checkOptions{file: filepath.Join(dir, "bridge.yaml"), output: "text", acls: true, slot: "b"}
	if err := o.run(t.Context(), &out); err != nil || !strings.Contains(out.String(), "alipay-kafka-bridge-b") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
