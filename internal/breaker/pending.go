package breaker

import (
	"context"
	"fmt"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// client is one account's client.
type client interface {
	Seal(ctx context.Context, r alipay.Request) alipay.Send
}

// sealLife is how long a sealed request may wait for its slot. Then it is sealed again: its
// timestamp is signed [inferred: gateways allow minutes].
const sealLife = 10 * time.Second

// pendingRequest is one request on its way to a slot.
type pendingRequest struct {
	client  client
	request alipay.Request

	send  alipay.Send // nil: not sealed
	at    time.Time   // when it was
	spent time.Duration
}

// seal does nothing if the request is sealed and fresh. If the request is wrong, sending it
// returns the error: only an attempt has one. The end of ctx does not stop a signature that has
// begun: its error would say nothing about the signer.
func (s *pendingRequest) seal(ctx context.Context) {
	if s.send != nil && time.Since(s.at) < sealLife {
		return
	}
	began := time.Now()
	s.send = s.client.Seal(context.WithoutCancel(ctx), s.request)
	s.at = time.Now()
	s.spent += s.at.Sub(began)
}

// exchange gives the slot back as soon as the answer has arrived. It reports to the breaker even
// if the client panics: a pass that is never returned would leave it half open for ever.
func (s *pendingRequest) exchange(ctx context.Context, p pass) (rep alipay.Reply, err error) {
	reported := false
	defer func() {
		if !reported {
			p.done(fmt.Errorf("panic in %s", s.request.Method()))
		}
	}()
	open := s.send(ctx)
	p.leave()
	rep, err = open()
	reported = true
	p.done(err)
	return rep, err
}
