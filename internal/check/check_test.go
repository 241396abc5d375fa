package check

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/schemas"
)

// texts are the findings as lines.
func (f Report) texts() []string {
	if len(f.Findings) == 0 {
		return nil
	}
	f.Notes = nil
	return strings.Split(strings.TrimSpace(f.Text()), "\n")
}

// wantFound wants one finding for each of these words, and no other.
func wantFound(t *testing.T, f Report, want ...string) {
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
		t.Errorf("found as well:\n%s", strings.Join(left, "\n"))
	}
}

// withSchemas puts the schemas where the settings look for them.
func withSchemas(t *testing.T, cfg config.Config) config.Config {
	t.Helper()
	apptest.NoError(t, os.CopyFS(filepath.Dir(cfg.Apps["main"].PrivateKeyFile.Path), schemas.FS))
	return cfg
}

// TestCheckFindsKeysThatAreNoPair: each fault of a key or certificate is found without any
// network, all at once.
func TestCheckFindsKeysThatAreNoPair(t *testing.T) {
	ca, dir := apptest.NewAuthority(t), t.TempDir()
	cert, _ := ca.Issue(t, "bridge", time.Now().AddDate(1, 0, 0))
	_, other := ca.Issue(t, "other", time.Now().AddDate(1, 0, 0))
	apptest.WriteSecret(t, dir, "client.pem", cert)
	apptest.WriteSecret(t, dir, "client.key", other)
	kafka := "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, tls: {enabled: true, cert_file: DIR/client.pem, key_file: DIR/client.key}}\n"
	registry := "registry: {url: 'https://127.0.0.1:1', cert_file: DIR/client.pem, key_file: DIR/client.key}\n"
	// Our own key stands where Alipay's should be.
	app := strings.Replace(apptest.ClosedPortApp, "alipay.pub", "later.pub", 1) + "    private_key_file: later.pem\n"
	cfg := apptest.LoadSettings(t, app, strings.ReplaceAll(kafka+registry, "DIR", dir))
	wantFound(t, Run(t.Context(), cfg, Options{Offline: true}),
		"kafka.tls: "+dir+"/client.pem and "+dir+"/client.key do not belong together", "registry: "+dir+"/client.pem and", "app main: ")

	mismatched := apptest.OpenAPIApp + "    url: http://127.0.0.1:1\n    mode: certificate\n    app_cert_file: alipay.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n"
	wantFound(t, Run(t.Context(), withSchemas(t, apptest.LoadSettings(t, mismatched, "")), Options{Offline: true}), "app main: ")
}

// TestCheckFindsDates: what has ended, ends within 30 days or has not begun.
func TestCheckFindsDates(t *testing.T) {
	ca, dir := apptest.NewAuthority(t), t.TempDir()
	for name, end := range map[string]time.Time{"ended": time.Now().Add(-time.Minute), "ends": time.Now().AddDate(0, 0, 29), "fine": time.Now().AddDate(0, 0, 31)} {
		cert, key := ca.Issue(t, name, end)
		apptest.WriteSecret(t, dir, name+".pem", cert)
		apptest.WriteSecret(t, dir, name+".key", key)
	}
	apptest.WriteSecret(t, dir, "ca.PEM", ca.PEM)
	for name, want := range map[string][]string{"ended": {`certificate "ended" expired on `}, "ends": {`certificate "ends" expires on `}, "fine": nil} {
		kafka := "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, tls: {enabled: true, ca_file: DIR/ca.PEM, cert_file: DIR/NAME.pem, key_file: DIR/NAME.key}}\n"
		cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, strings.NewReplacer("DIR", dir, "NAME", name).Replace(kafka))
		wantFound(t, Run(t.Context(), withSchemas(t, cfg), Options{Offline: true}), want...)
	}
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp+"    more_alipay_keys: [{file: later.pub, until: 2001-01-01T00:00:00Z}]\n", "")
	wantFound(t, Run(t.Context(), withSchemas(t, cfg), Options{Offline: true}), "app main: more_alipay_keys[0] expired on 2001-01-01")
	// The certificates of these tests' app end within the hour.
	app := apptest.OpenAPIApp + "    url: http://127.0.0.1:1\n    mode: certificate\n    app_cert_file: app.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n"
	wantFound(t, Run(t.Context(), withSchemas(t, apptest.LoadSettings(t, app, "")), Options{Offline: true}),
		"app.crt): certificate \"our app\" expires on ", "alipay.crt): certificate \"Alipay\" expires on ", "root.crt): root \"Root R1\" expires on ")
	before := &checker{cfg: apptest.LoadSettings(t, app, ""), now: time.Now().Add(-2 * time.Hour)}
	before.app(t.Context(), "main")
	for _, want := range []string{"app_cert_file", "alipay_cert_file", "alipay_root_cert_file"} {
		if got := before.Text(); !strings.Contains(got, want) || strings.Count(got, "is not valid before") != 3 {
			t.Errorf("two hours before they begin:\n%s", got)
		}
	}

	c := &checker{now: time.Now().Add(-2 * time.Hour)}
	c.chain("x", ca.PEM)
	wantFound(t, c.Report, `certificate "Test CA" is not valid before`)
	c = &checker{now: time.Now()}
	old, _ := ca.Issue(t, "old root", time.Now().Add(-time.Hour))
	c.roots("x", old+ca.PEM) // a bundle that also has an old one
	wantFound(t, c.Report)
}

