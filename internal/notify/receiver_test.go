package notify_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/order"
)

// notificationVectors are what this package needs of testdata/openapi/notifications.json.
type notificationVectors struct {
	Context struct {
		AppID        string   `json:"app_id"`
		SellerIDs    []string `json:"seller_ids"`
		SellerEmails []string `json:"seller_emails"`
	}
	Cases []struct {
		ID      string
		Request struct {
			ContentType string `json:"content_type"`
			Body        []byte `json:"body_b64"`
		}
		VerifyWith string `json:"verify_with"`
		Expect     struct {
			Verdict string
			Reply   string `json:"reply_body"`
			Decoded map[string]string
		}
	}
}

// TestVectors: each notification of the vectors is answered and published as they say.
func TestVectors(t *testing.T) {
	v := vectors[notificationVectors](t, "notifications.json")
	keys := vectors[alipaytest.OpenAPIKeys](t, "keys.json")
	words := map[string][]notify.Verdict{
		"accept": {notify.Accepted}, "duplicate": {notify.Accepted}, "judged_later": {notify.Accepted}, "other_type": {notify.OtherType},
		"reject": {notify.Forged, notify.Unreadable}, "reject_business": {notify.NotOurs},
	}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			key := alipaytest.PublicKey(t, keys, c.VerifyWith)
			synctest.Test(t, func(t *testing.T) {
				w := start(t, func(o *notify.Options) {
					o.Now = func() time.Time { return time.Date(2026, 1, 1, 2, 5, 0, 0, time.UTC) }
				})
				w.receiver.UseAccounts(shop(func(o *gateway.VerifierOptions, a *notify.Account) {
					*o = gateway.VerifierOptions{AppID: v.Context.AppID, AlipayKey: key, SellerIDs: v.Context.SellerIDs, SellerEmails: v.Context.SellerEmails}
					if c.VerifyWith == "alipay1024" { // the vectors' receiver for sign_type RSA
						o.SignType, o.AllowWeak = alipay.SignRSA, true
					}
				}))
				_, answer := w.post("/notify/shop", c.Request.Body, "Content-Type", c.Request.ContentType)
				if answer != c.Expect.Reply {
					t.Errorf("answered %q, want %q", answer, c.Expect.Reply)
				}
				got, fits := w.last(), false
				for _, word := range words[c.Expect.Verdict] {
					fits = fits || got == word
				}
				if !fits {
					t.Errorf("%s, want one of %v", got, words[c.Expect.Verdict])
				}
				all := w.published(notifications)
				if seen := w.published(observations); len(all) != len(seen) || (len(all) == 1) != (got == notify.Accepted) {
					t.Fatalf("%d notifications and %d observations", len(all), len(seen))
				}
				for _, r := range all {
					record, want := w.decoded(r), c.Expect.Decoded
					if record["notify_id"] != want["notify_id"] || record["trade_status"] != want["trade_status"] || record["subject"] != want["subject"] || record["order_no"] != want["out_trade_no"] || record["late"] != false {
						t.Errorf("published %v", record)
					}
				}
			})
		})
	}
}

