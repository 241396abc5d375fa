package handle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
)

// BenchmarkK1K9K10_Checks is what an event costs that names an account, a time and an order,
// each of many orders having four events (security K1, K9, K10).
func BenchmarkK1K9K10_Checks(b *testing.B) {
	h := handle.NewHandler(handle.HandlerOptions{
		Inputs:   map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"a", "b", "c", "shop"}}},
		Accounts: map[order.Account]*handle.Account{"shop": {}},
	})
	const events = 4000
	lanes := make([]string, events/4)
	for i := range lanes {
		lanes[i] = fmt.Sprint("shop/", i)
	}
	now, offset := time.Now(), int64(0)
	least := time.Hour // of many turns: other work of the machine only adds
	for b.Loop() {
		now = now.Add(time.Hour) // what came before is forgotten
		begin := time.Now()
		for i := range events {
			offset++
			if !h.Judge("shop", lanes[i%len(lanes)], &kgo.Record{Topic: "in", Offset: offset}, now, now) {
				b.Fatal("refused")
			}
		}
		least = min(least, time.Since(begin))
	}
	b.ReportMetric(float64(least.Nanoseconds())/events, "ns/checks")
}
