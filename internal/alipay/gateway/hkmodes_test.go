package gateway_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

func hkECKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	v := alipaytest.Load[alipaytest.HKKeys](t, "alipayhk/keys.json").Keys[name]
	key, err := keys.ParseECPrivate(alipaytest.Armour(v.PKCS8PEM))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{v.SEC1PEM, v.PKCS8Base64} {
		if k, err := keys.ParseECPrivate(alipaytest.Armour(text)); err != nil || !k.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{v.SPKIPEM, v.SPKIBase64} {
		if k, err := keys.ParseECPublic(alipaytest.Armour(text)); err != nil || !k.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	return key
}

// eccSettings are the four readings of ECC224.
var eccSettings = map[string]gateway.ECCOptions{
	"SHA-224 der": {}, "SHA-224 p1363": {P1363: true}, "SHA-256 der": {SHA256: true}, "SHA-256 p1363": {SHA256: true, P1363: true},
}

// TestECC224Vectors: each verifies under its own setting and under no other.
func TestECC224Vectors(t *testing.T) {
	v := alipaytest.Load[struct {
		ID, What, Confidence string
		MadeBy               string `json:"made_by"`
		KeysFile             string `json:"keys_file"`
		Cases                []struct {
			ID, Why, Side, Method, Path, Key, Hash, Time string
			ClientID                                     string `json:"client_id"`
			TimeHeader                                   string `json:"time_header"`
			Format                                       string `json:"signature_format"`
			R                                            string `json:"r_hex"`
			S                                            string `json:"s_hex"`
			Body                                         hkText
			Content                                      hkText `json:"content_to_sign"`
			Signature                                    []byte `json:"signature_base64"`
			Header                                       string `json:"signature_header"`
			Expect                                       struct {
				Only struct{ Hash, Format string } `json:"verifies_only_with"`
			}
		}
	}](t, "alipayhk/signed_ecc224.json")
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			content := gateway.HKContent(c.Path, c.ClientID, c.Time, c.Body.Base64)
			if !bytes.Equal(content, c.Content.Base64) {
				t.Error("content differs")
			}
			key := &hkECKey(t, c.Key).PublicKey
			for name, o := range eccSettings {
				err := gateway.VerifyECC(o, key, c.Header, content)
				if want := name == c.Expect.Only.Hash+" "+c.Expect.Only.Format; (err == nil) != want {
					t.Errorf("under %s: %v, want verified %v", name, err, want)
				}
			}
		})
	}
	t.Logf("alipayhk/signed_ecc224.json: %d cases under %d settings", len(v.Cases), len(eccSettings))
}

