package gateway_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// sealedRequest is a case of testdata/openapi/requests-*.json.
type sealedRequest struct {
	ID, Note, Method string
	Charset          alipay.Charset
	ClockUTC         time.Time         `json:"clock_utc"`
	SignType         alipay.SignType   `json:"sign_type"`
	PrivateKey       string            `json:"private_key"`
	Query            map[string]string `json:"query_params"`
	Body             map[string]string `json:"body_params"`
	SignString       string            `json:"sign_string"`
	SignStringSHA256 string            `json:"sign_string_sha256"`
	SignBytes        []byte            `json:"sign_bytes_b64"`
	Sign             string
	WrongSign        string `json:"wrong_sign_if_utf8_bytes_are_signed"`
	AESKey           string `json:"aes_key_base64"`
	Plaintext        string `json:"biz_content_plaintext"`
	PlaintextBytes   []byte `json:"biz_content_plaintext_bytes_b64"`
	Wire             struct {
		Query, Body string
		ContentType string `json:"content_type"`
	}
}

type signedRequests struct {
	About       string
	MadeWith    string `json:"made_with"`
	Cases       []sealedRequest
	Unencodable []struct {
		ID, Text, Expect, Note string
		Charset                alipay.Charset
	}
}

// options are those of a client that would send the request.
func (c sealedRequest) options(t *testing.T, keyVectors alipaytest.OpenAPIKeys) gateway.OpenAPIOptions {
	t.Helper()
	o := gateway.OpenAPIOptions{
		AppID: c.Query["app_id"], Signer: alipaytest.Signer(t, keyVectors, c.PrivateKey), Charset: c.Charset, SignType: c.SignType, AllowWeak: c.SignType == alipay.SignRSA,
		Now: func() time.Time { return c.within(t) },
	}
	if c.Query["app_cert_sn"] != "" {
		o.Certificates = alipaytest.Certificates(t)
	} else {
		o.AlipayKey = alipaytest.PublicKey(t, keyVectors, "alipay")
	}
	if c.AESKey != "" {
		var err error
		if o.AES, err = encryption.ParseAESKey([]byte(c.AESKey)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (c sealedRequest) within(t *testing.T) time.Time {
	at, err := time.ParseInLocation("2006-01-02 15:04:05", c.Query["timestamp"], time.FixedZone("", 8*60*60))
	if err != nil || !c.ClockUTC.IsZero() && !at.Equal(c.ClockUTC) {
		t.Errorf("timestamp %v, clock %v (%v)", at, c.ClockUTC, err)
	}
	return at
}

// opaque is a request whose content is given.
type opaque struct {
	alipay.Request
	method alipay.Method
}

func (o opaque) Method() alipay.Method { return o.method }

// TestSignatureEqualsOfficialSDK: text to sign and signature of every request of the vectors,
// byte for byte, and where the client has all of the row's parameters the whole request.
func TestSignatureEqualsOfficialSDK(t *testing.T) {
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	for _, file := range []string{"key-mode", "cert-mode", "aes", "gbk"} {
		v := alipaytest.Load[signedRequests](t, "openapi/requests-"+file+".json")
		whole := 0
		for _, c := range v.Cases {
			t.Run(c.ID, func(t *testing.T) { whole += c.run(t, keyVectors) })
		}
		t.Logf("openapi/requests-%s.json: %d signatures, %d whole requests", file, len(v.Cases), whole)
	}
}

func (c sealedRequest) run(t *testing.T, keyVectors alipaytest.OpenAPIKeys) int {
	params := maps.Clone(c.Query)
	maps.Copy(params, c.Body)
	delete(params, "sign")
	o := c.options(t, keyVectors)
	text, err := c.Charset.Encode([]byte(canonical(params)))
	if err != nil || canonical(params) != c.SignString {
		t.Errorf("text to sign is\n%s (%v)\nwant\n%s", text, err, c.SignString)
	}
	if c.SignBytes != nil && !bytes.Equal(text, c.SignBytes) {
		t.Errorf("bytes to sign are %q, want %q", text, c.SignBytes)
	}
	if got := fmt.Sprintf("%x", gateway.DigestOf("RSA2", text)); c.SignStringSHA256 != "" && got != c.SignStringSHA256 {
		t.Errorf("SHA-256 is %s, want %s", got, c.SignStringSHA256)
	}
	sig, err := o.Signer.Sign(t.Context(), gateway.DigestOf(c.SignType, text))
	if got := base64.StdEncoding.EncodeToString(sig); err != nil || got != c.Sign || got == c.WrongSign {
		t.Errorf("signature differs (%v)", err)
	}
	return c.seal(t, o, params)
}

// seal compares the whole request, and reports whether it could: SDKs send parameters that the
// client has no use for.
func (c sealedRequest) seal(t *testing.T, o gateway.OpenAPIOptions, params map[string]string) int {
	content := c.Body["biz_content"]
	if c.Plaintext != "" {
		content = c.Plaintext
	}
	m := alipay.Merchant{NotifyURL: params["notify_url"], AppAuthToken: params["app_auth_token"]}
	query, body, text, err := gateway.SealedParams(o, m, opaque{alipaytest.Query(), alipay.Method(c.Method)}, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	for name := range params {
		if !query.Has(name) && !body.Has(name) {
			return 0
		}
	}
	got := url.Values{}
	maps.Copy(got, query)
	maps.Copy(got, body)
	for name := range got {
		if want, ok := params[name]; name != "sign" && (!ok || string(c.Charset.Decode([]byte(got.Get(name)))) != want) {
			return 0
		}
	}
	if query.Get("sign") != c.Sign || c.SignBytes != nil && !bytes.Equal(text, c.SignBytes) {
		t.Errorf("the client signs %q", text)
	}
	return 1
}

// TestCharsetRefusesWhatItLacks: before anything is sent; Java would send a question mark.
func TestCharsetRefusesWhatItLacks(t *testing.T) {
	v := alipaytest.Load[signedRequests](t, "openapi/requests-gbk.json")
	for _, c := range v.Unencodable {
		t.Run(c.ID, func(t *testing.T) {
			if c.Expect != "refuse before sending" {
				t.Errorf("expectation %q is not known", c.Expect)
			}
			if b, err := c.Charset.Encode([]byte(c.Text)); err == nil {
				t.Errorf("%q became %x", c.Text, b)
			}
		})
	}
	for _, tt := range []struct {
		charset alipay.Charset
		text    string
		want    string // hexadecimal; empty: refused
	}{
		{alipay.CharsetGBK, "\u20ac", "a2e3"}, // as Java, where x/text writes 80
		{alipay.CharsetGBK, "\u9326", "e55c"},
		{alipay.CharsetGB2312, "\u6d4b\u8bd5", "b2e2cad4"},
		{alipay.CharsetGB2312, "\u9326", ""},
		{alipay.CharsetGB2312, "\u20ac", ""},
		{alipay.CharsetGB2312, "\u2170", ""}, // a small Roman numeral, in GBK only
		{alipay.CharsetGBK, "\u00a5", ""},
		{alipay.CharsetGBK, "\ue000", ""},
		{alipay.CharsetGBK, "\xff", ""},
		{alipay.CharsetUTF8, "\U0001f600", "f09f9880"},
	} {
		t.Run(fmt.Sprintf("%s %q", tt.charset, tt.text), func(t *testing.T) {
			b, err := tt.charset.Encode([]byte(tt.text))
			if fmt.Sprintf("%x", b) != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%s %q: %x, %v, want %s", tt.charset, tt.text, b, err, tt.want)
			}
		})
	}
	r := alipaytest.Create()
	r.Subject = "\U0001f600"
	app := openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.Charset = alipay.CharsetGBK })
	_, err := app.Client(alipay.Merchant{}).Do(t.Context(), r)
	var field *alipay.FieldError
	if alipay.ClassOf(err) != alipay.Rejected || !errors.As(err, &field) || field.Reason != "charset" {
		t.Errorf("the call: %v", err)
	}
	t.Logf("openapi/requests-gbk.json: %d texts refused", len(v.Unencodable))
}

// canonical is the text that is signed for these parameters.
func canonical(params map[string]string) string {
	var list []form.Param
	for name, value := range params {
		list = append(list, form.Param{Name: name, Value: value})
	}
	return string(form.Canonical(list))
}
