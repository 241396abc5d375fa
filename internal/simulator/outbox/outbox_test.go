package outbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/wire"
)

var start = time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)

// receiver is a merchant's notify_url.
type receiver struct {
	wait func(order string) time.Duration // before an answer; nil: none

	mu   sync.Mutex // guards what follows
	got  []url.Values
	raw  []string
	most map[string]int // deliveries at the same time: by order, and in all under ""
	now  map[string]int
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	order := form.Get("out_trade_no")
	r.began(order, +1)
	defer r.began(order, -1)
	if r.wait != nil {
		select {
		case <-time.After(r.wait(order)):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.raw = append(r.got, form), append(r.raw, string(body))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("success")), Request: req}, nil
}

func (r *receiver) began(order string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		r.now, r.most = map[string]int{}, map[string]int{}
	}
	for _, k := range []string{order, ""} {
		r.now[k] += n
		r.most[k] = max(r.most[k], r.now[k])
	}
}

// delivered returns order and status of what came, in order.
func (r *receiver) delivered() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, form := range r.got {
		out = append(out, form.Get("out_trade_no")+" "+form.Get("trade_status"))
	}
	return out
}

// world is an outbox with a clock that a test moves.
type world struct {
	*outbox.Outbox
	*receiver
	now    time.Time
	signed []string // sign type and text
}

func newWorld(o outbox.Options) *world {
	w := &world{receiver: &receiver{}, now: start}
	o.Now, o.Client = func() time.Time { return w.now }, &http.Client{Transport: w.receiver}
	o.Sign = func(_, signType string, text []byte) string {
		w.signed = append(w.signed, signType+" "+string(text))
		return "c2lnbg=="
	}
	w.Outbox = outbox.New(o)
	return w
}

func (w *world) add(order, status string) {
	w.Add(outbox.Notification{
		ID: fmt.Sprintf("%s %s %d", order, status, len(w.All())), App: "a", OutTradeNo: order, Status: status, URL: "http://merchant.example/notify",
		Params: map[string]string{"out_trade_no": order, "trade_status": status, "charset": "utf-8", "sign_type": "RSA2", "subject": "\u6d4b \u8bd5", "trade_no": "n" + order},
	}, w.now)
}

func (w *world) deliver(t *testing.T) {
	t.Helper()
	for w.SendNext(t.Context()) {
	}
}

// TestFaults: each kind does what its name says, and only once unless it is asked for more.
func TestFaults(t *testing.T) {
	const paid, closed = "o TRADE_SUCCESS", "o TRADE_CLOSED"
	for _, tt := range []struct {
		fault outbox.Fault
		after time.Duration // until the second delivery
		want  []string
	}{
		{outbox.Fault{Kind: outbox.Lost}, 25 * time.Hour, []string{closed}},
		{outbox.Fault{Kind: outbox.Lost, Always: true}, 25 * time.Hour, []string{}},
		{outbox.Fault{Kind: outbox.Lost, Status: "TRADE_CLOSED"}, 25 * time.Hour, []string{paid}},
		{outbox.Fault{Kind: outbox.Lost, Skip: 1}, 25 * time.Hour, []string{paid}},
		{outbox.Fault{Kind: outbox.Lost, Times: 2}, 25 * time.Hour, []string{}},
		{outbox.Fault{Kind: outbox.Lost, Order: "p"}, 0, []string{paid, closed}},
		{outbox.Fault{Kind: outbox.Lost, App: "b"}, 0, []string{paid, closed}},
		{outbox.Fault{Kind: outbox.Doubled}, 0, []string{paid, paid, closed}},
		{outbox.Fault{Kind: outbox.Doubled, Delay: time.Minute}, time.Minute, []string{paid, closed, paid}},
		{outbox.Fault{Kind: outbox.Doubled, Always: true, Delay: time.Minute}, time.Minute, []string{paid, closed, paid, closed}},
		{outbox.Fault{Kind: outbox.Reordered}, 0, []string{closed, paid}},
		{outbox.Fault{Kind: outbox.Reordered, Status: "TRADE_CLOSED"}, 59 * time.Minute, []string{paid}},
		{outbox.Fault{Kind: outbox.Reordered, Status: "TRADE_CLOSED"}, time.Hour, []string{paid, closed}},
	} {
		t.Run(fmt.Sprintf("%+v", tt.fault), func(t *testing.T) {
			if err := tt.fault.Check(); err != nil {
				t.Fatal(err)
			}
			w := newWorld(outbox.Options{Faults: []outbox.Fault{tt.fault}})
			w.add("o", "TRADE_SUCCESS")
			w.add("o", "TRADE_CLOSED")
			w.deliver(t)
			w.now = w.now.Add(tt.after)
			if w.deliver(t); !slices.Equal(w.delivered(), tt.want) {
				t.Errorf("delivered %q, want %q", w.delivered(), tt.want)
			}
			w.now = w.now.Add(100 * time.Hour)
			n := len(w.delivered())
			if w.deliver(t); len(w.delivered()) > max(n, 2) {
				t.Errorf("later still: %q", w.delivered())
			}
		})
	}
}

