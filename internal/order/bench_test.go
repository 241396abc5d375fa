package order_test

import (
	"fmt"
	"testing"

	"alipay-kafka-bridge/internal/order"
)

// What one event costs besides its call: reading it, planning it, writing its result.
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

// What planning checks of an event's further members and receivers (security K2, K3): the
// second row less the first.
func BenchmarkK3_FurtherMembers(b *testing.B) {
	d := order.Defaults{ExtraNames: []string{"memo", "shop_note"}, Payees: order.Payees{"seller_id": {"2088101117955611"}}}
	for _, extra := range []string{"", `{"memo":{"shelf":"A-17","gift":true,"weights":[1.5,2.25]},"shop_note":"leave at the door"}`} {
		e := event(order.ChannelTrade, order.TypeCreated)
		e.SellerID, e.ExtraJSON = "2088101117955611", extra
		p := planner(d)
		b.Run(fmt.Sprintf("%d bytes", len(extra)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Plan(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
