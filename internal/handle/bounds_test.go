package handle_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
)

// An identifier that is longer than any API accepts ends its event: what is published of it is short.
func TestLongIdentifiers(t *testing.T) {
	long := strings.Repeat("x", 700_000)
	for name, set := range map[string]func(*order.Event){
		"event_id":        func(e *order.Event) { e.ID = order.EventID(long) },
		"order_no":        func(e *order.Event) { e.OrderNo = alipay.OutTradeNo(long) },
		"account":         func(e *order.Event) { e.Account = order.Account(long) },
		"trade_no":        func(e *order.Event) { e.TradeNo = alipay.TradeNo(long) },
		"koubei_order_no": func(e *order.Event) { e.KoubeiOrderNo = alipay.KoubeiOrderNo(long) },
		"request_no":      func(e *order.Event) { e.RequestNo = alipay.RequestNo(long) },
		"status":          func(e *order.Event) { e.Status = long },
		"one in Chinese":  func(e *order.Event) { e.ID = order.EventID(strings.Repeat("\u4e2d", 90)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				ev := created("o1")
				set(&ev)
				in := d.record(ev)
				in.Key = []byte("o1")
				input := consume.Input{Record: in}
				task, err := d.handler.Prepare(t.Context(), input)
				must(t, err)
				if len(task.Key) > 300 {
					t.Errorf("the lane's key has %d bytes", len(task.Key))
				}
				out, err := task.Handle(t.Context(), input)
				must(t, err)
				refused := d.handler.Refuse(input, "panic", errors.New("panic"))
				for _, r := range append(out.Records, refused.Records...) {
					if r.Topic == "results" && size(r) > 8<<10 {
						t.Errorf("a result of %d bytes", size(r))
					}
					if extra := size(r) - len(in.Value); r.Topic == "in.dlq" && extra > 8<<10 {
						t.Errorf("a dead letter with %d bytes more than the original", extra)
					}
				}
				if got := d.handle(t.Context(), in); got.Outcome != order.OutcomeInvalid || got.dead["dead-reason"] != "invalid" {
					t.Errorf("%s %q, dead letter %q", got.Outcome, got.Reason, got.dead["dead-reason"])
				}
			})
		})
	}
}

func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// An event of a channel that its account's gateway does not have can never be sent.
func TestChannelOfAnotherGateway(t *testing.T) {
	for name, ev := range map[string]order.Event{
		"HK at the classic gateway": func() order.Event { e := paidHK("o1", "e1", 0); e.Account = "shop"; return e }(),
		"TRADE at AlipayHK":         func() order.Event { e := created("o1"); e.Account, e.Channel = "kong", order.ChannelTrade; return e }(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				got := d.send(ev)
				if got.err != nil || got.Outcome != order.OutcomeInvalid || got.dead["dead-reason"] != "channel_not_supported" {
					t.Errorf("%s %q, dead letter %q, %v", got.Outcome, got.Reason, got.dead["dead-reason"], got.err)
				}
				if n := len(d.sim.Journal().Requests); n != 0 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

// A record whose decoding panics is refused without being decoded to the end.
func TestRefuseSurvivesWhatPanicked(t *testing.T) {
	d := newDesk(t)
	d.options.Codec = nil // every use of it panics
	d.handler = handle.NewHandler(d.options)
	out := d.handler.Refuse(consume.Input{Record: &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("v"), Offset: 3}}, "panic", errors.New("panic"))
	if len(out.Records) == 0 {
		t.Fatal("no records")
	}
	if last := out.Records[len(out.Records)-1]; last.Topic != "in.dlq" || string(last.Value) != "v" {
		t.Errorf("the last record is for %s", last.Topic)
	}
}

// A record without a value, as a compacted topic has, is not an event: it is skipped, with a reason.
func TestTombstonesAreSkipped(t *testing.T) {
	d := newDesk(t)
	got := d.handle(t.Context(), &kgo.Record{Topic: "in", Key: []byte("o1"), Offset: 5})
	if got.skip != "tombstone" || got.topics != "" || got.err != nil {
		t.Errorf("skip %q, records for %q, %v", got.skip, got.topics, got.err)
	}
	got = d.handle(t.Context(), &kgo.Record{Topic: "in", Key: []byte("o1"), Value: []byte{}, Offset: 6})
	if got.dead["dead-reason"] != "undecodable" {
		t.Errorf("an empty value: %+v", got)
	}
}
