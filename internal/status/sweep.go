package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/telemetry"
)

const (
	sweepEvery = time.Second
	touchEvery = time.Hour // a checkpoint of a quiet partition is renewed

	// decideAgain is when a decision is sent once more that was not merged meanwhile.
	decideAgain = 10 * time.Minute

	// readAgain is when the sweep looks again at an order whose value cannot be read: a later version of the bridge may.
	readAgain = 24 * time.Hour
)

// Sweep asks for orders of which nothing was heard, until ctx ends. It keeps nothing: the store has the time at which it
// looks at each order again. What it sends may be sent twice after a crash: a query is harmless, and a decision that was
// merged once is no news.
func (p *Pipeline) Sweep(ctx context.Context) {
	touched := p.o.Now()
	trouble := telemetry.NewTrouble(p.log, "the sweep cannot do all of its work now; it tries again every second", "the sweep works again")
	first := 0 // partitions take turns
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
		parts := p.assigned()
		left := max(1, p.o.Rate*int(sweepEvery/time.Second))
		var failed error
		for i := range parts {
			part := parts[(first+i)%len(parts)]
			n, err := p.sweep(ctx, part, left)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("partition %d: %w", part.number, err))
			}
			if left -= n; left <= 0 {
				break
			}
		}
		first++
		if err := p.count(ctx, parts); err != nil {
			failed = errors.Join(failed, fmt.Errorf("count the orders that are held: %w", err))
		}
		p.damaged(failed)
		if ctx.Err() == nil {
			trouble.Note(failed)
		}
		if p.o.Now().Sub(touched) >= touchEvery {
			touched = p.o.Now()
			for _, part := range parts {
				part.touch()
			}
		}
	}
}

// assigned returns the restored partitions, by number.
func (p *Pipeline) assigned() []*partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*partition
	for _, n := range slices.Sorted(maps.Keys(p.parts)) {
		out = append(out, p.parts[n])
	}
	return out
}

// look is what the sweep does with one order that is due.
type look struct {
	key      []byte
	due      time.Time
	next     time.Time // when it is due again
	send     *kgo.Record
	query    bool // what is sent asks Alipay
	awaiting bool // its state on disk is about to change
}

// sweep looks at up to limit orders of a partition that are due. It sends before it postpones.
func (p *Pipeline) sweep(ctx context.Context, part *partition, limit int) (int, error) {
	var looks []look
	now := p.o.Now()
	err := p.store.Load().Due(part.number, now, limit, func(key, value []byte, due time.Time) error {
		l := look{key: slices.Clone(key), due: due}
		if part.changing(string(key)) {
			l.next, l.awaiting = now.Add(sweepEvery), true
		} else if err := p.decide(ctx, &l, value, now); err != nil {
			return err
		}
		looks = append(looks, l)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var send []*kgo.Record
	queries := int64(0)
	for _, l := range looks {
		if l.send != nil {
			send = append(send, l.send)
		}
		if l.query {
			queries++
		}
	}
	if err := records.Send(ctx, p.reads.client, send...); err != nil {
		return len(looks), fmt.Errorf("ask for orders: %w", err)
	}
	p.asked.Add(queries)
	for _, l := range looks {
		if err := p.store.Load().Postpone(part.number, l.key, l.due, l.next); err != nil {
			return len(looks), err
		}
	}
	return len(looks), nil
}

// decide says what is sent for an order that is due, and when it is due again.
func (p *Pipeline) decide(ctx context.Context, l *look, value []byte, now time.Time) error {
	s, err := p.codec.Decode(ctx, p.o.Topics.Status, value)
	if _, final := order.IsUndecodable(err); final { // it must not keep the others waiting
		p.log.ErrorContext(ctx, "trade status of an order cannot be read; the sweep does not ask for it", "topic", p.o.Topics.Status, "key", string(l.key), "error", err,
			"remedy", "start a newer version if one wrote it; otherwise find out who else may write to the topic")
		l.next = now.Add(readAgain)
		return nil
	}
	if err != nil {
		return fmt.Errorf("decode trade status: %w", err)
	}
	ends := p.o.Keep.Expires(s)
	next, pending := p.o.Schedule.NextAsk(s, now)
	round := p.o.Schedule.Round(s, now)
	switch {
	case !now.Before(ends):
		l.next = now.Add(decideAgain)
		l.send, err = p.observation(ctx, s, order.Forgotten, "retention", now)
	case p.o.Schedule.GaveUp(s, now):
		l.next = now.Add(decideAgain)
		l.send, err = p.observation(ctx, s, order.Unresolved, "sweep", now)
	case pending && round > 0:
		l.next, l.query = next, true
		l.send, err = p.query(ctx, s, state.AskID(s, round), now)
	case pending:
		l.next = next
	default:
		l.next = ends
	}
	return err
}

// wake is when the sweep first looks at an order.
func (p *Pipeline) wake(s state.Status) time.Time {
	if next, pending := p.o.Schedule.NextAsk(s, s.ObservedAt); pending {
		return next
	}
	return p.o.Keep.Expires(s)
}

// changing reports whether the store does not have the newest state of an order.
func (part *partition) changing(key string) bool {
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.gone || part.overlay[key] != nil
}

// observation is a decision of the sweep. It names the version that it is about, so that it changes nothing else.
func (p *Pipeline) observation(ctx context.Context, s state.Status, kind order.ObservationKind, cause string, now time.Time) (*kgo.Record, error) {
	return p.o.Encoder.Observation(ctx, order.Observation{
		Account: s.Account, Environment: s.Environment, Channel: s.Channel, OrderNo: s.OrderNo, TradeNo: s.TradeNo, KoubeiOrderNo: s.KoubeiOrderNo,
		Kind: kind, CauseID: cause, Version: s.Version, ObservedAt: now,
	})
}

// query is an event that asks for an order, in the trace of its create.
func (p *Pipeline) query(ctx context.Context, s state.Status, id order.EventID, now time.Time) (*kgo.Record, error) {
	ev := order.Event{
		ID: id, Type: order.TypeQueryRequested, OccurredAt: now,
		Account: s.Account, Channel: s.Channel, OrderNo: s.OrderNo, TradeNo: s.TradeNo, KoubeiOrderNo: s.KoubeiOrderNo,
	}
	value, err := p.o.Codec.EncodeEvent(ctx, p.o.Topics.Sweep, ev)
	if err != nil {
		return nil, fmt.Errorf("encode query: %w", err)
	}
	r := &kgo.Record{Topic: p.o.Topics.Sweep, Key: []byte(s.Key()), Value: value}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: records.HeaderEventID, Value: []byte(ev.ID)})
	if s.CreateTraceparent != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "traceparent", Value: []byte(s.CreateTraceparent)})
	}
	return r, nil
}

// ask is the query that an observation calls for: a notification that is too old to be believed.
func (p *Pipeline) ask(ctx context.Context, o order.Observation, s state.Status) (*kgo.Record, error) {
	if s.OrderNo == "" { // nothing is known of the order yet
		s = state.Status{Account: o.Account, Channel: o.Channel, OrderNo: o.OrderNo, TradeNo: o.TradeNo, KoubeiOrderNo: o.KoubeiOrderNo, CreateTraceparent: o.CreateTraceparent}
	}
	return p.query(ctx, s, order.IDOf("late "+o.Key()+" "+o.CauseID), p.o.Now())
}
