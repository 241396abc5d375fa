package app

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
)

const (
	hkApp    = "    kind: alipayhk\n    client_id: C1\n"
	hkRSAApp = hkApp + "    platform_keys: {1: alipay.pub}\n"
)

func hkOrder() *alipay.HKOrderSync {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return &alipay.HKOrderSync{
		RequestID: "1", TradeNo: "2", MerchantBizNo: "3", MerchantBizType: "TRADE_ORDER", OrderStatus: "PAID", UserID: "4",
		Amount: &alipay.Money{Minor: 100, Currency: "HKD"}, PayAmount: &alipay.Money{Minor: 100, Currency: "HKD"}, CreateTime: at, ModifyTime: at,
	}
}

// TestHKSettingsReachTheWire: each setting shows in a header of a call.
func TestHKSettingsReachTheWire(t *testing.T) {
	for _, tt := range []struct {
		name, app, header, want string
	}{
		{"defaults", hkRSAApp, "Signature", "algorithm=RSA256"},
		{"key version", hkRSAApp + "    key_version: 7\n", "Signature", "keyVersion=7"},
		{"algorithm", hkRSAApp + "    algorithm: RSA_256\n", "Signature", "algorithm=RSA_256"},
		{"time zone", hkRSAApp + "    time_zone: '+09:00'\n", "Request-Time", "+09:00"},
		{"time of the page", hkRSAApp, "Request-Time", "+08:00"},
		{"compact time", hkRSAApp + "    time_layout: compact\n", "Request-Time", "+0800"},
		{"plain", hkRSAApp, "Encrypt", ""},
		{"encryption", hkRSAApp + "    encrypt: {enabled: true, our_keys: {1: own.pem}}\n", "Encrypt", "keyVersion=1"},
		{"media type", hkRSAApp + "    encrypt: {enabled: true, platform_keys: {9: later.pub}, media_type: text/x}\n", "Content-Type", "text/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &seen{answer: "{}"}
			_, err := appAt(t, g, tt.app).Client(alipay.Merchant{}).Do(t.Context(), hkOrder())
			if g.request == nil {
				t.Fatal("nothing was sent:", err)
			}
			if got := g.request.Header.Get(tt.header); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("%s = %q, want %q in it", tt.header, got, tt.want)
			}
		})
	}
}

// TestHKSettingsJudgeAnswers: what the settings make of a signed answer.
func TestHKSettingsJudgeAnswers(t *testing.T) {
	const success, odd = `{"orderId":"9","result":{"resultCode":"SUCCESS","resultStatus":"S"}}`, `{"result":{"resultCode":"ODD","resultStatus":"F"}}`
	for _, tt := range []struct {
		name, more, answer, version string
		age                         time.Duration
		want                        alipay.Class
	}{
		{"class", "classes: {ODD: MISCONFIGURED}", odd, "1", 0, alipay.Misconfigured},
		{"another class", "classes: {ODD: THROTTLED}", odd, "1", 0, alipay.Throttled},
		{"success", "", success, "1", 0, alipay.Done},
		{"old", "", success, "1", time.Hour, alipay.Untrusted},
		{"within the skew", "skew: 2h", success, "1", time.Hour, alipay.Done},
		{"any time", "any_time: true", success, "1", 99 * time.Hour, alipay.Done},
		{"unknown version", "", success, "5", 0, alipay.Untrusted},
		{"signing path", "signing_path: /signed", success, "1", 0, alipay.Untrusted}, // the gateway signs the real one
		{"all keys are tried", "try_all_keys: true", success, "5", 0, alipay.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				at := time.Now().Add(-tt.age).Format("2006-01-02T15:04:05-07:00")
				digest := sha256.Sum256([]byte("POST " + r.URL.Path + "\nC1." + at + "." + tt.answer))
				sign, _ := rsa.SignPKCS1v15(rand.Reader, apptest.PlatformKey(), crypto.SHA256, digest[:])
				w.Header().Set("Client-Id", "C1")
				w.Header().Set("Response-Time", at)
				w.Header().Set("Signature", "algorithm=RSA256,keyVersion="+tt.version+",signature="+url.QueryEscape(base64.StdEncoding.EncodeToString(sign)))
				_, _ = io.WriteString(w, tt.answer)
			})
			app := hkRSAApp
			if tt.more != "" {
				app += "    " + tt.more + "\n"
			}
			_, err := appAt(t, g, app).Client(alipay.Merchant{}).Do(t.Context(), hkOrder())
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("class = %v, want %v (%v)", got, tt.want, err)
			}
		})
	}
}