// TestForms: what a notification says of itself is what it is signed with.
func TestForms(t *testing.T) {
	for _, tt := range []struct {
		fault outbox.Fault
		has   string // in the body
		signs string // in the text that is signed
	}{
		{outbox.Fault{Kind: outbox.Late}, "notify_time=2025-12-31+15%3A00%3A00", "RSA2 charset=utf-8&notify_id=o TRADE_SUCCESS 0&notify_time=2025-12-31 15:00:00"},
		{outbox.Fault{Kind: outbox.Late, Delay: -time.Hour}, "notify_time=2026-01-01+19%3A00%3A00", "notify_time=2026-01-01 19:00:00"},
		{outbox.Fault{Kind: outbox.GBK}, "subject=%B2%E2+%CA%D4", "subject=\xb2\xe2 \xca\xd4"},
		{outbox.Fault{Kind: outbox.RSA}, "sign_type=RSA&", "RSA charset"},
		{outbox.Fault{Kind: outbox.RSA2}, "sign_type=RSA2&", "RSA2 charset"},
		{outbox.Fault{Kind: outbox.Percent20}, "subject=%E6%B5%8B%20%E8%AF%95", "subject=\u6d4b \u8bd5"},
		{outbox.Fault{Kind: outbox.CertSN}, "alipay_cert_sn=0000", "alipay_cert_sn=0000"},
	} {
		t.Run(fmt.Sprintf("%+v", tt.fault), func(t *testing.T) {
			w := newWorld(outbox.Options{Faults: []outbox.Fault{tt.fault}})
			w.add("o", "TRADE_SUCCESS")
			w.deliver(t)
			if len(w.raw) != 1 || !strings.Contains(w.raw[0], tt.has) || !strings.Contains(w.signed[0], tt.signs) {
				t.Errorf("sent %q\nsigned %q", w.raw, w.signed)
			}
			if n := w.All()[0]; !slices.Equal(n.Faults, []string{string(tt.fault.Kind)}) {
				t.Errorf("faults %q", n.Faults)
			}
		})
	}
}

// TestSharesDependOnTheSeed: neither on the order in which trades change nor on the run.
func TestSharesDependOnTheSeed(t *testing.T) {
	chosen := func(seed uint64, backwards bool) []string {
		w := newWorld(outbox.Options{Seed: seed, Faults: []outbox.Fault{{Kind: outbox.Lost, Probability: 0.2}, {Kind: outbox.Doubled, Probability: 0.2}}})
		for i := range 500 {
			if backwards {
				i = 499 - i
			}
			w.add(fmt.Sprint("o", i), "TRADE_SUCCESS")
		}
		var out []string
		for _, n := range w.All() {
			if len(n.Faults) > 0 {
				out = append(out, n.OutTradeNo+fmt.Sprint(n.Faults))
			}
		}
		slices.Sort(out)
		return out
	}
	one := chosen(1, false)
	if n := len(one); n < 130 || n > 230 { // 36 % of 500
		t.Errorf("%d of 500 have a fault", n)
	}
	if !slices.Equal(one, chosen(1, true)) {
		t.Error("another order of the trades changes the choice")
	}
	if slices.Equal(one, chosen(2, false)) {
		t.Error("another seed does not change the choice")
	}
}

