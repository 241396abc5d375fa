package gateway_test

import (
	"bytes"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// lines counts the lines that were logged, and empties the log.
func lines(log *bytes.Buffer, text string) int {
	n := strings.Count(log.String(), text)
	log.Reset()
	return n
}

const (
	clockWrong = "our clock differs from the gateway's"
	clockRight = "our clock agrees with the gateway's again"
)

// The clock of this host is compared with the time in each answer: a line when it goes wrong, and one when it is right.
func TestClockIsWatched(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, now *time.Time, theirs *time.Time, log *slog.Logger) func(){
		"classic, by Date": func(t *testing.T, now, theirs *time.Time, log *slog.Logger) func() {
			app := openAPI(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
				answering(200, signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`))(w, r)
			}, func(o *gateway.OpenAPIOptions) { o.Now, o.Log = func() time.Time { return *now }, log })
			return func() { _, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query()) }
		},
		"AlipayHK, by its signed Response-Time": func(t *testing.T, now, theirs *time.Time, log *slog.Logger) func() {
			app := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", now.UTC().Format(http.TimeFormat)) // not signed
				hkSigned(t, 200, hkBody("U", "UNKNOWN_EXCEPTION", ""), "valid", *theirs)(w, r)
			}, func(o *gateway.HKOptions) { o.Now, o.Log = func() time.Time { return *now }, log })
			return func() { _, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()) }
		},
		"AlipayHK, by Date where nothing is signed": func(t *testing.T, now, theirs *time.Time, log *slog.Logger) func() {
			app := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
				hkSigned(t, 200, hkBody("F", "PARAM_ILLEGAL", ""), "absent", hkNow)(w, r)
			}, func(o *gateway.HKOptions) { o.Now, o.Log = func() time.Time { return *now }, log })
			return func() { _, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := hkNow
			theirs := now
			log := &bytes.Buffer{}
			ask := call(t, &now, &theirs, slog.New(slog.NewTextHandler(log, nil)))
			ask()
			theirs = now.Add(50 * time.Second)
			ask()
			if n := lines(log, "our clock"); n != 0 {
				t.Errorf("%d lines while the clock was right", n)
			}
			theirs = now.Add(-10 * time.Minute)
			for range 20 {
				ask()
			}
			if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, `clock_is="ahead of the gateway's" by=10m0s`) {
				t.Errorf("log: %s", text)
			}
			if n := lines(log, clockWrong); n != 1 {
				t.Errorf("%d lines when the clock went wrong, want 1", n)
			}
			now = now.Add(2 * time.Minute)
			theirs = now
			for range 20 {
				ask()
			}
			if n := lines(log, clockRight); n != 1 {
				t.Errorf("%d lines when it was right again, want 1", n)
			}
			for i := range 100 { // a proxy with a clock of its own
				now = now.Add(time.Second)
				theirs = now.Add(-time.Duration(i%2) * time.Hour)
				ask()
			}
			if n := lines(log, "our clock"); n > 3 {
				t.Errorf("%d lines in 100 s", n)
			}
		})
	}
}

// A minute is right, and so is a minute between two lines; a clock that goes back is no reason to be silent.
func TestBoundsOfTheClock(t *testing.T) {
	log := &bytes.Buffer{}
	now := hkNow
	theirs := now
	app := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
		hkSigned(t, 200, hkBody("F", "PARAM_ILLEGAL", ""), "valid", theirs)(w, r)
	}, func(o *gateway.HKOptions) {
		o.Now, o.Log = func() time.Time { return now }, slog.New(slog.NewTextHandler(log, nil))
	})
	ask := func() alipay.Class {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
		return alipay.ClassOf(err)
	}
	for _, off := range []time.Duration{time.Minute, -time.Minute} {
		if theirs = now.Add(off); ask() != alipay.Rejected || lines(log, "our clock") != 0 {
			t.Errorf("a clock that is %s off is to blame", off)
		}
		if theirs = now.Add(off * 61 / 60); ask() != alipay.Misconfigured || lines(log, clockWrong) != 1 {
			t.Errorf("a clock that is %s off is not to blame", off*61/60)
		}
		if now = now.Add(time.Minute - 1); ask() == alipay.Accepted || lines(log, "our clock") != 0 {
			t.Error("two lines within a minute")
		}
		now = now.Add(1)
		if theirs = now; ask() == alipay.Accepted || lines(log, clockRight) != 1 {
			t.Error("no line after exactly a minute")
		}
		now = now.Add(time.Minute)
	}
	now = now.Add(-time.Hour)
	if theirs = now.Add(10 * time.Minute); ask() != alipay.Misconfigured || lines(log, clockWrong) != 1 {
		t.Error("no line after our clock went back")
	}
}

// A Response-Time that AlipayHK did not sign says nothing of our clock.
func TestUnsignedTimeIsNoClock(t *testing.T) {
	log := &bytes.Buffer{}
	app := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", hkNow.UTC().Format(http.TimeFormat))
		hkSigned(t, 200, hkBody("S", "SUCCESS", "1"), "invalid", hkNow.Add(time.Hour))(w, r)
	}, func(o *gateway.HKOptions) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
	if n := lines(log, "our clock"); n != 0 {
		t.Errorf("%d lines", n)
	}
}

// The change to the next private key is logged with the fingerprint of its public half, and no breaker counts it.
func TestTheChangeOfOurKeyIsLogged(t *testing.T) {
	log := &bytes.Buffer{}
	later := newKey()
	g := &keyedGateway{t: t, key: &ourKey().PublicKey}
	app := openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) {
		o.NextSigner, o.Log = keys.NewRSASigner(later), slog.New(slog.NewTextHandler(log, nil))
	})
	fingerprints := func(first, second *rsa.PrivateKey) string {
		return "[" + keys.Fingerprint(&first.PublicKey) + " " + keys.Fingerprint(&second.PublicKey) + "]"
	}
	client := app.Client(alipay.Merchant{})
	if _, err := client.Do(t.Context(), alipaytest.Query()); err != nil || log.Len() > 0 {
		t.Fatalf("%v, log %s", err, log)
	}
	g.setKey(&later.PublicKey)
	_, err := client.Do(t.Context(), alipaytest.Query())
	if alipay.ClassOf(err) != alipay.Transient || alipay.HealthOf(err) != alipay.Healthy {
		t.Errorf("%v, health %v", err, alipay.HealthOf(err))
	}
	if n := strings.Count(log.String(), "the next private key is in use"); n != 1 || !strings.Contains(log.String(), fingerprints(later, ourKey())) {
		t.Errorf("log: %s", log)
	}
	if got := app.OwnKeys(); len(got) != 2 || got[0] != keys.Fingerprint(&later.PublicKey) {
		t.Errorf("own keys %v", got)
	}
	if _, err := client.Do(t.Context(), alipaytest.Query()); err != nil {
		t.Error(err)
	}
	if got := hkApp(t, silent).OwnKeys(); len(got) != 1 || !strings.HasPrefix(got[0], "sha256:") {
		t.Errorf("own keys of AlipayHK %v", got)
	}
}
