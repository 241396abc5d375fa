package gateway_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// sent is a request as the gateway got it.
type sent struct {
	query, body url.Values
	header      http.Header
	uri         string
}

// capture makes one call and returns what the gateway saw.
func capture(t *testing.T, m alipay.Merchant, r alipay.Request, change ...func(*gateway.OpenAPIOptions)) sent {
	t.Helper()
	seen := make(chan sent, 1)
	app := openAPI(t, func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		seen <- sent{query: req.URL.Query(), body: form, header: req.Header, uri: req.RequestURI}
	}, change...)
	_, _ = app.Client(m).Do(t.Context(), r)
	return <-seen
}

// verifyRequest checks a request's signature as the gateway does, apart from the code under test.
func verifyRequest(t *testing.T, s sent) {
	t.Helper()
	var pairs []string
	for _, group := range []url.Values{s.query, s.body} {
		for name, values := range group {
			if len(values) != 1 || values[0] == "" {
				t.Errorf("%s has values %q", name, values)
			}
			if name != "sign" {
				pairs = append(pairs, name+"="+values[0])
			}
		}
	}
	sort.Strings(pairs)
	digest := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	sig, err := base64.StdEncoding.DecodeString(s.query.Get("sign"))
	if err == nil {
		err = rsa.VerifyPKCS1v15(&ourKey().PublicKey, crypto.SHA256, digest[:], sig)
	}
	if err != nil {
		t.Errorf("signature of %q: %v", pairs, err)
	}
}