func TestBadFaults(t *testing.T) {
	for _, f := range []outbox.Fault{
		{}, {Kind: "earthquake"}, {Kind: outbox.Lost, Probability: 1.1}, {Kind: outbox.Lost, Probability: -1},
		{Kind: outbox.Lost, Skip: -1}, {Kind: outbox.Lost, Times: -1}, {Kind: outbox.Doubled, Delay: -1},
	} {
		if f.Check() == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
}

// TestOldOnesAreForgotten: only those without a further delivery, the oldest first.
func TestOldOnesAreForgotten(t *testing.T) {
	w := newWorld(outbox.Options{Keep: 3, Faults: []outbox.Fault{{Kind: outbox.Doubled, Order: "o0", Delay: time.Hour}}})
	for i := range 10 {
		w.add(fmt.Sprint("o", i), "TRADE_SUCCESS")
	}
	w.deliver(t)
	kept := func() (out []string) {
		for _, n := range w.All() {
			out = append(out, n.OutTradeNo)
		}
		return out
	}
	if got := kept(); !slices.Equal(got, []string{"o0", "o7", "o8", "o9"}) {
		t.Errorf("kept %q", got)
	}
	if err := w.SendAgain("o1 TRADE_SUCCESS 1"); err == nil {
		t.Error("one that was forgotten was sent again")
	}
	w.now = w.now.Add(time.Hour)
	w.deliver(t)
	if got := kept(); !slices.Equal(got, []string{"o0", "o8", "o9"}) {
		t.Errorf("kept %q", got)
	}
	for range 5 { // the same one again and again takes no room
		if err := w.SendAgain(w.All()[0].ID); err != nil {
			t.Fatal(err)
		}
		w.deliver(t)
	}
	if got := kept(); !slices.Equal(got, []string{"o0", "o8", "o9"}) {
		t.Errorf("kept %q", got)
	}
}

// run starts deliveries as the simulator does, until ctx ends.
func run(ctx context.Context, b *outbox.Outbox, changed <-chan struct{}) {
	for ctx.Err() == nil {
		b.Start(ctx)
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	b.Wait()
}

// TestSlowReceivers: they delay only their own order, of which the deliveries stay in order, and
// no more run at the same time than the options allow.
func TestSlowReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{wait: func(order string) time.Duration {
			if order == "slow" {
				return 9 * time.Second
			}
			return time.Second
		}}
		changed := make(chan struct{}, 100)
		b := outbox.New(outbox.Options{
			Now: time.Now, Client: &http.Client{Transport: r}, Senders: 3, Sign: func(string, string, []byte) string { return "" },
			Changed: func() { changed <- struct{}{} },
		})
		add := func(order, status string) {
			b.Add(outbox.Notification{ID: order + status, OutTradeNo: order, Status: status, URL: "http://merchant.example/", Params: wire.Params{"out_trade_no": order, "trade_status": status}}, time.Now())
		}
		for i := range 3 {
			add("slow", fmt.Sprint(i))
		}
		for i := range 10 {
			add(fmt.Sprint("o", i), "0")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { run(ctx, b, changed); close(done) }()
		time.Sleep(8 * time.Second)
		if got := r.delivered(); len(got) != 10 || slices.Contains(got, "slow 0") {
			t.Errorf("after 8 s %q were delivered, want all but the slow ones", got)
		}
		time.Sleep(time.Minute)
		if got := r.delivered(); len(got) != 13 || !slices.Equal(got[10:], []string{"slow 0", "slow 1", "slow 2"}) {
			t.Errorf("at the end: %q", got)
		}
		if r.most["slow"] != 1 || r.most[""] != 3 {
			t.Errorf("%d of one order and %d in all at the same time, want 1 and 3", r.most["slow"], r.most[""])
		}
		if at := b.Next(); !at.IsZero() {
			t.Errorf("something is planned for %s", at)
		}
		stop()
		<-done
	})
}

