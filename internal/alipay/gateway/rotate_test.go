package gateway_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// keyedGateway accepts signatures of one key and refuses others, with the text it computed.
type keyedGateway struct {
	t    testing.TB
	mu   sync.Mutex
	key  *rsa.PublicKey
	text func(string) string // what it echoes instead of the right text
	bare bool                // refusals are not signed
}

func (g *keyedGateway) setKey(k *rsa.PublicKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.key = k
}

func (g *keyedGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	params := map[string]string{}
	for _, group := range []url.Values{r.URL.Query(), form} {
		for name := range group {
			params[name] = group.Get(name)
		}
	}
	sig := params["sign"]
	delete(params, "sign")
	text := canonical(params)
	if gateway.VerifyText(g.key, []byte(text), sig) {
		answering(200, signedAnswer(g.t, alipay.MethodTradeQuery, `{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`))(w, r)
		return
	}
	if g.text != nil {
		text = g.text(text)
	}
	node := fmt.Sprintf(`{"code":"40002","sub_code":"isv.invalid-signature","sub_msg":%q}`, "\u7f51\u5173\u751f\u6210: "+html.EscapeString(text))
	answer := signedAnswer(g.t, alipay.MethodTradeQuery, node)
	if g.bare {
		answer = `{"alipay_trade_query_response":` + node + `}`
	}
	answering(200, answer)(w, r)
}

// rotating is an app with a current and a next key at that gateway.
func rotating(t testing.TB, g *keyedGateway) *gateway.App {
	return openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) { o.NextSigner = keys.NewRSASigner(nextKey()) })
}

func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keyedGateway{t: t, key: &ourKey().PublicKey}
		c := rotating(t, g).Client(alipay.Merchant{})
		class := func() alipay.Class {
			_, err := c.Do(t.Context(), alipaytest.Query())
			return alipay.ClassOf(err)
		}
		if got := class(); got != alipay.Done {
			t.Fatal(got)
		}
		g.setKey(&nextKey().PublicKey)
		_, err := c.Do(t.Context(), alipaytest.Query())
		var e *alipay.Error
		if !errors.As(err, &e) || e.Class != alipay.Transient || !e.Alert {
			t.Fatalf("the first refusal: %v", err)
		}
		if got := class(); got != alipay.Done {
			t.Errorf("after the switch: %v", got)
		}
		// A second change within ten minutes needs a person.
		g.setKey(&ourKey().PublicKey)
		if got := class(); got != alipay.Misconfigured {
			t.Errorf("a second change at once: %v", got)
		}
		time.Sleep(11 * time.Minute)
		if got := class(); got != alipay.Transient {
			t.Errorf("a second change later: %v", got)
		}
		if got := class(); got != alipay.Done {
			t.Errorf("back: %v", got)
		}
	})
}

// TestEarlyRotationIsTakenBack: a refusal by mistake led to a key that Alipay does not know; the
// old one is tried again after ten minutes.
func TestEarlyRotationIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keyedGateway{t: t, key: &ourKey().PublicKey}
		c := rotating(t, g).Client(alipay.Merchant{})
		var got []alipay.Class
		do := func() {
			_, err := c.Do(t.Context(), alipaytest.Query())
			got = append(got, alipay.ClassOf(err))
		}
		do()
		g.setKey(&theirKey().PublicKey) // for one call
		do()
		g.setKey(&ourKey().PublicKey)
		do()
		time.Sleep(10 * time.Minute)
		do()
		do()
		want := []alipay.Class{alipay.Done, alipay.Transient, alipay.Misconfigured, alipay.Transient, alipay.Done}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestNoRotationWithoutReason: what does not prove that the key was changed changes no key.