// TestRequestOnTheWire: public parameters and sign in the query, content and token in the
// body, nothing in both, nothing empty, no trace header, one spelling of the charset.
func TestRequestOnTheWire(t *testing.T) {
	m := alipay.Merchant{AppAuthToken: "201510BBtoken", NotifyURL: "https://merchant.example/notify"}
	for _, r := range alipaytest.Classic() {
		s := capture(t, m, r)
		verifyRequest(t, s)
		want := []string{"app_id", "charset", "format", "method", "sign", "sign_type", "timestamp", "version"}
		if r.Method() == alipay.MethodTradeCreate {
			want = append(want, "notify_url")
		}
		slices.Sort(want)
		if got := names(s.query); !slices.Equal(got, want) {
			t.Errorf("%s: query has %v, want %v", r.Method(), got, want)
		}
		if got := names(s.body); !slices.Equal(got, []string{"app_auth_token", "biz_content"}) {
			t.Errorf("%s: body has %v", r.Method(), got)
		}
		if strings.Contains(s.uri, m.AppAuthToken) {
			t.Error("the token is in the URL")
		}
		content, _ := alipay.Content(r)
		if got := s.body.Get("biz_content"); got != string(content) {
			t.Errorf("biz_content = %s, want %s", got, content)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/x-www-form-urlencoded;charset=utf-8", "Accept-Encoding": "identity",
			"Traceparent": "", "Tracestate": "", "Baggage": "", "Cookie": "",
		} {
			if got := s.header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		for name, want := range map[string]string{
			"charset": "utf-8", "sign_type": "RSA2", "version": "1.0", "format": "JSON", "method": string(r.Method()),
		} {
			if got := s.query.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	}
}

func names(v url.Values) []string {
	var list []string
	for name := range v {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// TestAwkwardCharactersAreSignedRaw: the signature covers the values, not their coding.
func TestAwkwardCharactersAreSignedRaw(t *testing.T) {
	r := alipaytest.Create()
	r.Subject, r.Body = "a+b c%d \"q\" \\ \u00e9 \U0001f600 <>'", "line1\nline2\ttab &amp; %2B"
	verifyRequest(t, capture(t, alipay.Merchant{}, r))
}

// TestTimestampIsBeijing: in every zone of the machine (public parameter "timestamp").
func TestTimestampIsBeijing(t *testing.T) {
	at := time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC)
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", -5*60*60)} {
		s := capture(t, alipay.Merchant{}, alipaytest.Query(), func(o *gateway.OpenAPIOptions) {
			o.Now = func() time.Time { return at.In(zone) }
		})
		if got := s.query.Get("timestamp"); got != "2026-01-01 00:00:00" {
			t.Errorf("timestamp = %q", got)
		}
	}
}

// TestRepeatsHaveTheSameContent: attempts differ in time and signature alone.
func TestRepeatsHaveTheSameContent(t *testing.T) {
	var contents, stamps []string
	now := time.Unix(1_800_000_000, 0)
	app := openAPI(t, func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		contents = append(contents, string(body))
		stamps = append(stamps, req.URL.Query().Get("timestamp"))
	}, func(o *gateway.OpenAPIOptions) {
		o.Now = func() time.Time { now = now.Add(time.Second); return now }
	})
	c := app.Client(alipay.Merchant{})
	r := alipaytest.FullCreate()
	for range 3 {
		_, _ = c.Do(t.Context(), r)
	}
	if contents[0] != contents[1] || contents[1] != contents[2] || stamps[0] == stamps[1] {
		t.Errorf("contents %q, stamps %q", contents, stamps)
	}
}

// TestWhatCannotBeSentIsNotSent: local refusals make no request.
func TestWhatCannotBeSentIsNotSent(t *testing.T) {
	app := openAPI(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	hk := hkApp(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	bad := alipaytest.Create()
	bad.Subject = ""
	for _, tt := range []struct {
		name string
		c    *gateway.Client
		r    alipay.Request
		want alipay.Class
	}{
		{"not valid", app.Client(alipay.Merchant{}), bad, alipay.Rejected},
		{"wrong gateway", app.Client(alipay.Merchant{}), alipaytest.HKOrderSync(), alipay.Misconfigured},
		{"wrong gateway", hk.Client(alipay.Merchant{}), alipaytest.Query(), alipay.Misconfigured},
		{"notify_url without host", app.Client(alipay.Merchant{NotifyURL: "/notify"}), alipaytest.Create(), alipay.Misconfigured},
		{"token of 41", app.Client(alipay.Merchant{AppAuthToken: strings.Repeat("x", 41)}), alipaytest.Create(), alipay.Misconfigured},
		{"line end in the agent token", hk.Client(alipay.Merchant{AgentToken: "a\r\nX: y"}), alipaytest.HKOrderSync(), alipay.Misconfigured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.c.Do(t.Context(), tt.r); alipay.ClassOf(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// TestOptionsAreChecked: what NewOpenAPI and NewHK refuse at start.
func TestOptionsAreChecked(t *testing.T) {
	signer := keys.NewRSASigner(ourKey())
	weak, err := keys.ParsePublic([]byte(alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json").Keys["alipay1024"].SPKIBase64))
	if err != nil {
		t.Fatal(err)
	}
	good := gateway.OpenAPIOptions{URL: "https://openapi.alipay.com/gateway.do", AppID: "1", Signer: signer, AlipayKey: &theirKey().PublicKey}
	for name, change := range map[string]func(o *gateway.OpenAPIOptions){
		"no URL":         func(o *gateway.OpenAPIOptions) { o.URL = "" },
		"a path":         func(o *gateway.OpenAPIOptions) { o.URL = "/gateway.do" },
		"another scheme": func(o *gateway.OpenAPIOptions) { o.URL = "ftp://x/" },
		"a query":        func(o *gateway.OpenAPIOptions) { o.URL = "https://x/?a=b" },
		"a user":         func(o *gateway.OpenAPIOptions) { o.URL = "https://u:p@x/" },
		"no app id":      func(o *gateway.OpenAPIOptions) { o.AppID = "" },
		"no signer":      func(o *gateway.OpenAPIOptions) { o.Signer = nil },
		"a signer of an elliptic curve": func(o *gateway.OpenAPIOptions) {
			key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if o.Signer, err = keys.NewSigner(key); err != nil {
				t.Fatal(err)
			}
		},
		"no Alipay key":       func(o *gateway.OpenAPIOptions) { o.AlipayKey = nil },
		"a short Alipay key":  func(o *gateway.OpenAPIOptions) { o.AlipayKey = weak },
		"our own public half": func(o *gateway.OpenAPIOptions) { o.AlipayKey = &ourKey().PublicKey },
		"a long app id":       func(o *gateway.OpenAPIOptions) { o.AppID = strings.Repeat("1", 33) },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			if _, err := gateway.NewOpenAPI(o); err == nil {
				t.Error("accepted")
			} else if strings.Contains(err.Error(), "u:p") {
				t.Errorf("%v shows the password", err)
			}
		})
	}
	good.AppID = strings.Repeat("1", 32)
	for address, want := range map[string]string{
		"https://a.test": "https://a.test/gateway.do", "https://a.test/": "https://a.test/gateway.do", "https://a.test/other": "https://a.test/other",
	} {
		good.URL = address
		app, err := gateway.NewOpenAPI(good)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := app.Client(alipay.Merchant{}).Preview(t.Context(), alipaytest.Query()); err != nil || p.URL != want {
			t.Errorf("%s is called at %s, %v", address, p.URL, err)
		}
	}
	if _, err := gateway.NewHK(gateway.HKOptions{URL: "https://open.alipay.hk", ClientID: "1", Signer: signer,
		PlatformKeys: map[string]*rsa.PublicKey{"1": &ourKey().PublicKey}}); err == nil {
		t.Error("HK: our own public half was accepted")
	}
}
