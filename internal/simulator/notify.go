package simulator

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// newOutbox returns the outbox of the options.
func (s *Simulator) newOutbox() (*outbox.Outbox, error) {
	o := s.options.Notifications
	o.Now, o.Seed, o.Sign, o.Changed = s.Now, s.options.Seed, s.signNotification, s.wakeRun
	if o.Client == nil {
		o.Client = s.options.Client
	}
	errs := make([]error, 0, len(o.Faults)+1)
	for _, f := range o.Faults {
		errs = append(errs, f.Check())
	}
	if o.Keep < 0 || o.Senders < 0 {
		errs = append(errs, errors.New("notifications: keep and senders must not be negative"))
	}
	return outbox.New(o), errors.Join(errs...)
}

// Run runs the buyers' scripts and sends the notifications until ctx ends; then it returns nil.
// Without it buyers act at the next request or look-up, and notifications wait for Deliver.
func (s *Simulator) Run(ctx context.Context) error {
	defer s.outbox.Wait()
	for {
		s.act()
		s.outbox.Start(ctx)
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

// act does everything that is due, except deliveries.
func (s *Simulator) act() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
}

// untilNextEvent returns the time until the next step or delivery, and false if none is planned.
func (s *Simulator) untilNextEvent() (time.Duration, bool) {
	s.mu.Lock()
	next := s.nextDue()
	s.mu.Unlock()
	if at := s.outbox.Next(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	return max(0, next.Sub(s.Now())), !next.IsZero()
}

// Deliver sends all notifications that are due and records the answers, one after the other, in
// the order in which they fell due. Run sends several at the same time.
func (s *Simulator) Deliver(ctx context.Context) {
	for {
		s.act()
		if !s.outbox.SendNext(ctx) {
			return
		}
	}
}

// Notifications returns copies of the notifications that are kept, oldest first.
func (s *Simulator) Notifications() []outbox.Notification {
	s.act()
	return s.outbox.All()
}

// SendAgain has a notification delivered once more now, acknowledged or not: receivers get
// duplicates, and old states after new ones.
func (s *Simulator) SendAgain(id string) error {
	err := s.outbox.SendAgain(id)
	s.wakeRun()
	return err
}

// HoldNotifications stops all deliveries until ReleaseNotifications.
func (s *Simulator) HoldNotifications() { s.outbox.Hold() }

// ReleaseNotifications sends what was held, the newest first.
func (s *Simulator) ReleaseNotifications() {
	s.act()
	s.outbox.Release()
	s.wakeRun()
}

// AddNotificationFault adds a fault for the notifications that are queued from now on.
func (s *Simulator) AddNotificationFault(f outbox.Fault) { s.outbox.AddFault(f) }

// ClearNotificationFaults removes all faults of notifications.
func (s *Simulator) ClearNotificationFaults() { s.outbox.ClearFaults() }

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
	s.outbox.Add(outbox.Notification{
		ID: seeded.Digits(34, "notification", t.TradeNo, fmt.Sprint(s.lastSeq)), App: t.App, OutTradeNo: t.OutTradeNo, Status: string(t.Status),
		URL: t.NotifyURL, Params: s.notificationParams(t),
	}, at)
	s.wakeRun()
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
		"trans_currency": t.Currency, "gmt_create": when(t.CreatedAt), "gmt_payment": when(t.PaidAt), "gmt_close": when(t.ClosedAt),
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

// signNotification signs with the key that an app has for a sign_type; an app without a key for RSA
// signs with its only one.
func (s *Simulator) signNotification(appID, signType string, text []byte) string {
	app := s.apps[appID]
	key, h := app.SigningKey, crypto.SHA256
	if signType == "RSA" {
		h = crypto.SHA1
		if app.LegacySigningKey != nil {
			key = app.LegacySigningKey
		}
	}
	return s.signer.Sign(key, h, text)
}
