package timeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
)

// recent is how far a search for the newest trade status goes back first.
const recent = 24 * time.Hour

// Current is the newest trade status of an order.
type Current struct {
	state.Status // zero: there is none

	Known      bool  // there is one
	Unreadable error // it cannot be decoded: account and order number alone are known

	key  string
	at   partition
	next int64 // offset behind what was read
}

// Current reads the newest trade status of an order.
func (f *Finder) Current(ctx context.Context, account, orderNo string, now time.Time) (Current, error) {
	c := Current{key: order.Key(order.Account(account), alipay.OutTradeNo(orderNo))}
	counts, err := f.scan.count(ctx, []string{f.Topics.Status})
	if err != nil {
		return c, err
	}
	if counts[f.Topics.Status] == 0 {
		return c, fmt.Errorf("there is no topic %s; bridge topics create creates it", f.Topics.Status)
	}
	c.at = partition{f.Topics.Status, Partition(c.key, counts[f.Topics.Status])}
	for _, since := range []time.Time{now.Add(-recent), {}} {
		newest, err := f.newest(ctx, &c, since)
		if err != nil || newest == nil {
			if err != nil {
				return c, err
			}
			continue
		}
		if newest.Value != nil {
			c.Status, err = f.states.Decode(ctx, newest.Topic, newest.Value)
			if _, final := order.IsUndecodable(err); final {
				c.Status, c.Unreadable, err = state.Status{Account: order.Account(account), OrderNo: alipay.OutTradeNo(orderNo)}, err, nil
			}
			c.Known = err == nil
		}
		return c, err
	}
	return c, nil
}

func (f *Finder) newest(ctx context.Context, c *Current, since time.Time) (newest *kgo.Record, err error) {
	spans, err := f.scan.bounds(ctx, []partition{c.at}, since)
	if err != nil {
		return nil, err
	}
	c.next = spans[c.at].end
	err = f.scan.read(ctx, spans, func(r *kgo.Record) error {
		if string(r.Key) == c.key {
			newest = r
		}
		return nil
	})
	return newest, err
}

// maxCause bounds who and why, in bytes.
const maxCause = 256

// Decide returns the observation of a decision. By is who, and why.
func (c Current) Decide(kind order.ObservationKind, by string, now time.Time) order.Observation {
	by = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, by)
	return order.Observation{
		Account: c.Account, Environment: c.Environment, Channel: c.Channel, OrderNo: c.OrderNo, TradeNo: c.TradeNo, KoubeiOrderNo: c.KoubeiOrderNo,
		Kind: kind, CauseID: strings.ToValidUTF8(by[:min(len(by), maxCause)], ""), ObservedAt: now.Truncate(time.Millisecond),
		Version: c.Version, // it is about what the operator saw
	}
}

// After is the status that the observation leads to, if no other comes before it.
func (c Current) After(o order.Observation) state.Status {
	s, _ := state.Merge(&c.Status, o, state.Rules{})
	return s
}

// Send writes a decision to the topic of observations, and returns once all replicas have it.
func (f *Finder) Send(ctx context.Context, o order.Observation) error {
	r, err := records.NewEncoder(f.Codec, records.Topics{Observations: f.Topics.Observations}, nil).WithKeys(f.Keys).Observation(ctx, o)
	if err != nil {
		return err
	}
	if err := records.Send(ctx, f.scan.client, r); err != nil {
		return fmt.Errorf("write to %s: %w", f.Topics.Observations, err)
	}
	return nil
}

// Answer is trade status after a decision.
type Answer struct {
	state.Status // of the newest version; zero: it is forgotten

	Came bool // before the time was over
}

// Await waits for the next trade status of the order for which done is true, at most for a time. A tombstone is the
// zero status.
func (f *Finder) Await(ctx context.Context, c Current, most time.Duration, done func(state.Status) bool) (Answer, error) {
	offsets := map[string]map[int32]kgo.Offset{c.at.topic: {c.at.number: kgo.NewOffset().At(c.next)}}
	f.scan.client.AddConsumePartitions(offsets)
	defer f.scan.stop(offsets)
	for end := time.Now().Add(most); time.Now().Before(end); {
		fetches, err := f.scan.poll(ctx)
		if err != nil {
			return Answer{}, err
		}
		for _, r := range fetches.Records() {
			if r.Attrs.IsControl() || string(r.Key) != c.key || r.Topic != c.at.topic || r.Offset < c.next {
				continue
			}
			var s state.Status
			if r.Value != nil {
				if s, err = f.states.Decode(ctx, r.Topic, r.Value); err != nil {
					return Answer{}, err
				}
			}
			if done(s) {
				return Answer{s, true}, nil
			}
		}
	}
	return Answer{}, nil
}