// TestPublished: both records of a notification say what it says, have the key of the order, and hold no signature and
// nothing of the buyer's.
func TestPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.receiver.UseAccounts(shop(func(o *gateway.VerifierOptions, a *notify.Account) { o.AuthAppID = "9" }))
		body := signed(alipaysKey(), params("ORD_1", func(p map[string]string) { p["auth_app_id"] = "9" }))
		if status, answer := w.post("/notify/shop", body, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"); status != http.StatusOK || answer != "success" {
			t.Fatalf("%d %s", status, answer)
		}
		all, seen := w.published(notifications), w.published(observations)
		if len(all) != 1 || len(seen) != 1 {
			t.Fatalf("%d notifications, %d observations", len(all), len(seen))
		}
		for _, r := range append(all, seen...) {
			if string(r.Key) != "shop/ORD_1" {
				t.Errorf("%s has the key %s", r.Topic, r.Key)
			}
			for _, secret := range append(personal(), "sign=", string(body[bytes.Index(body, []byte("sign=")):])) {
				if bytes.Contains(r.Value, []byte(secret)) {
					t.Errorf("%s holds %s", r.Topic, secret)
				}
			}
			for _, h := range r.Headers {
				if strings.Contains(string(h.Value), "4bf92f3577b34da6a3ce929d0e0e4736") {
					t.Errorf("%s continues the sender's trace: %s %s", r.Topic, h.Key, h.Value)
				}
			}
		}
		record := w.decoded(all[0])
		kept, _ := record["params"].(map[string]any)
		if kept["total_amount"] != "88.88" || kept["fund_bill_list"] != `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT"}]` || kept["voucher_detail_list"] != `[{"name":"masked","amount":"masked"}]` || kept["sign"] != nil {
			t.Errorf("params = %v", kept)
		}
		o := w.observation(seen[0])
		want := order.Observation{
			Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "ORD_1", TradeNo: "t-ORD_1", Kind: order.ObservedInNotification,
			CauseID: "n-ORD_1", AlipayStatus: "TRADE_SUCCESS", Total: cny(8888), Paid: cny(8888), Refunded: cny(100), SellerID: seller,
		}
		paid := time.Date(2026, 1, 1, 2, 0, 5, 0, time.UTC)
		if o.PaidAt == nil || !o.PaidAt.Equal(paid) || o.ObservedAt.IsZero() {
			t.Errorf("paid at %v, observed at %v", o.PaidAt, o.ObservedAt)
		}
		o.PaidAt, o.ObservedAt = nil, time.Time{}
		if !reflect.DeepEqual(o, want) {
			t.Errorf("observed %+v", o)
		}
	})
}

func cny(minor int64) *alipay.Money { return &alipay.Money{Minor: minor, Currency: "CNY"} }

// personal are the values of a buyer in each notification of a test.
func personal() []string {
	return []string{buyer, "canary.login", "canaryPassback", "canaryStreet", "canaryVoucher"}
}

// TestN5_Late: an old notification is answered and published, marked.
func TestN5_Late(t *testing.T) {
	for name, tt := range map[string]struct {
		sent string
		want notify.Verdict
	}{
		"26 h old": {"-26h", notify.Accepted}, "older": {"-26h1s", notify.Late}, "15 min ahead": {"15m", notify.Accepted}, "more": {"15m1s", notify.Late}, "no time": {"", notify.Late},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				body := signed(alipaysKey(), params("ORD_1", func(p map[string]string) {
					if tt.sent == "" {
						delete(p, "notify_time")
						return
					}
					p["notify_time"] = time.Now().Add(must(time.ParseDuration(tt.sent))).In(time.FixedZone("", 8*60*60)).Format(time.DateTime)
				}))
				if _, answer := w.post("/notify/shop", body); answer != "success" || w.last() != tt.want {
					t.Errorf("%s, %s; want %s", answer, w.last(), tt.want)
				}
				if late := tt.want == notify.Late; w.decoded(w.published(notifications)[0])["late"] != late || w.observation(w.published(observations)[0]).Late != late {
					t.Errorf("both records should have late = %v", late)
				}
			})
		})
	}
}

// TestRefused: what is not genuine, not ours, or not for a path that exists is answered with fail and not published.
func TestRefused(t *testing.T) {
	stranger := must(rsa.GenerateKey(rand.Reader, 2048))
	of := func(change func(map[string]string)) []byte { return signed(alipaysKey(), params("ORD_1", change)) }
	for name, tt := range map[string]struct {
		path   string
		body   []byte
		header []string
		want   notify.Verdict
	}{
		"another key":              {"/notify/shop", signed(stranger, params("ORD_1", nil)), nil, notify.Forged},
		"another app":              {"/notify/shop", of(func(p map[string]string) { p["app_id"] = "2" }), nil, notify.NotOurs},
		"another seller":           {"/notify/shop", of(func(p map[string]string) { p["seller_id"] = "2088000000000000" }), nil, notify.NotOurs},
		"no seller":                {"/notify/shop", of(func(p map[string]string) { delete(p, "seller_id") }), nil, notify.NotOurs},
		"no order":                 {"/notify/shop", of(func(p map[string]string) { delete(p, "out_trade_no") }), nil, notify.Unreadable},
		"no form":                  {"/notify/shop", []byte("%zz"), nil, notify.Unreadable},
		"101 parameters":           {"/notify/shop", append(genuine("ORD_1"), strings.Repeat("&x=1", 100)...), nil, notify.Unreadable},
		"one byte too many":        {"/notify/shop", bytes.Repeat([]byte("x"), 64<<10+1), nil, notify.TooLarge},
		"1 MB":                     {"/notify/shop", bytes.Repeat([]byte("x"), 1<<20), nil, notify.TooLarge},
		"encoded":                  {"/notify/shop", genuine("ORD_1"), []string{"Content-Encoding", "gzip"}, notify.Encoded},
		"another account":          {"/notify/shop2", genuine("ORD_1"), nil, notify.UnknownPath},
		"a path behind":            {"/notify/shop/x", genuine("ORD_1"), nil, notify.UnknownPath},
		"no account":               {"/notify/", genuine("ORD_1"), nil, notify.UnknownPath},
		"the name alone":           {"/shop", genuine("ORD_1"), nil, notify.UnknownPath},
		"the path of another port": {"/metrics", nil, nil, notify.UnknownPath},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				if status, answer := w.post(tt.path, tt.body, tt.header...); answer != "fail" || status == http.StatusOK || w.last() != tt.want {
					t.Errorf("%d %s, %s; want %s", status, answer, w.last(), tt.want)
				}
				if n := len(w.published(notifications)) + len(w.published(observations)); n > 0 {
					t.Errorf("%d records", n)
				}
			})
		})
	}
}