func TestNoRotationWithoutReason(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before bool // a success came first
		gate   *keyedGateway
	}{
		{"never a success", false, &keyedGateway{}},
		{"the refusal is not signed", true, &keyedGateway{bare: true}},
		{"the texts differ", true, &keyedGateway{text: func(s string) string { return strings.Replace(s, "charset=utf-8", "charset=GBK", 1) }}},
		{"the texts differ from the first byte on", true, &keyedGateway{text: func(s string) string { return s[strings.Index(s, "&")+1:] }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.gate.t, tt.gate.key = t, &ourKey().PublicKey
			c := rotating(t, tt.gate).Client(alipay.Merchant{})
			if tt.before {
				if _, err := c.Do(t.Context(), alipaytest.Query()); err != nil {
					t.Fatal(err)
				}
			}
			tt.gate.setKey(&nextKey().PublicKey)
			for range 2 {
				if _, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Misconfigured {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestRotationUnderLoad: many calls in flight while Alipay changes over: every refused one may
// be repeated at once, and there is one alert.
func TestRotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keyedGateway{t: t, key: &ourKey().PublicKey}
		c := rotating(t, g).Client(alipay.Merchant{})
		if _, err := c.Do(t.Context(), alipaytest.Query()); err != nil {
			t.Fatal(err)
		}
		g.setKey(&nextKey().PublicKey)
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex
			alerts int
		)
		for range 50 {
			wg.Go(func() {
				for range 2 {
					_, err := c.Do(t.Context(), alipaytest.Query())
					if err == nil {
						return
					}
					var e *alipay.Error
					if !errors.As(err, &e) || e.Class != alipay.Transient {
						t.Errorf("%v", err)
						return
					}
					mu.Lock()
					if e.Alert {
						alerts++
					}
					mu.Unlock()
				}
				t.Error("refused twice")
			})
		}
		wg.Wait()
		if alerts != 1 {
			t.Errorf("%d alerts, want 1", alerts)
		}
	})
}

// TestKeysAreReplaced: new keys, ours and Alipay's, are used; another app's are refused.
func TestKeysAreReplaced(t *testing.T) {
	g := &keyedGateway{t: t, key: &nextKey().PublicKey}
	app := openAPI(t, g.ServeHTTP)
	for name, change := range map[string]func(*gateway.OpenAPIOptions){
		"app": func(o *gateway.OpenAPIOptions) { o.AppID = "2" }, "gateway": func(o *gateway.OpenAPIOptions) { o.URL = "http://other.test" },
	} {
		t.Run(name, func(t *testing.T) {
			if app.UseKeys(openAPI(t, silent, change)) == nil {
				t.Errorf("keys of another %s were accepted", name)
			}
		})
	}
	if app.UseKeys(hkApp(t, silent)) == nil || hkApp(t, silent).UseKeys(app) == nil {
		t.Error("keys of another kind were accepted")
	}
	call := func() alipay.Class {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		return alipay.ClassOf(err)
	}
	try := func(want alipay.Class, change func(*gateway.OpenAPIOptions)) {
		t.Helper()
		if err := app.UseKeys(openAPI(t, silent, change)); err != nil {
			t.Fatal(err)
		}
		if got := call(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	try(alipay.Done, func(o *gateway.OpenAPIOptions) { o.Signer = keys.NewRSASigner(nextKey()) })
	try(alipay.Untrusted, func(o *gateway.OpenAPIOptions) {
		o.Signer, o.AlipayKey = keys.NewRSASigner(nextKey()), &ourKey().PublicKey
	})
	try(alipay.Done, func(o *gateway.OpenAPIOptions) {
		o.Signer, o.AlipayKey, o.MoreKeys = keys.NewRSASigner(nextKey()), &ourKey().PublicKey, []gateway.AlipayKey{{Key: &theirKey().PublicKey}}
	})
}

// TestNewFilesDoNotUndoASwitch: Alipay has changed over to the next key; files that are read
// anew, the operator's old ones or cleaned up, leave it in use.
func TestNewFilesDoNotUndoASwitch(t *testing.T) {
	g := &keyedGateway{t: t, key: &ourKey().PublicKey}
	app := rotating(t, g)
	call := func() alipay.Class {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		return alipay.ClassOf(err)
	}
	call()
	g.setKey(&nextKey().PublicKey)
	if got := call(); got != alipay.Transient {
		t.Fatal(got)
	}
	for name, read := range map[string]*gateway.App{
		"as they were": rotating(t, g), "cleaned up": openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.Signer = keys.NewRSASigner(nextKey()) }),
	} {
		t.Run(name, func(t *testing.T) {
			if err := app.UseKeys(read); err != nil {
				t.Fatal(err)
			}
			if got := call(); got != alipay.Done {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestAlipayKeysEnd: an old key of Alipay's verifies until its end.
func TestAlipayKeysEnd(t *testing.T) {
	end := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]alipay.Class{end.Add(-time.Second): alipay.Done, end: alipay.Untrusted} {
		t.Run(at.String(), func(t *testing.T) {
			h := answering(200, signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`))
			app := openAPI(t, h, func(o *gateway.OpenAPIOptions) {
				o.AlipayKey, o.MoreKeys = &nextKey().PublicKey, []gateway.AlipayKey{{Key: &theirKey().PublicKey, Until: end}}
				o.Now = func() time.Time { return at }
			})
			if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != want {
				t.Errorf("at %v: %v, want %v", at, err, want)
			}
		})
	}
}

// remoteSigner is a signer of another's make.
type remoteSigner struct {
	key  *rsa.PrivateKey
	flip int // every so many signatures has a wrong bit
	n    int
	err  error
}

func (s *remoteSigner) Public() crypto.PublicKey { return &s.key.PublicKey }

func (s *remoteSigner) Sign(_ context.Context, digest []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	sig, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest)
	if s.n++; s.flip > 0 && s.n%s.flip == 0 {
		sig[17] ^= 4
	}
	return sig, err
}

// TestFaultySignaturesNeverLeave: one wrong signature gives an RSA key away.
func TestFaultySignaturesNeverLeave(t *testing.T) {
	g := &keyedGateway{t: t, key: &ourKey().PublicKey, text: func(s string) string { t.Error("a faulty signature was sent"); return s }}
	app := openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) { o.Signer = &remoteSigner{key: ourKey(), flip: 10} })
	faults := 0
	for range 100 {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		if err != nil {
			faults++
			if alipay.ClassOf(err) != alipay.Transient || !errors.Is(err, keys.ErrSigner) {
				t.Errorf("%v", err)
			}
		}
	}
	if faults != 10 {
		t.Errorf("%d faults of 10 were noticed", faults)
	}
	if err := app.CheckSigner(t.Context()); err != nil {
		t.Error(err)
	}
	down := openAPI(t, silent, func(o *gateway.OpenAPIOptions) {
		o.Signer = &remoteSigner{key: ourKey(), err: errors.New("no session")}
	})
	if err := down.CheckSigner(t.Context()); !errors.Is(err, keys.ErrSigner) {
		t.Errorf("CheckSigner: %v", err)
	}
	if _, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{URL: "https://x", AppID: "1", AlipayKey: &theirKey().PublicKey,
		Signer: struct{ keys.Signer }{keys.NewRSASigner(ourKey())}}); err == nil {
		t.Error("a remote signer that hides its public key was accepted")
	}
}
