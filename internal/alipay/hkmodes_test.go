package alipay_test

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
)

func hkECKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	v := alipaytest.Load[alipaytest.HKKeys](t, "alipayhk/keys.json").Keys[name]
	key, err := alipay.ParseECPrivateKey(alipaytest.Armour(v.PKCS8PEM))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{v.SEC1PEM, v.PKCS8Base64} {
		if k, err := alipay.ParseECPrivateKey(alipaytest.Armour(text)); err != nil || !k.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{v.SPKIPEM, v.SPKIBase64} {
		if k, err := alipay.ParseECPublicKey(alipaytest.Armour(text)); err != nil || !k.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	return key
}

// eccSettings are the four readings of ECC224.
var eccSettings = map[string]alipay.ECCOptions{
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
		content := alipay.HKContent(c.Path, c.ClientID, c.Time, c.Body.Base64)
		if !bytes.Equal(content, c.Content.Base64) {
			t.Errorf("%s: content differs", c.ID)
		}
		key := &hkECKey(t, c.Key).PublicKey
		for name, o := range eccSettings {
			err := alipay.VerifyECC(o, key, c.Header, content)
			if want := name == c.Expect.Only.Hash+" "+c.Expect.Only.Format; (err == nil) != want {
				t.Errorf("%s under %s: %v, want verified %v", c.ID, name, err, want)
			}
		}
	}
	t.Logf("alipayhk/signed_ecc224.json: %d cases under %d settings", len(v.Cases), len(eccSettings))
}