// TestK9_CheckFindsTheClock: a gateway that is not there, one that no one knows, and a
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
		{"we are behind", plain.URL, 40 * time.Second, []string{"s behind the clock of the gateway of app main; synchronise"}},
		{"we are ahead", plain.URL, -time.Hour, []string{"ahead of the clock of the gateway of app main"}},
		{"no gateway there", "http://127.0.0.1:1", 0, []string{"app main: gateway 127.0.0.1:1: "}},
		{"unknown authority", unknown.URL, 0, []string{"certificate signed by unknown authority"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ahead = tt.ahead
			c := &checker{cfg: apptest.LoadSettings(t, apptest.KeyApp+"    url: "+tt.url+"\n", "")}
			c.gateways(t.Context())
			wantFound(t, c.Report, tt.want...)
		})
	}
}

// TestCheckOfflineUsesNoNetwork: a key in Vault is not checked offline.
func TestCheckOfflineUsesNoNetwork(t *testing.T) {
	cfg := withSchemas(t, apptest.LoadSettings(t, apptest.ClosedPortApp, ""))
	app := cfg.Apps["main"]
	app.PrivateKeyFile, app.PrivateKeyURI = config.SecretFile{}, "vault://127.0.0.1:1/transit/key"
	cfg.Apps["main"] = app
	f := Run(t.Context(), cfg, Options{Offline: true})
	wantFound(t, f)
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "its key is in Vault") {
		t.Errorf("notes = %q", f.Notes)
	}
	c := &checker{cfg: cfg}
	c.keys(t.Context(), false)
	wantFound(t, c.Report, "app main: ")
}

// TestCheckFindsNothingToRun: run refuses parts of which the settings describe none, so check does, too.
func TestCheckFindsNothingToRun(t *testing.T) {
	cfg := withSchemas(t, apptest.LoadSettings(t, apptest.ClosedPortApp, ""))
	for part, want := range map[string][]string{"calls": nil, "notify": {"nothing to run of notify; notify needs notify.listen"}} {
		wantFound(t, Run(t.Context(), cfg, Options{Offline: true, Only: app.PartList{part}}), want...)
	}
	cfg.Topics.Inputs = nil
	for part, want := range map[string][]string{"calls": {"nothing to run of calls"}, "status": nil} {
		wantFound(t, Run(t.Context(), cfg, Options{Offline: true, Only: app.PartList{part}}), want...)
	}
}

// TestFieldsThatAreNotWrittenAreOneLine: for each schema, however many there are; JSON has them all.
func TestFieldsThatAreNotWrittenAreOneLine(t *testing.T) {
	var r SchemaReport
	for _, where := range []string{"t version 1", "t version 2"} {
		for _, field := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			r.NotWritten = append(r.NotWritten, schemaNote{where, field, []string{"alipay.trade.create " + field}})
		}
	}
	r.NotWritten = append(r.NotWritten, schemaNote{"u version 1", "a", []string{"alipay.trade.create a"}})
	want := "note: t version 1: 7 fields are not written and stay empty in calls: a, b, c, d, e, ... (-o json lists them with their calls)\n" +
		"note: t version 2: 7 fields are not written and stay empty in calls: a, b, c, d, e, ... (-o json lists them with their calls)\n" +
		"note: u version 1: a is not written; these stay empty: alipay.trade.create a\nnothing found\n"
	if got := r.Text(); got != want {
		t.Errorf("got\n%s", got)
	}
}