// TestN7_OneAnswerForAllUnknown: the answer does not say whether an account exists.
func TestN7_OneAnswerForAllUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.receiver.UseAccounts(shop(func(_ *gateway.VerifierOptions, a *notify.Account) {
			a.Tokens = []string{"00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"}
		}))
		answers := map[string]bool{}
		for _, path := range []string{"/", "/notify/none", "/notify/shop", "/notify/shop/", "/notify/shop/00112233445566778899aabbccddeef0", "/notify/shop/00112233445566778899aabbccddeeff/x", "/../notify/none"} {
			req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, "http://notify.example"+path, bytes.NewReader(genuine("ORD_1"))))
			resp := must(w.client.Do(req))
			body := must(io.ReadAll(resp.Body))
			resp.Body.Close()
			resp.Header.Del("Date")
			answers[fmt.Sprint(resp.StatusCode, resp.Header, string(body))] = true
		}
		if len(answers) != 1 {
			t.Errorf("answers differ: %v", answers)
		}
		for _, token := range []string{"00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"} {
			if _, answer := w.post("/notify/shop/"+token, genuine("ORD_1")); answer != "success" {
				t.Errorf("%s is a token, answered %s", token, answer)
			}
		}
	})
}

// TestN8_BeforeTheBody: a wrong path, and a body that is announced as too large, are answered before the body is read.
func TestN8_BeforeTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for head, want := range map[string]string{"none HTTP/1.1\r\nContent-Length: 100": "404", "shop HTTP/1.1\r\nContent-Length: 65537": "413"} {
			if got := w.raw("POST /notify/" + head + "\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+want+" ") || !strings.HasSuffix(got, "fail") {
				t.Errorf("%q", got)
			}
		}
	})
}

// TestN7_RefusedConnectionsEnd: who sends what is refused has to connect again; a body without an announced length is
// bounded, too.
func TestN7_RefusedConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for text, want := range map[string]notify.Verdict{
			"Content-Length: 3\r\n\r\na=b": notify.Forged,
			"Transfer-Encoding: chunked\r\n\r\n10001\r\n" + strings.Repeat("x", 64<<10+1) + "\r\n0\r\n\r\n": notify.TooLarge,
		} {
			began := time.Now()
			if got := w.raw("POST /notify/shop HTTP/1.1\r\nHost: h\r\n" + text); !strings.HasSuffix(got, "fail") || w.last() != want || time.Since(began) != 0 {
				t.Errorf("%s after %v: %q", w.last(), time.Since(began), got)
			}
		}
	})
}

// raw sends text on a new connection and returns all that comes back until it is closed.
func (w *world) raw(text string) string {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }()
	got, _ := io.ReadAll(c)
	return string(got)
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	return must(w.network.DialContext(context.Background(), "tcp", address))
}

// TestN7_NotHTTP11: other methods and protocols are refused.
func TestN7_NotHTTP11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for name, tt := range map[string]struct{ text, want string }{
			"GET":              {"GET /notify/shop HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
			"OPTIONS":          {"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "},
			"HTTP/2":           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 405 "},
			"an upgrade":       {"POST /notify/none HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "HTTP/1.1 404 "},
			"a header too big": {"POST /notify/shop HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		} {
			if got := w.raw(tt.text); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s: %.60q, want %s", name, got, tt.want)
			}
		}
	})
}

