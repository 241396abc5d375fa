package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/schemas"
)

// Keys of these tests: ours, Alipay's, and its next one.
var ownKey, platformKey, laterKey = sync.OnceValue(newTestKey), sync.OnceValue(newTestKey), sync.OnceValue(newTestKey)

func newTestKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func newEllipticKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func pemOf(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func privatePEM(k any) string {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return pemOf("PRIVATE KEY", der, err)
}

func publicPEM(k any) string {
	der, err := x509.MarshalPKIXPublicKey(k)
	return pemOf("PUBLIC KEY", der, err)
}

// certificatePEM is issued by a root with the later key; without a name it is that root.
func certificatePEM(name string, key *rsa.PublicKey) string {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root R1"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	leaf := *root
	if name != "" {
		leaf.SerialNumber, leaf.Subject, leaf.IsCA = big.NewInt(int64(len(name))), pkix.Name{CommonName: name}, false
	}
	der, err := x509.CreateCertificate(rand.Reader, &leaf, root, key, laterKey())
	return pemOf("CERTIFICATE", der, err)
}

// seen is a gateway that keeps the last request and answers with text.
type seen struct {
	request *http.Request
	body    string
	answer  string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.request, s.body = r, string(b)
	_, _ = io.WriteString(w, s.answer)
}

// loadSettings loads a settings file whose only app is this one. Its key files lie beside it.
func loadSettings(t *testing.T, app, more string) config.Config {
	t.Helper()
	dir, own, platform := t.TempDir(), newEllipticKey(), newEllipticKey()
	if !strings.Contains(more, "kafka:") {
		more += "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s}\n"
	}
	if !strings.Contains(more, "registry:") {
		more += "registry: {folder: .}\n"
	}
	text := "topics: {inputs: [{accounts: [shop]}]}\naccounts: {shop: {app: main, channel: TRADE}}\n" + more +
		"apps:\n  main:\n    environment: simulator\n" + app
	if !strings.Contains(app, " private_key_") {
		text += "    private_key_file: own.pem\n"
	}
	if strings.Contains(app, "alipayhk") {
		text = strings.Replace(text, "TRADE", "HK", 1)
	}
	for name, text := range map[string]string{
		"bridge.yaml": text, "own.pem": privatePEM(ownKey()), "later.pem": privatePEM(laterKey()), "mask": strings.Repeat("k", 32),
		"ec.pem": privatePEM(own), "ec.pub": publicPEM(platform.Public()),
		"alipay.pub": publicPEM(platformKey().Public()), "later.pub": publicPEM(laterKey().Public()),
		"aes": base64.StdEncoding.EncodeToString(make([]byte, 16)), "root.crt": certificatePEM("", &laterKey().PublicKey),
		"app.crt": certificatePEM("our app", &ownKey().PublicKey), "alipay.crt": certificatePEM("Alipay", &platformKey().PublicKey),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "bridge.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// appAt builds the app of the settings and lets it speak to this gateway.
func appAt(t *testing.T, g http.Handler, app string) *alipay.App {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	built, err := appOf(t.Context(), loadSettings(t, app+"    url: "+server.URL+"\n", "").Apps["main"], telling{noop.NewTracerProvider().Tracer(""), slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(built.Close)
	return built
}

const (
	openAPIApp = "    kind: openapi\n    app_id: '2021000000000001'\n"
	keyApp     = openAPIApp + "    alipay_public_key_file: alipay.pub\n"
)

// TestOpenAPISettingsReachTheWire: each setting shows in the query of a call.
func TestOpenAPISettingsReachTheWire(t *testing.T) {
	for _, tt := range []struct {
		name, app string
		want      map[string]string // "*" is any value
	}{
		{"defaults", keyApp, map[string]string{"charset": "utf-8", "sign_type": "RSA2", "encrypt_type": "", "app_cert_sn": ""}},
		{"charset", keyApp + "    charset: gbk\n", map[string]string{"charset": "gbk"}},
		{"sign type", keyApp + "    sign_type: RSA\n    allow_weak: true\n", map[string]string{"sign_type": "RSA"}},
		{"encryption", keyApp + "    aes_key_file: aes\n", map[string]string{"encrypt_type": "AES"}},
		{"certificates", openAPIApp + "    mode: certificate\n    app_cert_file: app.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n",
			map[string]string{"app_cert_sn": "*", "alipay_root_cert_sn": "*"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &seen{answer: "{}"}
			_, _ = appAt(t, g, tt.app).Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeQuery{TradeNo: "1"})
			if g.request == nil {
				t.Fatal("nothing was sent")
			}
			for key, want := range tt.want {
				if got := g.request.URL.Query().Get(key); got != want && (want != "*" || got == "") {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
		})
	}
}

// TestMoreAlipayKeys: a further key is believed until its end.
func TestMoreAlipayKeys(t *testing.T) {
	node := `{"code":"10000","msg":"Success","trade_no":"1","out_trade_no":"o"}`
	digest := sha256.Sum256([]byte(node))
	sign, err := rsa.SignPKCS1v15(rand.Reader, laterKey(), crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	g := &seen{answer: fmt.Sprintf(`{"alipay_trade_query_response":%s,"sign":%q}`, node, base64.StdEncoding.EncodeToString(sign))}
	for _, tt := range []struct {
		name, more string
		want       alipay.Class
	}{
		{"not configured", "", alipay.Untrusted},
		{"without end", "    more_alipay_keys: [{file: later.pub}]\n", alipay.Done},
		{"before its end", "    more_alipay_keys: [{file: later.pub, until: 2999-01-01T00:00:00Z}]\n", alipay.Done},
		{"after its end", "    more_alipay_keys: [{file: later.pub, until: 2001-01-01T00:00:00Z}]\n", alipay.Untrusted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := appAt(t, g, keyApp+tt.more).Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeQuery{TradeNo: "1"})
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("class = %v, want %v (%v)", got, tt.want, err)
			}
		})
	}
}

// TestNextPrivateKey: it is Alipay's own key here, which only shows when it is looked at.
func TestNextPrivateKey(t *testing.T) {
	app := keyApp + "    url: http://127.0.0.1:1\n    next_private_key_file: later.pem\n    more_alipay_keys: [{file: later.pub}]\n"
	_, err := appOf(t.Context(), loadSettings(t, app, "").Apps["main"], telling{noop.NewTracerProvider().Tracer(""), slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "Alipay key") {
		t.Errorf("err = %v, want that it is Alipay's", err)
	}
}

// serviceOf builds the service of the settings, with the bridge's own schemas.
func serviceOf(t *testing.T, more string) *service {
	t.Helper()
	c := loadSettings(t, keyApp+"    url: http://127.0.0.1:1\n", more)
	dir := filepath.Dir(c.Apps["main"].PrivateKeyFile.Path)
	if err := os.CopyFS(dir, schemas.FS); err != nil {
		t.Fatal(err)
	}
	p, err := partsOf(t.Context(), c, noop.NewTracerProvider().Tracer(""), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// TestPrivacySettings: what a snapshot shows of the buyer.
func TestPrivacySettings(t *testing.T) {
	const buyer = "2088102122524333"
	shown := map[string]string{}
	for name, more := range map[string]string{
		"usual": "", "masked": "privacy: {key_file: mask}\n", "clear": "privacy: {clear: {alipay-snapshots: [buyer_user_id]}}\n",
		"clear elsewhere": "privacy: {clear: {alipay-results: [buyer_user_id]}}\n",
	} {
		s := serviceOf(t, more)
		value, err := s.codec.EncodeSnapshot(t.Context(), "alipay-snapshots", order.Snapshot{BuyerUserID: buyer, ObservedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.codec.DecodeSnapshot(t.Context(), "alipay-snapshots", value)
		if err != nil {
			t.Fatal(err)
		}
		shown[name] = got.BuyerUserID
	}
	if shown["usual"] != "" || shown["clear elsewhere"] != "" || shown["clear"] != buyer || shown["masked"] == "" || shown["masked"] == buyer {
		t.Errorf("shown = %q", shown)
	}
}

// TestHeadersSetting: the listed headers of a record are kept, no others.
func TestHeadersSetting(t *testing.T) {
	s := serviceOf(t, "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, headers: [tenant]}\n")
	in := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("a")}, {Key: "other", Value: []byte("b")}}}
	out, err := s.encoder.Snapshot(t.Context(), in, order.Snapshot{ObservedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, h := range out[0].Headers {
		if h.Key == "tenant" || h.Key == "other" {
			kept = append(kept, h.Key+"="+string(h.Value))
		}
	}
	if !slices.Equal(kept, []string{"tenant=a"}) {
		t.Errorf("kept %q, want the tenant alone", kept)
	}
}

// TestSettingsKnowWhatIsReservedAndMasked: config imports nothing of ours, so its lists are copies.
func TestSettingsKnowWhatIsReservedAndMasked(t *testing.T) {
	for _, name := range []string{
		produce.HeaderEventID, produce.HeaderMethod, produce.HeaderClass, produce.HeaderRewound, produce.HeaderDeadReason, produce.HeaderDeadTopic,
	} {
		if !config.ReservedHeader(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	if !slices.Equal(config.MaskedFields(), order.MaskedFields()) {
		t.Errorf("masked fields = %q, want %q", config.MaskedFields(), order.MaskedFields())
	}
}
