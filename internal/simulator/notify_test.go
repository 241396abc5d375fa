package simulator_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// notified are the parameters of a create whose merchant wants notifications.
var notified = map[string]string{"notify_url": "https://merchant.example/notify"}

// receiver is a merchant's notify_url.
type receiver struct {
	answer string
	status int   // zero: 200
	err    error // instead of an answer
	got    []url.Values
	header []http.Header
	at     []time.Time
	now    func() time.Time
}

func (r *receiver) client() *http.Client {
	return &http.Client{
		Transport:     r,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip receives one notification.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	r.got, r.header = append(r.got, form), append(r.header, req.Header)
	if r.now != nil {
		r.at = append(r.at, r.now())
	}
	if r.err != nil {
		return nil, r.err
	}
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"/"}}, Body: io.NopCloser(strings.NewReader(r.answer)), Request: req}, nil
}

// fits reports whether the generated app signed a notification.
func fits(form url.Values) bool {
	var parts []string
	for name := range form {
		if name != "sign" && name != "sign_type" && form.Get(name) != "" {
			parts = append(parts, name+"="+form.Get(name))
		}
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, "&")))
	sig, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	return err == nil && rsa.VerifyPKCS1v15(&generated().app.App.SigningKey.PublicKey, crypto.SHA256, sum[:], sig) == nil
}

// TestNotificationBytes: malformed headers as from Alipay, a signature, and the charset of the request.
func TestNotificationBytes(t *testing.T) {
	r := &receiver{answer: "success"}
	b := newHarness(t, simulator.Options{Client: r.client()})
	content := order("o_1")
	content["subject"], content["body"] = "\u6d4b\u8bd5 + % ;", ""
	b.call("alipay.trade.create", content, notified)
	if err := b.sim.Pay("o_1"); err != nil {
		t.Fatal(err)
	}
	b.sim.Deliver(t.Context())
	if len(r.got) != 1 || !fits(r.got[0]) {
		t.Fatalf("got %v", r.got)
	}
	got := r.got[0]
	for name, want := range map[string]string{
		"app_id": appID, "out_trade_no": "o_1", "trade_status": "TRADE_SUCCESS", "total_amount": "88.88", "notify_type": "trade_status_sync",
		"seller_id": generated().app.App.SellerID, "sign_type": "RSA2", "charset": "utf-8", "subject": "\u6d4b\u8bd5 + % ;", "gmt_payment": "2026-01-01 18:00:00",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	if got.Has("body") {
		t.Error("a blank parameter was sent")
	}
	h := r.header[0]
	if h.Get("Content-Type") != "application/x-www-form-urlencoded; text/html; charset=UTF-8" || h.Get("User-Agent") != "Mozilla/4.0" {
		t.Errorf("headers = %v", h)
	}
	b.sim.Advance(48 * time.Hour)
	if b.sim.Deliver(t.Context()); len(r.got) != 1 {
		t.Error("an acknowledged notification came again")
	}
}

// TestRepeatsByTheSchedule: eight deliveries in 24 h 24 min with the same notify_id, then none.
func TestRepeatsByTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := &receiver{answer: "fail", now: time.Now}
		b := newHarness(t, simulator.Options{Client: r.client(), Now: time.Now})
		go func() { _ = b.sim.Run(t.Context()) }()
		b.call("alipay.trade.create", order("o_1"), notified)
		if err := b.sim.Pay("o_1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		var got []time.Duration
		for i, at := range r.at {
			got = append(got, at.Sub(began))
			if r.got[i].Get("notify_id") != r.got[0].Get("notify_id") || !fits(r.got[i]) {
				t.Errorf("delivery %d: %v", i, r.got[i])
			}
		}
		m := time.Minute
		want := []time.Duration{0, 4 * m, 14 * m, 24 * m, 84 * m, 204 * m, 564 * m, 1464 * m}
		if !slices.Equal(got, want) {
			t.Errorf("delivered after %v, want %v", got, want)
		}
	})
}