// TestHKRefuseUnsigned: an unsigned failure is read unless the settings refuse it.
func TestHKRefuseUnsigned(t *testing.T) {
	g := &seen{answer: `{"result":{"resultCode":"INVALID_SIGNATURE","resultStatus":"F"}}`}
	for more, want := range map[string]alipay.Class{"": alipay.Misconfigured, "    refuse_unsigned: true\n": alipay.Untrusted} {
		t.Run(more, func(t *testing.T) {
			_, err := appAt(t, g, hkRSAApp+more).Client(alipay.Merchant{}).Do(t.Context(), hkOrder())
			if got := alipay.ClassOf(err); got != want {
				t.Errorf("%q: class = %v, want %v (%v)", more, got, want, err)
			}
		})
	}
}

// TestHKEllipticKeys: a key on P-224 signs as ECC224, in the form of the settings.
func TestHKEllipticKeys(t *testing.T) {
	const app = hkApp + "    private_key_file: ec.pem\n    platform_ec_keys: {1: ec.pub}\n    ecc: "
	for _, tt := range []struct {
		ecc string
		is  func(sign []byte) bool
	}{
		{"{form: p1363, hash: sha-256}", func(sign []byte) bool { return len(sign) == 56 }},
		{"{form: der}", func(sign []byte) bool { return len(sign) > 56 && sign[0] == 0x30 }},
	} {
		g := &seen{answer: "{}"}
		_, err := appAt(t, g, app+tt.ecc+"\n").Client(alipay.Merchant{}).Do(t.Context(), hkOrder())
		if g.request == nil {
			t.Fatal("nothing was sent:", err)
		}
		head, text, _ := strings.Cut(g.request.Header.Get("Signature"), "signature=")
		text, _ = url.QueryUnescape(text)
		sign, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !tt.is(sign) || !strings.Contains(head, "algorithm=ECC224") {
			t.Errorf("%s: %s with %d bytes, %v", tt.ecc, head, len(sign), err)
		}
	}
}

// TestHKBodySettings: the unit of the order's times, and the form of requestId.
func TestHKBodySettings(t *testing.T) {
	order := hkOrder()
	order.RequestID = "0123456789abcdef0123456789abcdef"
	for app, want := range map[string]string{
		hkRSAApp:                                `"requestId":"0123456789abcdef0123456789abcdef","tradeNo":"2","merchantBizNo":"3","merchantBizType":"TRADE_ORDER","amount":{"value":"100","currency":"HKD"},"payAmount":{"value":"100","currency":"HKD"},"orderStatus":"PAID","orderCreateTime":1793534400000,`,
		hkRSAApp + "    order_times: seconds\n": `"orderCreateTime":1793534400,"orderModifyTime":1793534400,`,
		hkRSAApp + "    request_ids: uuid\n":    `"requestId":"01234567-89ab-cdef-0123-456789abcdef",`,
	} {
		t.Run(app, func(t *testing.T) {
			g := &seen{answer: "{}"}
			_, _ = appAt(t, g, app).Client(alipay.Merchant{}).Do(t.Context(), order)
			if !strings.Contains(g.body, want) {
				t.Errorf("%s: %s, want %s in it", app, g.body, want)
			}
		})
	}
}

// TestVaultKeyWithoutVault: a binary that cannot ask Vault says so.
func TestVaultKeyWithoutVault(t *testing.T) {
	c := apptest.LoadSettings(t, apptest.KeyApp+"    url: http://127.0.0.1:1\n    private_key_uri: vault://127.0.0.1:1/transit/app\n    vault_token_file: mask\n", "")
	_, err := NewAlipayApp(t.Context(), c.Apps["main"], Options{})
	if err == nil || !strings.Contains(err.Error(), "the key in Vault: ") {
		t.Errorf("%v", err)
	}
}
