package simulator

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// repeatIntervals are the pauses between the deliveries of a notification that is not acknowledged:
// eight deliveries in about a day (docs/alipay.md, "Repeats of a notification").
var repeatIntervals = []time.Duration{
	4 * time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 15 * time.Hour,
}

const (
	// acknowledged is the only answer that ends the repeats.
	acknowledged = "success"
	// deliveryTimeout limits one delivery; it is not known how long Alipay waits [inferred].
	deliveryTimeout = 10 * time.Second
	// maxAcknowledgement limits how much of an answer is read, in bytes.
	maxAcknowledgement = 1 << 10
)

// Notification is one notification with all its deliveries.
type Notification struct {
	ID         string            `json:"id"` // notify_id: the same for all deliveries
	App        string            `json:"app"`
	OutTradeNo string            `json:"out_trade_no"`
	Status     TradeStatus       `json:"status"`
	URL        string            `json:"url"`
	Params     map[string]string `json:"params"` // without notify_time and sign, which differ for each delivery
	Deliveries []Delivery        `json:"deliveries"`
	Due        time.Time         `json:"due,omitzero"` // time of the next delivery; zero: none follows
	Done       bool              `json:"done"`         // acknowledged
}

// Delivery is one attempt.
type Delivery struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // zero: no answer
	Body   string    `json:"body"`   // beginning of the answer
	Err    string    `json:"err,omitempty"`
}

// outbox holds all notifications, sent or not. Simulator.mu guards it.
type outbox struct {
	notifications []*Notification
	held          bool
}

// Run runs the buyers' scripts and sends the notifications until ctx ends; then it returns nil.
// Without it buyers act at the next request or look-up, and notifications wait for Deliver.
func (s *Simulator) Run(ctx context.Context) error {
	for {
		s.Deliver(ctx)
		wait, any := s.untilNextEvent()
		if !any {
			wait = time.Hour // or until wake
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-s.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// untilNextEvent returns the time until the next step or delivery, and false if none is planned.
func (s *Simulator) untilNextEvent() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.nextDue()
	for _, n := range s.outbox.notifications {
		if !s.outbox.held && !n.Due.IsZero() && (next.IsZero() || n.Due.Before(next)) {
			next = n.Due
		}
	}
	return max(0, next.Sub(s.Now())), !next.IsZero()
}

// Notifications returns copies of all notifications, oldest first.
func (s *Simulator) Notifications() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	out := make([]Notification, len(s.outbox.notifications))
	for i, n := range s.outbox.notifications {
		out[i] = *n
		out[i].Params, out[i].Deliveries = maps.Clone(n.Params), slices.Clone(n.Deliveries)
	}
	return out
}

// errNoNotification is returned for an unknown id.
var errNoNotification = errors.New("no such notification")

// SendAgain has a notification delivered once more now, acknowledged or not: receivers get
// duplicates, and old states after new ones.
func (s *Simulator) SendAgain(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.outbox.notifications {
		if n.ID == id {
			n.Due = s.Now()
			s.wakeRun()
			return nil
		}
	}
	return errNoNotification
}

// HoldNotifications stops all deliveries until ReleaseNotifications.
func (s *Simulator) HoldNotifications() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.held = true
}

// ReleaseNotifications sends what was held, the newest first.
func (s *Simulator) ReleaseNotifications() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	s.outbox.held = false
	now := s.Now()
	var late []*Notification
	for _, n := range s.outbox.notifications {
		if !n.Due.IsZero() && !n.Due.After(now) {
			late = append(late, n)
		}
	}
	for i, n := range late {
		n.Due = now.Add(-time.Duration(i)) // one nanosecond apart: only the order matters
	}
	s.wakeRun()
}

// queueNotification queues a notification of a trade's state. The caller holds mu.
func (s *Simulator) queueNotification(t *trade, at time.Time) {
	wanted := s.options.Notify
	if wanted == nil {
		wanted = []TradeStatus{TradeSuccess}
	}
	if t.NotifyURL == "" || !slices.Contains(wanted, t.Status) {
		return
	}
	s.lastSeq++
	s.outbox.notifications = append(s.outbox.notifications, &Notification{
		ID: seeded.Digits(34, "notification", t.TradeNo, fmt.Sprint(s.lastSeq)), App: t.App, OutTradeNo: t.OutTradeNo, Status: t.Status,
		URL: t.NotifyURL, Params: s.notificationParams(t), Due: at,
	})
}