// TestResetDuringADelivery: what a delivery of before a Reset brings belongs to nothing.
func TestResetDuringADelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{wait: func(string) time.Duration { return time.Second }}
		b := outbox.New(outbox.Options{Now: time.Now, Client: &http.Client{Transport: r}, Sign: func(string, string, []byte) string { return "" }})
		b.Add(outbox.Notification{ID: "1", OutTradeNo: "o", URL: "http://merchant.example/", Params: map[string]string{}, Again: 1}, time.Now())
		b.Start(t.Context())
		b.Reset()
		b.Add(outbox.Notification{ID: "2", OutTradeNo: "o", URL: "http://merchant.example/", Params: map[string]string{}}, time.Now())
		b.Start(t.Context())
		b.Wait()
		b.Start(t.Context())
		b.Wait()
		if all := b.All(); len(all) != 1 || all[0].ID != "2" || len(all[0].Deliveries) != 1 || len(r.got) != 2 {
			t.Errorf("%+v after %d deliveries", all, len(r.got))
		}
	})
}

// TestRestoreGoesOn: what was planned before a restart comes after it, with its form, and no fault acts again.
func TestRestoreGoesOn(t *testing.T) {
	w := newWorld(outbox.Options{Faults: []outbox.Fault{{Kind: outbox.Doubled, Delay: time.Minute, Always: true}, {Kind: outbox.Percent20}}})
	w.add("o", "TRADE_SUCCESS")
	w.deliver(t)
	after := newWorld(outbox.Options{Faults: []outbox.Fault{{Kind: outbox.Lost, Always: true}}})
	after.Restore(w.All())
	after.deliver(t)
	if len(after.got) != 0 {
		t.Error("it came at once")
	}
	after.now = after.now.Add(time.Hour)
	if after.deliver(t); len(after.raw) != 1 || !strings.Contains(after.raw[0], "%20") {
		t.Errorf("sent %q", after.raw)
	}
}

// TestHeldBackIsSentOnce: at the end of its time, or after a later one, or not at all if it is lost as well.
func TestHeldBackIsSentOnce(t *testing.T) {
	w := newWorld(outbox.Options{Faults: []outbox.Fault{{Kind: outbox.Reordered}}})
	w.add("o", "TRADE_SUCCESS")
	w.now = w.now.Add(time.Hour)
	w.deliver(t)
	w.add("o", "TRADE_CLOSED")
	if w.deliver(t); !slices.Equal(w.delivered(), []string{"o TRADE_SUCCESS", "o TRADE_CLOSED"}) {
		t.Errorf("delivered %q", w.delivered())
	}
	w = newWorld(outbox.Options{Faults: []outbox.Fault{{Kind: outbox.Reordered}, {Kind: outbox.Lost}}})
	w.add("o", "TRADE_SUCCESS")
	w.add("o", "TRADE_CLOSED")
	if w.deliver(t); !slices.Equal(w.delivered(), []string{"o TRADE_CLOSED"}) {
		t.Errorf("delivered %q", w.delivered())
	}
}

// TestNext: nothing is planned while deliveries are held, or while all senders are busy.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{wait: func(string) time.Duration { return time.Second }}
		b := outbox.New(outbox.Options{Now: time.Now, Senders: 1, Client: &http.Client{Transport: r}, Sign: func(string, string, []byte) string { return "" }})
		for _, id := range []string{"1", "2"} {
			b.Add(outbox.Notification{ID: id, OutTradeNo: id, URL: "http://merchant.example/", Params: map[string]string{}}, time.Now())
		}
		b.Hold()
		b.Start(t.Context())
		if at := b.Next(); !at.IsZero() {
			t.Errorf("held, and planned for %s", at)
		}
		b.Release()
		if b.Next().IsZero() {
			t.Error("released, and nothing is planned")
		}
		b.Start(t.Context())
		if at := b.Next(); !at.IsZero() {
			t.Errorf("the only sender is busy, and something is planned for %s", at)
		}
		b.Wait()
		if b.Next().IsZero() {
			t.Error("the sender is free, and nothing is planned")
		}
	})
}
