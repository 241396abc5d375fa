package simulator_test

import (
	"crypto/aes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// hkVectorHarness returns a simulator with the keys and the time of the HK vectors.
func hkVectorHarness(t *testing.T, ecc standalone.ECCConfig) *harness {
	t.Helper()
	return hkVectorHarnessOf(t, hkVectorOptions(t, ecc))
}

func hkVectorHarnessOf(t *testing.T, o simulator.Options) *harness {
	t.Helper()
	b := &harness{t: t, now: time.Date(2024, 5, 22, 1, 12, 21, 0, time.UTC)}
	o.Now = func() time.Time { return b.now }
	var err error
	if b.sim, err = simulator.New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func hkVectorOptions(t *testing.T, ecc standalone.ECCConfig) simulator.Options {
	t.Helper()
	k := vectorKeys(t, "alipayhk/keys.json")
	keys := func(merchant, platform string) standalone.KeysConfig {
		return standalone.KeysConfig{MerchantPublic: k[merchant]["public_spki_pem"].(string), Signing: k[platform]["private_pkcs8_pem"].(string)}
	}
	ecc.Keys = keys("merchant_ec_v1", "platform_ec_v1")
	o, _, err := standalone.Config{HKApps: []standalone.HKAppConfig{{
		ClientID: clientID, KeyVersion: "1", Keys: keys("merchant_rsa_v1", "platform_rsa_v1"), ECC: ecc,
		Older: []standalone.OlderKeys{{KeyVersion: "2", Keys: keys("merchant_rsa_v2", "platform_rsa_v2")}},
	}}}.Options("")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// do sends a request of the vectors.
func (b *harness) do(body string, header map[string]string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, simulator.HKPath, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	return w.Result()
}

// TestBenchModeReplaysECC224: in BenchMode the same content is signed once; otherwise each signature
// differs, as from a real signer.
func TestBenchModeReplaysECC224(t *testing.T) {
	var v struct {
		Cases []struct {
			Side   string
			Time   string
			Header string `json:"signature_header"`
			Body   struct{ Text string }
			Expect struct {
				Only struct{ Hash, Format string } `json:"verifies_only_with"`
			}
		}
	}
	loadLoose(t, "alipayhk/signed_ecc224.json", &v)
	for _, c := range v.Cases {
		if c.Side != "request" {
			continue
		}
		o := hkVectorOptions(t, standalone.ECCConfig{Hash: strings.ReplaceAll(strings.ToLower(c.Expect.Only.Hash), "-", ""), Format: c.Expect.Only.Format})
		for _, o.BenchMode = range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %s, BenchMode %t", c.Expect.Only.Hash, c.Expect.Only.Format, o.BenchMode), func(t *testing.T) {
				b := hkVectorHarnessOf(t, o)
				signature := func() string {
					return b.do(c.Body.Text, map[string]string{
						"Content-Type": "application/json; charset=UTF-8", "Client-Id": clientID, "Request-Time": c.Time, "Signature": c.Header,
					}).Header.Get("Signature")
				}
				first, again := signature(), signature()
				if !strings.HasPrefix(first, "algorithm=ECC224,") || (first == again) != o.BenchMode {
					t.Errorf("signed %q and %q", first, again)
				}
			})
		}
	}
}

// TestECC224: a request verifies with its own hash and encoding and no other, and the answer uses the same.
func TestECC224(t *testing.T) {
	var v struct {
		Cases []struct {
			ID     string
			Side   string
			Time   string
			Header string `json:"signature_header"`
			Body   struct{ Text string }
			Expect struct {
				Only struct{ Hash, Format string } `json:"verifies_only_with"`
			}
		}
	}
	loadLoose(t, "alipayhk/signed_ecc224.json", &v)
	interpretations := []standalone.ECCConfig{
		{Hash: "sha224", Format: "der"}, {Hash: "sha224", Format: "p1363"}, {Hash: "sha256", Format: "der"}, {Hash: "sha256", Format: "p1363"},
		{}, // the first one
	}
	for _, c := range v.Cases {
		if c.Side != "request" {
			continue
		}
		for _, mode := range interpretations {
			t.Run(fmt.Sprintf("%s, set to %q %q", c.ID, mode.Hash, mode.Format), func(t *testing.T) {
				resp := hkVectorHarness(t, mode).do(c.Body.Text, map[string]string{
					"Content-Type": "application/json; charset=UTF-8", "Client-Id": clientID, "Request-Time": c.Time, "Signature": c.Header,
				})
				raw, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				if mode == (standalone.ECCConfig{}) {
					mode = interpretations[0]
				}
				want := mode.Hash == strings.ReplaceAll(strings.ToLower(c.Expect.Only.Hash), "-", "") && mode.Format == c.Expect.Only.Format
				if got := strings.Contains(string(raw), `SUCCESS`); got != want {
					t.Errorf("answer = %s, want success %v", raw, want)
				}
				if want != strings.HasPrefix(resp.Header.Get("Signature"), "algorithm=ECC224,keyVersion=1,signature=") {
					t.Errorf("the answer is signed as %q", resp.Header.Get("Signature"))
				}
			})
		}
	}
}

// TestEncryptedRequests: encrypted requests of the vectors are read, and answered with a key that only
// the merchant can decrypt.
func TestEncryptedRequests(t *testing.T) {
	var v struct {
		Cases []struct {
			ID      string
			Headers map[string]string
			Body    struct{ Text string } `json:"body_on_the_wire"`
			Plain   struct{ Text string } `json:"plaintext"`
		}
	}
	loadLoose(t, "alipayhk/encrypted_request_rsa_aes.json", &v)
	merchant := privateKey(t, vectorKeys(t, "alipayhk/keys.json")["merchant_rsa_v1"]["private_pkcs8_pem"])
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			b := hkVectorHarness(t, standalone.ECCConfig{})
			resp := b.do(c.Body.Text, c.Headers)
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			plain := decryptHK(t, merchant, resp.Header.Get("Encrypt"), raw)
			var sent struct {
				MerchantBizNo string `json:"merchantBizNo"`
			}
			if err := json.Unmarshal([]byte(c.Plain.Text), &sent); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(plain, `"orderId"`) || b.sim.Tally(sent.MerchantBizNo).Executions != 1 {
				t.Errorf("answer %s, tally %+v", plain, b.sim.Tally(sent.MerchantBizNo))
			}
			c.Headers["Encrypt"] = "algorithm=RSA_AES,keyVersion=7,symmetricKey=AAAA"
			if raw, _ := io.ReadAll(b.do(c.Body.Text, c.Headers).Body); !strings.Contains(string(raw), "PARAM_ILLEGAL") {
				t.Errorf("with another key version: %s", raw)
			}
		})
	}
}

// decryptHK decrypts RSA_AES as a merchant does.
func decryptHK(t *testing.T, k *rsa.PrivateKey, header string, body []byte) string {
	t.Helper()
	_, text, _ := strings.Cut(header, "symmetricKey=")
	text, err := url.QueryUnescape(text)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err1 := base64.StdEncoding.DecodeString(text)
	raw, err2 := base64.StdEncoding.DecodeString(string(body))
	if err1 != nil || err2 != nil {
		t.Fatalf("Encrypt %q, body %q", header, body)
	}
	secret, err := rsa.DecryptPKCS1v15(nil, k, wrapped) //nolint:staticcheck // what the protocol uses
	if err != nil {
		t.Fatal(err)
	}
	b, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += aes.BlockSize {
		b.Decrypt(raw[i:], raw[i:i+aes.BlockSize])
	}
	return string(raw[:len(raw)-int(raw[len(raw)-1])])
}
