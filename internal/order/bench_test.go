package order_test

import (
	"testing"
	"time"

	"alipay-kafka-bridge/internal/order"
)

// What one event costs without its call: reading it, planning it, writing its result.
func BenchmarkEvent(b *testing.B) {
	c := codec(b)
	e := richEvents()[0]
	value, err := c.EncodeEvent(b.Context(), "order-events", e)
	if err != nil {
		b.Fatal(err)
	}
	p := planner(generous())
	result := filled[order.Result]()
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.DecodeEvent(b.Context(), "order-events", value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Plan(e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode result", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.EncodeResult(b.Context(), "alipay-results", result); err != nil {
				b.Fatal(err)
			}
		}
	})
	masked := maskedSnapshot()
	b.Run("encode snapshot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.EncodeSnapshot(b.Context(), "alipay-snapshots", masked); err != nil {
				b.Fatal(err)
			}
		}
	})
	shown, err := order.NewMasker(order.MaskOptions{Clear: map[string][]string{"alipay-snapshots": order.MaskedFields()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode snapshot without masks", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.WithMasker(shown).EncodeSnapshot(b.Context(), "alipay-snapshots", masked); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkK3_FurtherMembers reports what planning checks of an event's further members and
// receivers (security K2, K3): an event with them less one without, in turn, so that a busy
// machine disturbs both alike. At most 3000 ns.
func BenchmarkK3_FurtherMembers(b *testing.B) {
	p := planner(order.Defaults{ExtraNames: []string{"memo", "shop_note"}, Payees: order.Payees{"seller_id": {"2088101117955611"}}})
	plain := event(order.ChannelTrade, order.TypeCreated)
	full := plain
	full.SellerID, full.ExtraJSON = "2088101117955611", `{"memo":{"shelf":"A-17","gift":true,"weights":[1.5,2.25]},"shop_note":"leave at the door"}`
	const events = 200
	plan := func(e order.Event) time.Duration {
		begin := time.Now()
		for range events {
			if _, err := p.Plan(e); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	least := [2]time.Duration{time.Hour, time.Hour} // of many turns: other work of the machine only adds
	for b.Loop() {
		least[0], least[1] = min(least[0], plan(plain)), min(least[1], plan(full))
	}
	b.ReportMetric(float64(least[0].Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64((least[1]-least[0]).Nanoseconds())/events, "ns/checks")
}