// notificationParams returns the parameters of a trade_status_sync (docs/alipay.md, "Notifications"). The
// caller holds mu.
func (s *Simulator) notificationParams(t *trade) map[string]string {
	when := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.In(wire.Beijing).Format(wire.TimeLayout)
	}
	p := map[string]string{
		"notify_type": "trade_status_sync", "app_id": t.App, "auth_app_id": t.App, "charset": t.Charset, "version": "1.0",
		"sign_type": t.SignType, "trade_no": t.TradeNo, "out_trade_no": t.OutTradeNo, "trade_status": string(t.Status),
		"total_amount": t.Total.String(), "subject": t.Subject, "body": t.Body, "passback_params": t.Passback,
		"buyer_id": t.BuyerID, "buyer_open_id": t.BuyerOpenID, "buyer_logon_id": "159****5620", "seller_id": t.SellerID,
		"gmt_create": when(t.CreatedAt), "gmt_payment": when(t.PaidAt), "gmt_close": when(t.ClosedAt),
	}
	if !t.PaidAt.IsZero() {
		for _, name := range []string{"receipt_amount", "invoice_amount", "buyer_pay_amount"} {
			p[name] = t.Total.String()
		}
		p["point_amount"] = "0.00"
		p["fund_bill_list"] = `[{"amount":"` + t.Total.String() + `","fundChannel":"ALIPAYACCOUNT"}]`
	}
	if t.Refunded > 0 {
		p["refund_fee"] = t.Refunded.String()
		p["gmt_refund"] = t.RefundedAt.In(wire.Beijing).Format(wire.TimeLayout + ".000")
	}
	if c := s.apps[t.App].certificates; c != nil {
		p["alipay_cert_sn"] = c.CurrentSN()
	}
	for name, value := range p {
		if value == "" {
			delete(p, name)
		}
	}
	return p
}

// signedForm returns the body of a delivery: the parameters with its time, and a signature over all
// but sign and sign_type, in the charset of the request that created the trade.
func (s *Simulator) signedForm(n *Notification, at time.Time) string {
	p := wire.Params{"notify_id": n.ID, "notify_time": at.In(wire.Beijing).Format(wire.TimeLayout)}
	for name, value := range n.Params {
		if name != "sign_type" {
			p[name] = value
		}
	}
	c, ok := wire.FindCharset(p["charset"])
	if !ok {
		c = wire.UTF8
	}
	app := s.apps[n.App]
	key, h := app.SigningKey, crypto.SHA256
	if n.Params["sign_type"] == "RSA" {
		h = crypto.SHA1
		if app.LegacySigningKey != nil {
			key = app.LegacySigningKey
		}
	}
	p["sign"] = s.signer.Sign(key, h, c.Encode(p.StringToSign()))
	if t := n.Params["sign_type"]; t != "" {
		p["sign_type"] = t
	}
	return p.Form(c)
}

// Deliver sends all notifications that are due and records the answers, one after the other, in
// the order in which they fell due. Run calls it.
func (s *Simulator) Deliver(ctx context.Context) {
	for {
		n, at := s.takeDue()
		if n == nil || ctx.Err() != nil {
			return
		}
		s.recordDelivery(n, s.deliver(ctx, n, at))
	}
}

// takeDue returns the first notification that is due, and when it was due.
func (s *Simulator) takeDue() (*Notification, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	var first *Notification
	for _, n := range s.outbox.notifications {
		if !n.Due.IsZero() && !n.Due.After(s.Now()) && (first == nil || n.Due.Before(first.Due)) {
			first = n
		}
	}
	if first == nil || s.outbox.held {
		return nil, time.Time{}
	}
	at := first.Due
	first.Due = time.Time{}
	return first, at
}

// deliver sends one notification as Alipay does, with its malformed Content-Type
// (docs/alipay.md, "Notifications").
func (s *Simulator) deliver(ctx context.Context, n *Notification, at time.Time) Delivery {
	out := Delivery{At: at}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, strings.NewReader(s.signedForm(n, at)))
	if err != nil {
		out.Err = "unusable notify_url"
		return out
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; text/html; charset=UTF-8")
	r.Header.Set("User-Agent", "Mozilla/4.0")
	resp, err := s.options.Client.Do(r)
	if err != nil {
		out.Err = err.Error()
		return out
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAcknowledgement))
	out.Status, out.Body = resp.StatusCode, string(body)
	if err != nil {
		out.Err = err.Error()
	}
	return out
}

// recordDelivery records a delivery and plans the next one, unless none follows.
func (s *Simulator) recordDelivery(n *Notification, d Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.Deliveries = append(n.Deliveries, d)
	n.Done = n.Done || (d.Err == "" && d.Status == http.StatusOK && d.Body == acknowledged)
	if i := len(n.Deliveries) - 1; !n.Done && n.Due.IsZero() && i < len(repeatIntervals) {
		n.Due = d.At.Add(repeatIntervals[i])
	}
}

// newClient returns the client for notifications that is used unless the options have another.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
