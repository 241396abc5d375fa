package order_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
)

// The events that examples/transform/transform.py wrote are read and planned as the guide says.
func TestEventsOfTheTransform(t *testing.T) {
	const dir = "../../examples/transform/"
	read := func(name string) []byte {
		b, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	registry, err := avro.NewFolder(fstest.MapFS{"ids.json": {Data: []byte(`{"writer.avsc":9}`)}, "writer.avsc": {Data: read("writer.avsc")}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	codec := order.NewCodec(registry)
	var got []string
	for line := range strings.Lines(string(bytes.TrimSpace(read("events.hex")))) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		value, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		e, err := codec.DecodeEvent(t.Context(), "order-events", value)
		if err != nil {
			t.Fatal(err)
		}
		if err := order.CheckTimes(e, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)); err != nil || string(e.OrderNo) != key {
			t.Errorf("%s: order %s, %v", key, e.OrderNo, err)
		}
		r, err := planner(order.Defaults{}).Plan(e)
		if err != nil {
			t.Fatal(err)
		}
		content, err := alipay.Content(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(r.Method())+" "+string(content))
	}
	want := []string{
		`alipay.trade.create {"out_trade_no":"S1001","total_amount":"88.00","subject":"Tea   cups 1 2","buyer_open_id":"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5","time_expire":"2026-11-20 18:30:00"}`,
		`alipay.trade.query {"out_trade_no":"S1001"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
