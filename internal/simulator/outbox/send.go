package outbox

import (
	"container/heap"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

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

// SendNext delivers the notification that fell due first, and reports whether there was one.
func (b *Outbox) SendNext(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	b.mu.Lock()
	e, at := b.take()
	b.mu.Unlock()
	if e == nil {
		return false
	}
	b.finish(e, b.deliver(ctx, &e.Notification, at))
	return true
}

// Start starts the deliveries that are due, as many at the same time as the options allow: a slow receiver
// does not stop the others. Two of one order never run at the same time. Wait must follow.
func (b *Outbox) Start(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.running < b.o.Senders && ctx.Err() == nil {
		e, at := b.take()
		if e == nil {
			return
		}
		b.running++
		b.sending.Go(func() {
			d := b.deliver(ctx, &e.Notification, at)
			b.mu.Lock()
			b.running--
			b.mu.Unlock()
			b.finish(e, d)
			b.o.Changed()
		})
	}
}

// Wait waits until the deliveries of Start have ended.
func (b *Outbox) Wait() { b.sending.Wait() }

// take returns the notification that fell due first, unless one of its order is being delivered, and when
// it was due. The caller holds mu.
func (b *Outbox) take() (*entry, time.Time) {
	now := b.o.Now()
	for !b.held && len(b.waiting) > 0 && !b.waiting[0].Due.After(now) {
		e := heap.Pop(&b.waiting).(*entry)
		if parked, busy := b.busy[e.order()]; busy {
			e.parked = true
			b.busy[e.order()] = append(parked, e)
			continue
		}
		b.busy[e.order()] = nil
		b.noLongerBack(e)
		at := e.Due
		e.Due, e.sending = time.Time{}, true
		return e, at
	}
	return nil, time.Time{}
}

// finish records a delivery and plans the next one, unless none follows.
func (b *Outbox) finish(e *entry, d Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.era != b.era {
		return
	}
	e.sending = false
	e.Deliveries = append(e.Deliveries, d)
	e.Done = e.Done || (d.Err == "" && d.Status == http.StatusOK && d.Body == acknowledged)
	switch i := len(e.Deliveries) - 1; {
	case !e.Due.IsZero(): // SendAgain, meanwhile
	case e.Done && e.Again > 0:
		e.Again--
		e.Due = d.At.Add(e.Pause)
	case !e.Done && i < len(repeatIntervals):
		e.Due = d.At.Add(repeatIntervals[i])
	}
	b.settle(e)
	parked := b.busy[e.order()]
	delete(b.busy, e.order())
	for _, p := range parked {
		p.parked = false
		b.settle(p)
	}
	b.overtaken(e)
}

// overtaken releases what Reordered held back, now that a later one of its order was delivered. The
// caller holds mu.
func (b *Outbox) overtaken(by *entry) {
	for _, e := range slices.Clone(b.back[by.order()]) {
		if e.seq < by.seq {
			b.noLongerBack(e)
			e.Due = b.o.Now()
			b.settle(e)
		}
	}
}

// noLongerBack takes a notification out of those that are held back. The caller holds mu.
func (b *Outbox) noLongerBack(e *entry) {
	k := e.order()
	rest := slices.DeleteFunc(b.back[k], func(x *entry) bool { return x == e })
	if b.back[k] = rest; len(rest) == 0 {
		delete(b.back, k)
	}
}

// deliver sends one notification as Alipay does, with its malformed Content-Type
// (docs/alipay.md, "Notifications").
func (b *Outbox) deliver(ctx context.Context, n *Notification, at time.Time) Delivery {
	out := Delivery{At: at}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, strings.NewReader(b.signedForm(n, at)))
	if err != nil {
		out.Err = "unusable notify_url"
		return out
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; text/html; charset=UTF-8")
	r.Header.Set("User-Agent", "Mozilla/4.0")
	resp, err := b.o.Client.Do(r)
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

// signedForm returns the body of a delivery: the parameters with its time, and a signature over all
// but sign and sign_type, in the charset of the request that created the trade.
func (b *Outbox) signedForm(n *Notification, at time.Time) string {
	p := wire.Params{"notify_id": n.ID, "notify_time": at.Add(n.Shift).In(wire.Beijing).Format(wire.TimeLayout)}
	for name, value := range n.Params {
		if name != "sign_type" {
			p[name] = value
		}
	}
	c, ok := wire.FindCharset(p["charset"])
	if !ok {
		c = wire.UTF8
	}
	signType := n.Params["sign_type"]
	p["sign"] = b.o.Sign(n.App, signType, c.Encode(p.StringToSign()))
	if signType != "" {
		p["sign_type"] = signType
	}
	form := p.Form(c)
	if n.Percent20 {
		form = strings.ReplaceAll(form, "+", "%20") // a plus of a value is %2B
	}
	return form
}

// newClient returns the client that is used unless the options have another.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