// TestN7_SlowSenders: each kind of slow sender has an end.
func TestN7_SlowSenders(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		most time.Duration
	}{
		"nothing at all":     {"", 5 * time.Second},
		"half a header":      {"POST /notify/shop HTTP/1.1\r\nHost:", 5 * time.Second},
		"no body":            {"POST /notify/shop HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", 10 * time.Second},
		"a body in dribbles": {"POST /notify/shop HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nap\r\n", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				began := time.Now()
				if got := w.raw(tt.text); strings.Contains(got, "success") {
					t.Errorf("%q", got)
				}
				if took := time.Since(began); took > tt.most || took == 0 {
					t.Errorf("the connection was kept for %v", took)
				}
				synctest.Wait()
				if n := w.receiver.Connections(); n != 0 {
					t.Errorf("%d connections are open", n)
				}
			})
		})
	}
}

// TestN7_IdleConnection: a connection serves several requests, and ends when none follows.
func TestN7_IdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		c := w.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		for i := range 3 {
			body := genuine(fmt.Sprint("ORD_", i))
			go func() {
				fmt.Fprintf(c, "POST /notify/shop HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}()
			resp := must(http.ReadResponse(r, nil))
			if answer := string(must(io.ReadAll(resp.Body))); answer != "success" {
				t.Fatal(answer)
			}
		}
		began := time.Now()
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestN7_Connections: connections are bounded in all and by sender, except those of proxies, and give their places back.
func TestN7_Connections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *notify.Options) {
			o.MaxConnections, o.MaxPerAddress = 6, 2
			o.Proxies.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		open := func(from string, n int) (held []net.Conn) {
			w.connectFrom(from)
			for range n {
				held = append(held, w.dial())
			}
			synctest.Wait()
			return held
		}
		count := func(when string, want int, refused string) {
			t.Helper()
			if n := w.receiver.Connections(); n != want {
				t.Errorf("%s: %d connections, want %d", when, n, want)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := strings.Join(w.refused, " "); got != refused {
				t.Errorf("%s: refused %q, want %q", when, got, refused)
			}
			w.refused = nil
		}
		first := open("192.0.2.1:1", 3)
		count("three of one sender", 2, "address")
		open("[2001:db8::1]:1", 2)
		open("[2001:db8::ffff:2]:1", 1)
		count("three of one network", 4, "address")
		open("10.1.2.3:1", 4)
		count("four of a proxy", 6, "all all")
		_ = first[0].Close()
		synctest.Wait()
		open("192.0.2.1:1", 1)
		count("one ended, one began", 6, "")
	})
}

// TestN7_RequestsBehindAProxy: the requests of one sender are bounded, whatever he writes into the header.
func TestN7_RequestsBehindAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *notify.Options) {
			o.MaxPerAddress = 2
			o.Proxies = notify.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Header: "X-Forwarded-For"}
		})
		w.connectFrom("10.0.0.1:1")
		slow := func(hops string) {
			c := w.dial()
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				_, _ = io.WriteString(c, "POST /notify/shop HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: "+hops+"\r\nContent-Length: 100\r\n\r\nx")
			}()
			synctest.Wait()
		}
		slow("198.51.100.1, 192.0.2.7")
		slow("198.51.100.2, 192.0.2.7:4711, 10.0.0.2")
		for hops, want := range map[string]string{
			"192.0.2.8": "success", "203.0.113.9, 192.0.2.7": "fail", "192.0.2.8, 192.0.2.7, 10.9.9.9": "fail", "192.0.2.7, 192.0.2.9": "success", "192.0.2.7, junk": "success",
		} {
			if _, answer := w.post("/notify/shop", genuine("ORD_1"), "X-Forwarded-For", hops); answer != want {
				t.Errorf("%s: %s (%s)", hops, answer, w.last())
			}
		}
		w.connectFrom("192.0.2.9:1") // no proxy: its header says nothing
		if _, answer := w.post("/notify/shop", genuine("ORD_1"), "X-Forwarded-For", "192.0.2.7"); answer != "success" {
			t.Errorf("%s (%s)", answer, w.last())
		}
	})
}