// TestAdvanceBringsTheRepeats: moving the clock makes repeats due, in their order.
func TestAdvanceBringsTheRepeats(t *testing.T) {
	r := &receiver{err: errors.New("connection refused")}
	b := newHarness(t, simulator.Options{Client: r.client()})
	b.call("alipay.trade.create", order("o_1"), notified)
	if err := b.sim.Pay("o_1"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		ahead time.Duration
		want  int
	}{{0, 1}, {3 * time.Minute, 1}, {time.Minute, 2}, {20 * time.Minute, 4}, {48 * time.Hour, 8}, {48 * time.Hour, 8}} {
		b.sim.Advance(step.ahead)
		if b.sim.Deliver(t.Context()); len(r.got) != step.want {
			t.Errorf("%s later: %d deliveries, want %d", step.ahead, len(r.got), step.want)
		}
	}
}

// TestBuyersPlayTheirScripts: the steps have the times of the script, whenever they are looked at.
func TestBuyersPlayTheirScripts(t *testing.T) {
	b := newHarness(t, simulator.Options{Buyers: []simulator.Buyer{
		{Order: "never_", Steps: []simulator.Step{{Do: simulator.ActNothing}}},
		{Order: "close_", Steps: []simulator.Step{{After: time.Minute, Do: simulator.ActClose}}},
		{Order: "finish_", Steps: []simulator.Step{{After: time.Minute, Do: simulator.ActFinish}}},
		{Steps: []simulator.Step{
			{After: 10 * time.Second, Do: simulator.ActPay}, {After: time.Minute, Do: simulator.ActRefund, Amount: 888},
			{After: time.Minute, Do: simulator.ActRefund}, {After: time.Minute, Do: simulator.ActPay}, // the last is refused
		}},
	}})
	for _, no := range []string{"never_1", "close_1", "finish_1", "pay_1"} {
		b.call("alipay.trade.create", order(no), nil)
	}
	for _, tt := range []struct {
		after  time.Duration // since the last row
		no     string
		status simulator.TradeStatus
		back   wire.Fen
	}{
		{9 * time.Second, "pay_1", simulator.WaitBuyerPay, 0},
		{time.Second, "pay_1", simulator.TradeSuccess, 0},
		{time.Minute, "pay_1", simulator.TradeSuccess, 888},
		{0, "close_1", simulator.TradeClosed, 0},
		{0, "finish_1", simulator.TradeFinished, 0},
		{time.Hour, "pay_1", simulator.TradeClosed, 8888},
		{0, "never_1", simulator.WaitBuyerPay, 0},
	} {
		b.sim.Advance(tt.after)
		got, _ := b.sim.Trade(tt.no)
		if got.Status != tt.status || got.Refunded != tt.back {
			t.Errorf("%s: %s, refunded %s, want %s, %s", tt.no, got.Status, got.Refunded, tt.status, tt.back)
		}
	}
	if got, _ := b.sim.Trade("pay_1"); !got.PaidAt.Equal(start.Add(10*time.Second)) || !got.ClosedAt.Equal(start.Add(130*time.Second)) {
		t.Errorf("paid at %s, closed at %s: not the script's times", got.PaidAt, got.ClosedAt)
	}
}

// TestDoubledAndOutOfOrder: duplicates and another order on demand, and notifications of other states.
func TestDoubledAndOutOfOrder(t *testing.T) {
	r := &receiver{answer: "success"}
	b := newHarness(t, simulator.Options{Client: r.client(), Notify: []simulator.TradeStatus{simulator.WaitBuyerPay, simulator.TradeSuccess, simulator.TradeClosed}})
	b.sim.HoldNotifications()
	b.call("alipay.trade.create", order("o_1"), notified)
	content := order("o_2")
	content["timeout_express"] = "1m"
	b.call("alipay.trade.create", content, notified)
	if err := b.sim.Pay("o_1"); err != nil {
		t.Fatal(err)
	}
	b.sim.Advance(time.Hour)
	if b.sim.Deliver(t.Context()); len(r.got) > 0 {
		t.Errorf("held notifications were sent: %v", r.got)
	}
	b.sim.ReleaseNotifications()
	b.sim.Deliver(t.Context())
	b.sim.Advance(time.Second)
	if err := b.sim.SendAgain(b.sim.Notifications()[0].ID); err != nil {
		t.Fatal(err)
	}
	b.sim.Deliver(t.Context())
	var got []string
	for _, n := range r.got {
		got = append(got, n.Get("out_trade_no")+" "+n.Get("trade_status"))
	}
	want := []string{"o_2 TRADE_CLOSED", "o_1 TRADE_SUCCESS", "o_2 WAIT_BUYER_PAY", "o_1 WAIT_BUYER_PAY", "o_1 WAIT_BUYER_PAY"}
	if !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}
