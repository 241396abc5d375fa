package app

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/schemas"
)

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

// appAt builds the app of the settings and lets it use this gateway.
func appAt(t *testing.T, g http.Handler, app string) *gateway.App {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	built, err := NewAlipayApp(t.Context(), apptest.LoadSettings(t, app+"    url: "+server.URL+"\n", "").Apps["main"], Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(built.Close)
	return built
}

// TestOpenAPISettingsReachTheWire: each setting shows in the query of a call.
func TestOpenAPISettingsReachTheWire(t *testing.T) {
	for _, tt := range []struct {
		name, app string
		want      map[string]string // "*" is any value
	}{
		{"defaults", apptest.KeyApp, map[string]string{"charset": "utf-8", "sign_type": "RSA2", "encrypt_type": "", "app_cert_sn": ""}},
		{"charset", apptest.KeyApp + "    charset: gbk\n", map[string]string{"charset": "gbk"}},
		{"sign type", apptest.KeyApp + "    sign_type: RSA\n    allow_weak: true\n", map[string]string{"sign_type": "RSA"}},
		{"encryption", apptest.KeyApp + "    aes_key_file: aes\n", map[string]string{"encrypt_type": "AES"}},
		{"certificates", apptest.OpenAPIApp + "    mode: certificate\n    app_cert_file: app.crt\n    alipay_cert_file: alipay.crt\n    alipay_root_cert_file: root.crt\n",
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
	node := `{"code":"10000","msg":"Success","trade_no":"1","out_trade_no":"o","trade_status":"TRADE_SUCCESS","total_amount":"1.00"}`
	digest := sha256.Sum256([]byte(node))
	sign, err := rsa.SignPKCS1v15(rand.Reader, apptest.LaterKey(), crypto.SHA256, digest[:])
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
			_, err := appAt(t, g, apptest.KeyApp+tt.more).Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeQuery{TradeNo: "1"})
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("class = %v, want %v (%v)", got, tt.want, err)
			}
		})
	}
}

// TestNextPrivateKey: it is Alipay's own key here, which only shows when it is looked at.
func TestNextPrivateKey(t *testing.T) {
	app := apptest.KeyApp + "    url: http://127.0.0.1:1\n    next_private_key_file: later.pem\n    more_alipay_keys: [{file: later.pub}]\n"
	_, err := NewAlipayApp(t.Context(), apptest.LoadSettings(t, app, "").Apps["main"], Options{})
	if err == nil || !strings.Contains(err.Error(), "Alipay key") {
		t.Errorf("err = %v, want that it is Alipay's", err)
	}
}

// serviceOf builds the service of the settings, with the bridge's own schemas.
func serviceOf(t *testing.T, more string) *Service {
	t.Helper()
	c := apptest.LoadSettings(t, apptest.KeyApp+"    url: http://127.0.0.1:1\n", more)
	dir := filepath.Dir(c.Apps["main"].PrivateKeyFile.Path)
	if err := os.CopyFS(dir, schemas.FS); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
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
		t.Run(name, func(t *testing.T) {
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
		})
	}
	if shown["usual"] != "" || shown["clear elsewhere"] != "" || shown["clear"] != buyer || shown["masked"] == "" || shown["masked"] == buyer {
		t.Errorf("shown = %q", shown)
	}
}

// TestHeadersSetting: the listed headers of a record are kept, no others.
func TestHeadersSetting(t *testing.T) {
	s := serviceOf(t, "kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s, headers: [tenant]}\n")
	in := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("a")}, {Key: "other", Value: []byte("b")}}}
	out, err := s.encoder.Snapshot(t.Context(), records.Input{Record: in}, order.Snapshot{ObservedAt: time.Now()})
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
		records.HeaderEventID, records.HeaderMethod, records.HeaderClass, records.HeaderRewound, records.HeaderDeadReason, records.HeaderDeadTopic,
	} {
		if !config.ReservedHeader(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	if !slices.Equal(config.MaskedFields(), order.MaskedFields()) {
		t.Errorf("masked fields = %q, want %q", config.MaskedFields(), order.MaskedFields())
	}
}

// TestSettingsKnowWhatOrderKnows: config imports nothing of ours, so its lists of words are
// copies of order's; here they are held together.
func TestSettingsKnowWhatOrderKnows(t *testing.T) {
	var types []string
	for _, e := range order.EventTypes() {
		if e != order.TypeUnknown {
			types = append(types, string(e))
		}
	}
	if !slices.Equal(config.EventTypes(), types) {
		t.Errorf("event types = %q, want %q", config.EventTypes(), types)
	}
	if !slices.Equal(config.PayeeFields(), order.PayeeFields()) {
		t.Errorf("payee fields = %q, want %q", config.PayeeFields(), order.PayeeFields())
	}
	for call, channels := range config.Calls() {
		for _, channel := range channels {
			for _, status := range []string{"", "CLOSED"} {
				if status != "" && call != config.CallSync && call != config.CallHKSync {
					continue
				}
				row := config.Row{Channel: channel, Call: call, Status: status, If: config.Conditions(), Events: config.EventTypes()}
				if _, err := NewPlanner(config.Account{Channel: channel, Mapping: []config.Row{row}}); err != nil {
					t.Errorf("%+v: %v", row, err)
				}
			}
		}
	}
}