// TestECC224Calls: a whole call in each reading, both ways.
func TestECC224Calls(t *testing.T) {
	ours, theirs := hkECKey(t, "merchant_ec_v1"), hkECKey(t, "platform_ec_v1")
	signer, err := keys.NewSigner(ours)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.NewHK(gateway.HKOptions{URL: "https://open.alipay.hk", ClientID: "1", Signer: signer,
		PlatformECKeys: map[string]*ecdsa.PublicKey{"1": &ours.PublicKey}}); err == nil {
		t.Error("our own public half was accepted")
	}
	if _, err := gateway.NewHK(gateway.HKOptions{URL: "https://open.alipay.hk", ClientID: "1", Signer: signer,
		PlatformKeys:   map[string]*rsa.PublicKey{"1": &hkKey(t, "platform_rsa_v1").PublicKey},
		PlatformECKeys: map[string]*ecdsa.PublicKey{"1": &theirs.PublicKey}}); err != nil {
		t.Errorf("a key of each kind: %v", err)
	}
	for name, ecc := range eccSettings {
		t.Run(name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				content := gateway.HKContent(r.RequestURI, r.Header.Get("Client-Id"), r.Header.Get("Request-Time"), body)
				if err := gateway.VerifyECC(ecc, &ours.PublicKey, r.Header.Get("Signature"), content); err != nil || !strings.HasPrefix(r.Header.Get("Signature"), "algorithm=ECC224,") {
					t.Errorf("request %q: %v", r.Header.Get("Signature"), err)
				}
				at := hkNow.Format(time.RFC3339)
				const answer = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`
				sig := gateway.SignECC(ecc, theirs, gateway.HKContent(r.RequestURI, hkClientID, at, []byte(answer)))
				w.Header().Set("Response-Time", at)
				w.Header().Set("Signature", gateway.FormatHKSignature("ecc224", "1", sig))
				answering(200, answer)(w, r)
			}
			app := hkApp(t, h, func(o *gateway.HKOptions) {
				o.Signer, o.ECC, o.PlatformECKeys = signer, ecc, map[string]*ecdsa.PublicKey{"1": &theirs.PublicKey}
			})
			if rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()); err != nil || !rep.Verified {
				t.Errorf("%v", err)
			}
			if err := app.CheckSigner(t.Context()); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// encrypted is a case of encrypted_request_rsa_aes.json and encrypted_response_rsa_aes.json.
type encrypted struct {
	ID, Why, Side, Method, Path string
	Recipient                   string `json:"recipient_key"`
	Signer                      string `json:"signing_key"`
	Headers                     map[string]string
	Body                        struct{ Text, SHA256 string } `json:"body_on_the_wire"`
	ContentSHA256               string                        `json:"content_to_sign_sha256"`
	Signature                   []byte                        `json:"signature_base64"`
	AESKey                      string                        `json:"aes_key_hex"`
	Plaintext                   hkText
	Expect                      *struct{ Verified, Decrypts bool }
}

type encryptedVectors struct {
	ID, What, Confidence string
	MadeBy               string `json:"made_by"`
	KeysFile             string `json:"keys_file"`
	Cases                []encrypted
	Blocks               []struct {
		ID, Why    string
		Key        string `json:"aes_key_hex"`
		Plaintext  []byte `json:"plaintext_base64"`
		Ciphertext string `json:"ciphertext_base64"`
	} `json:"aes_blocks"`
}

// TestEncryptedVectors: signature first, then the key, then the body; the blocks both ways.
func TestEncryptedVectors(t *testing.T) {
	for _, file := range []string{"request", "response"} {
		v := alipaytest.Load[encryptedVectors](t, "alipayhk/encrypted_"+file+"_rsa_aes.json")
		for _, c := range v.Cases {
			t.Run(c.ID, func(t *testing.T) {
				timeHeader := c.Headers["Request-Time"] + c.Headers["Response-Time"]
				content := gateway.HKContent(c.Path, c.Headers["Client-Id"], timeHeader, []byte(c.Body.Text))
				if got := fmt.Sprintf("%x", gateway.DigestOf("RSA2", content)); got != c.ContentSHA256 {
					t.Errorf("content %s, want %s", got, c.ContentSHA256)
				}
				keyVectors := map[string]*rsa.PublicKey{"1": &hkKey(t, c.Signer).PublicKey}
				if err := gateway.VerifyHK(keyVectors, c.Headers["Signature"], content); (err == nil) != (c.Expect == nil || c.Expect.Verified) {
					t.Error(err)
				}
				plain, err := gateway.DecryptHK(hkKey(t, c.Recipient), c.Headers["Encrypt"], []byte(c.Body.Text))
				if (err == nil) != (c.Expect == nil || c.Expect.Decrypts) || !bytes.Equal(plain, c.Plaintext.Base64) {
					t.Errorf("%q, %v (%s)", plain, err, c.Why)
				}
			})
		}
		for _, b := range v.Blocks {
			t.Run(b.ID, func(t *testing.T) {
				key, err := hex.DecodeString(b.Key)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := encryption.EncryptECB(key, b.Plaintext); err != nil || got != b.Ciphertext {
					t.Errorf("%s, %v, want %s", got, err, b.Ciphertext)
				}
				if got, err := encryption.DecryptECB(key, []byte(b.Ciphertext)); err != nil || !bytes.Equal(got, b.Plaintext) {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		t.Logf("alipayhk/encrypted_%s_rsa_aes.json: %d cases, %d blocks", file, len(v.Cases), len(v.Blocks))
	}
}

// TestEncryptedHKCalls: a whole call, encrypted both ways; nothing unverified is decrypted.
func TestEncryptedHKCalls(t *testing.T) {
	platform, ours := hkKey(t, "platform_rsa_v1"), hkKey(t, "merchant_rsa_v1")
	for _, tt := range []struct {
		name   string
		signer string
		to     *rsa.PublicKey
		want   alipay.Class
	}{
		{"good", "platform_rsa_v1", &ours.PublicKey, alipay.Done},
		{"to another recipient", "platform_rsa_v1", &platform.PublicKey, alipay.Untrusted},
		{"signed by a stranger", "stranger_rsa", &ours.PublicKey, alipay.Untrusted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				plain, err := gateway.DecryptHK(platform, r.Header.Get("Encrypt"), body)
				if want, _ := alipay.Content(alipaytest.HKOrderSync()); err != nil || !bytes.Equal(plain, want) || r.Header.Get("Content-Type") != "text/plain; charset=UTF-8" {
					t.Errorf("the request is %q, %v", plain, err)
				}
				answer, encrypt := gateway.EncryptHK(tt.to, []byte(`{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`))
				at := hkNow.Format(time.RFC3339)
				sig, _ := base64.StdEncoding.DecodeString(sign(t, hkKey(t, tt.signer), gateway.HKContent(r.RequestURI, hkClientID, at, answer)))
				w.Header().Set("Response-Time", at)
				w.Header().Set("Encrypt", encrypt)
				w.Header().Set("Signature", gateway.FormatHKSignature("RSA256", "1", sig))
				_, _ = w.Write(answer)
			}
			app := hkApp(t, h, func(o *gateway.HKOptions) {
				o.Encrypt = &gateway.HKEncryption{KeyVersion: "1", OurKeys: map[string]crypto.Decrypter{"1": ours}}
			})
			rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if alipay.ClassOf(err) != tt.want || rep.Verified != (err == nil) || (rep.HKOrderID == "1") != (err == nil) {
				t.Errorf("%v, %+v", err, rep)
			}
		})
	}
}

// TestHKSettings: what the pages leave open is settable.
func TestHKSettings(t *testing.T) {
	request := func(change func(*gateway.HKOptions), r *alipay.HKOrderSync) (*http.Request, string) {
		seen := make(chan *http.Request, 1)
		var body []byte
		app := hkApp(t, func(w http.ResponseWriter, req *http.Request) {
			body, _ = io.ReadAll(req.Body)
			seen <- req
		}, change)
		_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), r)
		return <-seen, string(body)
	}
	for layout, want := range map[gateway.HKTimeLayout]string{
		gateway.HKTimeMillis: "2024-05-22T01:12:21.000+00:00", gateway.HKTimeCompact: "2024-05-22T01:12:21+0000",
		gateway.HKTimeEpoch: "1716340341000", "": "2024-05-22T01:12:21+00:00", time.RFC3339: "2024-05-22T01:12:21Z",
	} {
		req, _ := request(func(o *gateway.HKOptions) { o.TimeLayout, o.TimeZone = layout, time.UTC }, alipaytest.HKOrderSync())
		if got := req.Header.Get("Request-Time"); got != want {
			t.Errorf("layout %q: %s, want %s", layout, got, want)
		}
	}
	req, body := request(func(o *gateway.HKOptions) { o.SigningPath, o.Algorithm = "/v1/merchant/order/sync", "sha256withrsa" }, alipaytest.HKOrderSync())
	content := gateway.HKContent("/v1/merchant/order/sync", hkClientID, req.Header.Get("Request-Time"), []byte(body))
	header := req.Header.Get("Signature")
	keyVectors := map[string]*rsa.PublicKey{"1": &hkKey(t, "merchant_rsa_v1").PublicKey}
	if err := gateway.VerifyHK(keyVectors, header, content); err != nil || !strings.HasPrefix(header, "algorithm=sha256withrsa,") {
		t.Errorf("signing path and alias: %v in %s", err, header)
	}
	if _, body := request(func(o *gateway.HKOptions) { o.Seconds = true }, alipaytest.HKOrderSync()); !strings.Contains(body, `"orderModifyTime":1716340341,`) {
		t.Errorf("seconds: %s", body)
	}
	withID := alipaytest.HKOrderSync()
	withID.RequestID = "0123456789abcdef0123456789abcdef"
	if _, body := request(func(o *gateway.HKOptions) { o.DashedIDs = true }, withID); !strings.Contains(body, `"requestId":"01234567-89ab-cdef-0123-456789abcdef",`) {
		t.Errorf("dashed: %s", body)
	}
	for name, change := range map[string]func(*gateway.HKOptions){
		"a class that is none of a refusal": func(o *gateway.HKOptions) { o.Classes = map[string]alipay.Class{"X": alipay.Done} },
		"an algorithm with a comma":         func(o *gateway.HKOptions) { o.Algorithm = "RSA256,x=y" },
		"AES of 100 bits":                   func(o *gateway.HKOptions) { o.Encrypt = &gateway.HKEncryption{Bits: 100} },
		"a version to encrypt to": func(o *gateway.HKOptions) {
			o.Encrypt = &gateway.HKEncryption{KeyVersion: "9"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := gateway.HKOptions{URL: "https://x", ClientID: "1", Signer: keys.NewRSASigner(ourKey()), PlatformKeys: map[string]*rsa.PublicKey{"1": &theirKey().PublicKey}}
			change(&o)
			if _, err := gateway.NewHK(o); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestHKAnswerSettings: what is believed of an answer, by setting.
func TestHKAnswerSettings(t *testing.T) {
	const success = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`
	const failed = `{"result":{"resultCode":"PROCESS_FAIL","resultStatus":"F"}}`
	const unknown = `{"result":{"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U"}}`
	otherVersion := func(o *gateway.HKOptions) {
		o.PlatformKeys = map[string]*rsa.PublicKey{"7": &hkKey(t, "platform_rsa_v1").PublicKey}
	}
	for _, tt := range []struct {
		name, body, signature string
		age                   time.Duration
		change                func(*gateway.HKOptions)
		want                  alipay.Class
	}{
		{"an hour old", success, "valid", time.Hour, func(o *gateway.HKOptions) { o.Skew = 2 * time.Hour }, alipay.Done},
		{"the age is not checked", success, "valid", 99 * time.Hour, func(o *gateway.HKOptions) { o.Skew = -1 }, alipay.Done},
		{"two minutes are too much", success, "valid", 2 * time.Minute, func(o *gateway.HKOptions) { o.Skew = time.Minute }, alipay.Untrusted},
		{"a version that is not configured", success, "valid", 0, otherVersion, alipay.Untrusted},
		{"any key", success, "valid", 0, func(o *gateway.HKOptions) { otherVersion(o); o.TryAllKeys = true }, alipay.Done},
		{"any key, but none fits", success, "invalid", 0, func(o *gateway.HKOptions) { otherVersion(o); o.TryAllKeys = true }, alipay.Untrusted},
		{"unsigned U is refused", unknown, "absent", 0, func(o *gateway.HKOptions) { o.RefuseUnsigned = true }, alipay.Untrusted},
		{"a class of our own", failed, "valid", 0, func(o *gateway.HKOptions) { o.Classes = map[string]alipay.Class{"PROCESS_FAIL": alipay.Transient} }, alipay.Transient},
		{"a class of our own for what is not believed", failed, "absent", 0, func(o *gateway.HKOptions) { o.Classes = map[string]alipay.Class{"PROCESS_FAIL": alipay.Rejected} }, alipay.Untrusted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hkApp(t, hkSigned(t, 200, tt.body, tt.signature, hkNow.Add(-tt.age)), tt.change).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if alipay.ClassOf(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