// TestECC224Calls: a whole call in each reading, both ways.
func TestECC224Calls(t *testing.T) {
	ours, theirs := hkECKey(t, "merchant_ec_v1"), hkECKey(t, "platform_ec_v1")
	signer, err := alipay.NewSigner(ours)
	if err != nil {
		t.Fatal(err)
	}
	for name, ecc := range eccSettings {
		h := func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			content := alipay.HKContent(r.RequestURI, r.Header.Get("Client-Id"), r.Header.Get("Request-Time"), body)
			if err := alipay.VerifyECC(ecc, &ours.PublicKey, r.Header.Get("Signature"), content); err != nil || !strings.HasPrefix(r.Header.Get("Signature"), "algorithm=ECC224,") {
				t.Errorf("%s: request %q: %v", name, r.Header.Get("Signature"), err)
			}
			at := hkNow.Format(time.RFC3339)
			const answer = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`
			sig := alipay.SignECC(ecc, theirs, alipay.HKContent(r.RequestURI, hkClientID, at, []byte(answer)))
			w.Header().Set("Response-Time", at)
			w.Header().Set("Signature", alipay.FormatHKSignature("ecc224", "1", sig))
			answering(200, answer)(w, r)
		}
		app := hkApp(t, h, func(o *alipay.HKOptions) {
			o.Signer, o.ECC, o.PlatformECKeys = signer, ecc, map[string]*ecdsa.PublicKey{"1": &theirs.PublicKey}
		})
		if rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()); err != nil || !rep.Verified {
			t.Errorf("%s: %v", name, err)
		}
		if err := app.CheckSigner(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
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
			timeHeader := c.Headers["Request-Time"] + c.Headers["Response-Time"]
			content := alipay.HKContent(c.Path, c.Headers["Client-Id"], timeHeader, []byte(c.Body.Text))
			if got := fmt.Sprintf("%x", alipay.DigestOf("RSA2", content)); got != c.ContentSHA256 {
				t.Errorf("%s: content %s, want %s", c.ID, got, c.ContentSHA256)
			}
			keys := map[string]*rsa.PublicKey{"1": &hkKey(t, c.Signer).PublicKey}
			if err := alipay.VerifyHK(keys, c.Headers["Signature"], content); (err == nil) != (c.Expect == nil || c.Expect.Verified) {
				t.Errorf("%s: %v", c.ID, err)
			}
			plain, err := alipay.DecryptHK(hkKey(t, c.Recipient), c.Headers["Encrypt"], []byte(c.Body.Text))
			if (err == nil) != (c.Expect == nil || c.Expect.Decrypts) || !bytes.Equal(plain, c.Plaintext.Base64) {
				t.Errorf("%s: %q, %v (%s)", c.ID, plain, err, c.Why)
			}
		}
		for _, b := range v.Blocks {
			key, err := hex.DecodeString(b.Key)
			if err != nil {
				t.Fatal(err)
			}
			if got := alipay.EncryptECB(key, b.Plaintext); got != b.Ciphertext {
				t.Errorf("%s: %s, want %s", b.ID, got, b.Ciphertext)
			}
			if got, err := alipay.OpenECB(key, []byte(b.Ciphertext)); err != nil || !bytes.Equal(got, b.Plaintext) {
				t.Errorf("%s: %q, %v", b.ID, got, err)
			}
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
		{"to somebody else", "platform_rsa_v1", &platform.PublicKey, alipay.Untrusted},
		{"signed by a stranger", "stranger_rsa", &ours.PublicKey, alipay.Untrusted},
	} {
		h := func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			plain, err := alipay.DecryptHK(platform, r.Header.Get("Encrypt"), body)
			if want, _ := alipay.Content(alipaytest.HKOrderSync()); err != nil || !bytes.Equal(plain, want) || r.Header.Get("Content-Type") != "text/plain; charset=UTF-8" {
				t.Errorf("%s: the request is %q, %v", tt.name, plain, err)
			}
			answer, encrypt := alipay.EncryptHK(tt.to, []byte(`{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`))
			at := hkNow.Format(time.RFC3339)
			sig, _ := base64.StdEncoding.DecodeString(sign(t, hkKey(t, tt.signer), alipay.HKContent(r.RequestURI, hkClientID, at, answer)))
			w.Header().Set("Response-Time", at)
			w.Header().Set("Encrypt", encrypt)
			w.Header().Set("Signature", alipay.FormatHKSignature("RSA256", "1", sig))
			_, _ = w.Write(answer)
		}
		app := hkApp(t, h, func(o *alipay.HKOptions) {
			o.Encrypt = &alipay.HKEncryption{KeyVersion: "1", OurKeys: map[string]crypto.Decrypter{"1": ours}}
		})
		rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
		if alipay.ClassOf(err) != tt.want || rep.Verified != (err == nil) || (rep.HKOrderID == "1") != (err == nil) {
			t.Errorf("%s: %v, %+v", tt.name, err, rep)
		}
	}
}

// TestHKSettings: what the pages leave open is settable.
func TestHKSettings(t *testing.T) {
	request := func(change func(*alipay.HKOptions), r *alipay.HKOrderSync) (*http.Request, string) {
		seen := make(chan *http.Request, 1)
		var body []byte
		app := hkApp(t, func(w http.ResponseWriter, req *http.Request) {
			body, _ = io.ReadAll(req.Body)
			seen <- req
		}, change)
		_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), r)
		return <-seen, string(body)
	}
	for layout, want := range map[alipay.HKTimeLayout]string{
		alipay.HKTimeMillis: "2024-05-22T01:12:21.000+00:00", alipay.HKTimeCompact: "2024-05-22T01:12:21+0000",
		alipay.HKTimeEpoch: "1716340341000", "": "2024-05-22T01:12:21+00:00", time.RFC3339: "2024-05-22T01:12:21Z",
	} {
		req, _ := request(func(o *alipay.HKOptions) { o.TimeLayout, o.TimeZone = layout, time.UTC }, alipaytest.HKOrderSync())
		if got := req.Header.Get("Request-Time"); got != want {
			t.Errorf("layout %q: %s, want %s", layout, got, want)
		}
	}
	req, body := request(func(o *alipay.HKOptions) { o.SigningPath, o.Algorithm = "/v1/merchant/order/sync", "sha256withrsa" }, alipaytest.HKOrderSync())
	content := alipay.HKContent("/v1/merchant/order/sync", hkClientID, req.Header.Get("Request-Time"), []byte(body))
	header := req.Header.Get("Signature")
	keys := map[string]*rsa.PublicKey{"1": &hkKey(t, "merchant_rsa_v1").PublicKey}
	if err := alipay.VerifyHK(keys, header, content); err != nil || !strings.HasPrefix(header, "algorithm=sha256withrsa,") {
		t.Errorf("signing path and alias: %v in %s", err, header)
	}
	if _, body := request(func(o *alipay.HKOptions) { o.Seconds = true }, alipaytest.HKOrderSync()); !strings.Contains(body, `"orderModifyTime":1716340341,`) {
		t.Errorf("seconds: %s", body)
	}
	withID := alipaytest.HKOrderSync()
	withID.RequestID = "0123456789abcdef0123456789abcdef"
	if _, body := request(func(o *alipay.HKOptions) { o.DashedIDs = true }, withID); !strings.Contains(body, `"requestId":"01234567-89ab-cdef-0123-456789abcdef",`) {
		t.Errorf("dashed: %s", body)
	}
	for name, change := range map[string]func(*alipay.HKOptions){
		"a class that is none of a refusal": func(o *alipay.HKOptions) { o.Classes = map[string]alipay.Class{"X": alipay.Done} },
		"an algorithm with a comma":         func(o *alipay.HKOptions) { o.Algorithm = "RSA256,x=y" },
		"AES of 100 bits":                   func(o *alipay.HKOptions) { o.Encrypt = &alipay.HKEncryption{Bits: 100} },
		"a version to encrypt to": func(o *alipay.HKOptions) {
			o.Encrypt = &alipay.HKEncryption{KeyVersion: "9"}
		},
	} {
		o := alipay.HKOptions{URL: "https://x", ClientID: "1", Signer: alipay.NewRSASigner(ourKey()), PlatformKeys: map[string]*rsa.PublicKey{"1": &theirKey().PublicKey}}
		change(&o)
		if _, err := alipay.NewHK(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestHKAnswerSettings: what is believed of an answer, by setting.
func TestHKAnswerSettings(t *testing.T) {
	const success = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`
	const failed = `{"result":{"resultCode":"PROCESS_FAIL","resultStatus":"F"}}`
	const unknown = `{"result":{"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U"}}`
	otherVersion := func(o *alipay.HKOptions) {
		o.PlatformKeys = map[string]*rsa.PublicKey{"7": &hkKey(t, "platform_rsa_v1").PublicKey}
	}
	for _, tt := range []struct {
		name, body, signature string
		age                   time.Duration
		change                func(*alipay.HKOptions)
		want                  alipay.Class
	}{
		{"an hour old", success, "valid", time.Hour, func(o *alipay.HKOptions) { o.Skew = 2 * time.Hour }, alipay.Done},
		{"the age is not checked", success, "valid", 99 * time.Hour, func(o *alipay.HKOptions) { o.Skew = -1 }, alipay.Done},
		{"two minutes are too much", success, "valid", 2 * time.Minute, func(o *alipay.HKOptions) { o.Skew = time.Minute }, alipay.Untrusted},
		{"a version that is not configured", success, "valid", 0, otherVersion, alipay.Untrusted},
		{"any key", success, "valid", 0, func(o *alipay.HKOptions) { otherVersion(o); o.TryAllKeys = true }, alipay.Done},
		{"any key, but none fits", success, "invalid", 0, func(o *alipay.HKOptions) { otherVersion(o); o.TryAllKeys = true }, alipay.Untrusted},
		{"unsigned U is refused", unknown, "absent", 0, func(o *alipay.HKOptions) { o.RefuseUnsigned = true }, alipay.Untrusted},
		{"a class of our own", failed, "valid", 0, func(o *alipay.HKOptions) { o.Classes = map[string]alipay.Class{"PROCESS_FAIL": alipay.Transient} }, alipay.Transient},
		{"a class of our own for what is not believed", failed, "absent", 0, func(o *alipay.HKOptions) { o.Classes = map[string]alipay.Class{"PROCESS_FAIL": alipay.Rejected} }, alipay.Untrusted},
	} {
		_, err := hkApp(t, hkSigned(t, 200, tt.body, tt.signature, hkNow.Add(-tt.age)), tt.change).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
		if alipay.ClassOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