// TestW9_NotDurableIsNotSuccess: where one record is refused, or the brokers are gone, the answer is not success; Alipay's
// repeat is taken once they are back.
func TestW9_NotDurableIsNotSuccess(t *testing.T) {
	refuse := func(topic string, err *kerr.Error) func(w *world) {
		return func(w *world) {
			w.faults = w.kafka.Kafka().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: -1})
		}
	}
	for name, tt := range map[string]struct {
		fault func(w *world)
		most  time.Duration
	}{
		"notifications are not allowed":  {refuse(notifications, kerr.TopicAuthorizationFailed), 8 * time.Second},
		"observations are not allowed":   {refuse(observations, kerr.TopicAuthorizationFailed), 8 * time.Second},
		"too few replicas":               {refuse(observations, kerr.NotEnoughReplicas), 8 * time.Second},
		"the record is refused":          {refuse(notifications, kerr.InvalidRecord), 8 * time.Second},
		"no broker answers":              {func(w *world) { w.brokers(silent) }, 8 * time.Second},
		"connections to brokers are cut": {func(w *world) { w.brokers(gone) }, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				if _, answer := w.post("/notify/shop", genuine("ORD_0")); answer != "success" {
					t.Fatal(answer)
				}
				tt.fault(w)
				for i := range 3 {
					began := time.Now()
					status, answer := w.post("/notify/shop", genuine(fmt.Sprint("ORD_", i)))
					if answer != "fail" || status != http.StatusServiceUnavailable || w.last() != notify.NotDurable {
						t.Fatalf("%d %s, %s", status, answer, w.last())
					}
					if took := time.Since(began); took > tt.most {
						t.Errorf("answered after %v", took)
					}
				}
				w.brokers(well)
				answer := ""
				for range 20 { // as Alipay repeats
					if _, answer = w.post("/notify/shop", genuine("ORD_1")); answer == "success" {
						break
					}
					time.Sleep(4 * time.Minute)
				}
				if answer != "success" {
					t.Fatalf("not taken after the brokers are back: %s\n%s", w.last(), w.log.String())
				}
				for _, topic := range []string{notifications, observations} {
					found := false
					for _, r := range w.published(topic) {
						found = found || string(r.Key) == "shop/ORD_1"
					}
					if !found {
						t.Errorf("%s does not hold what was answered with success", topic)
					}
				}
				if n := strings.Count(w.log.String(), "notifications cannot be made durable"); n != 1 {
					t.Errorf("%d lines say it:\n%s", n, w.log.String())
				}
			})
		})
	}
}

// TestPanic: a panic is answered with fail, and the next notification is taken.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		w := start(t, func(o *notify.Options) {
			o.Now = func() time.Time {
				if broken {
					panic("canaryPanic " + buyer)
				}
				return time.Now()
			}
		})
		for range 300 { // more than may wait: it gives its place back
			if status, answer := w.post("/notify/shop", genuine("ORD_1")); answer != "fail" || status != http.StatusInternalServerError || w.last() != notify.Panicked {
				t.Fatalf("%d %s, %s", status, answer, w.last())
			}
		}
		broken = false
		if _, answer := w.post("/notify/shop", genuine("ORD_1")); answer != "success" {
			t.Error(answer)
		}
		if text := w.log.String(); strings.Contains(text, "canaryPanic") || !strings.Contains(text, "made the receiver panic") {
			t.Errorf("the log says %.2000s", text)
		}
	})
}

// TestN2_Busy: what cannot be verified in time is refused, and nothing waits for longer than two seconds.
func TestN2_Busy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := start(t, func(o *notify.Options) {
			o.MaxConnections, o.MaxPerAddress = 1000, 1000
			o.Now = func() time.Time { <-release; return time.Now() }
		})
		answers := make(chan string, 400)
		began := time.Now()
		body := genuine("ORD_1")
		for range cap(answers) {
			go func() {
				_, answer := w.post("/notify/shop", body)
				answers <- answer
			}()
		}
		synctest.Wait()
		if n := len(answers); n == 0 || n > 400-256 {
			t.Errorf("%d were refused at once, of 400 with 256 places", n)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		waited := len(answers)
		close(release)
		for range cap(answers) {
			<-answers
		}
		if waited < 400-64 || time.Since(began) > 4*time.Second {
			t.Errorf("%d were answered within three seconds", waited)
		}
	})
}

// TestStop: what runs is finished, what comes later is not taken.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *notify.Options) {
			o.Now = func() time.Time { time.Sleep(3 * time.Second); return time.Now() }
		})
		answered := make(chan string, 1)
		go func() {
			_, answer := w.post("/notify/shop", genuine("ORD_1"))
			answered <- answer
		}()
		time.Sleep(time.Second)
		w.stop()
		synctest.Wait()
		if _, err := w.network.DialContext(t.Context(), "tcp", address); err == nil {
			t.Error("a connection is accepted while it stops")
		}
		if answer := <-answered; answer != "success" {
			t.Errorf("what ran was answered with %s", answer)
		}
		if err := <-w.served; err != nil {
			t.Error(err)
		}
		w.served <- nil
	})
}

// TestStopIsBounded: a sender that does not finish holds the stop up for the grace alone.
func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *notify.Options) { o.Grace = time.Second })
		c := w.dial()
		defer c.Close()
		go func() {
			_, _ = io.WriteString(c, "POST /notify/shop HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx")
		}()
		synctest.Wait()
		began := time.Now()
		w.stop()
		w.served <- <-w.served
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestN10_Leaks: no line of the log holds a signature or a value of the buyer's, at any level, whatever happens.
func TestN10_Leaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		body := genuine("ORD_1")
		sign := string(body[bytes.Index(body, []byte("&sign="))+6:][:40])
		w.post("/notify/shop", body)
		w.post("/notify/shop", bytes.Replace(body, []byte("88.88"), []byte("0.01"), 1))
		w.post("/notify/shop", append(bytes.Clone(body), "&%zz"...))
		w.post("/notify/shop?"+buyer, signed(alipaysKey(), params("ORD_1", func(p map[string]string) { p["app_id"] = "canaryPassback" })))
		w.post("/notify/canaryStreet", body)
		w.brokers(silent)
		w.post("/notify/shop", body)
		text := w.log.String()
		for _, secret := range append(personal(), sign, "sign=") {
			if strings.Contains(text, secret) {
				t.Errorf("the log holds %s:\n%s", secret, text)
			}
		}
		if !strings.Contains(text, "notifications were refused") {
			t.Errorf("the log says %s", text)
		}
	})
}

// TestN2_OneLineAMinute: a flood of forged notifications makes one line a minute.
func TestN2_OneLineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		body := bytes.Replace(genuine("ORD_1"), []byte("88.88"), []byte("0.01"), 1)
		for range 180 { // three minutes
			w.post("/notify/shop", body)
			time.Sleep(time.Second)
		}
		if n := strings.Count(w.log.String(), "verdict=forged"); n < 3 || n > 4 {
			t.Errorf("%d lines in three minutes:\n%s", n, w.log.String())
		}
	})
}

// TestN3_UnknownCertificate: one that is not known here is refused; nothing is downloaded, because the receiver
// has no way to.
func TestN3_UnknownCertificate(t *testing.T) {
	v := vectors[alipaytest.CertVectors](t, "certs.json")
	store := must(certs.New(certs.Options{
		App: []byte(v.Certificates["app"].PEM), Alipay: []byte(v.Certificates["alipay_leaf"].PEM), Root: []byte(v.RootBundle),
		Now: func() time.Time { return alipaytest.CertTime },
	}))
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.receiver.UseAccounts(shop(func(o *gateway.VerifierOptions, _ *notify.Account) { o.AlipayKey, o.Certificates = nil, store }))
		_, answer := w.post("/notify/shop", signed(alipaysKey(), params("ORD_1", func(p map[string]string) { p["alipay_cert_sn"] = strings.Repeat("0", 32) })))
		if answer != "fail" || w.last() != notify.UnknownCertificate {
			t.Errorf("%s, %s", answer, w.last())
		}
		if !strings.Contains(w.log.String(), "alipay_cert_file") {
			t.Errorf("the log does not say what to do:\n%s", w.log.String())
		}
	})
}

// TestPartition: notifications of an order go where its other records go.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for i := range 20 {
			w.post("/notify/shop", genuine(fmt.Sprint("ORD_", i)))
		}
		hash := kgo.StickyKeyPartitioner(nil).ForTopic(observations) // by the key, as Kafka does
		for _, topic := range []string{notifications, observations} {
			for _, r := range w.published(topic) {
				if want := hash.Partition(&kgo.Record{Key: r.Key}, 8); int(r.Partition) != want {
					t.Errorf("%s of %s is in partition %d, want %d", topic, r.Key, r.Partition, want)
				}
			}
		}
	})
}
