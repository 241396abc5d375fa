//go:build !race

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	oracle "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
	"alipay-kafka-bridge/schemas"
)

// Hundreds of different orders at once, each of which costs much for its size.

// crowd is one kind of them.
type crowd struct {
	name  string
	n     int
	value func(*besieged) []byte
}

// each makes records of events that change makes. They are written once; the numbers in them differ.
func each(change func(ev *order.Event)) func(*besieged) []byte {
	return func(b *besieged) []byte {
		ev := created("crowd0000")
		change(&ev)
		return b.record(ev).Value
	}
}

// foreign makes records of a schema with one more field, whose value is this JSON.
func foreign(field, value string) func(*besieged) []byte {
	return func(b *besieged) []byte {
		registry, err := avro.NewRegistry(b.kafka.RegistryOptions())
		apptest.NoError(b.t, err)
		text := strings.TrimSpace(schemas.OrderEvent)
		i := strings.LastIndex(text, "]")
		text = text[:i] + "," + field + text[i:]
		codec, err := avro.NewCodec(text)
		apptest.NoError(b.t, err)
		id, err := registry.Register(b.t.Context(), inputTopic, codec)
		apptest.NoError(b.t, err)
		at := time.Now().Add(-time.Minute).Format(time.RFC3339)
		record, err := codec.FromJSON(fmt.Appendf(nil, `{"event_id":"e-crowd0000","event_type":"CREATED","occurred_at":%q,"order_no":"crowd0000","total":{"minor":100,"currency":"CNY"},"subject":"tea","buyer_user_id":"2088102146225135",%s}`, at, value))
		apptest.NoError(b.t, err)
		framed, err := oracle.MustParse(text).AppendEncode(avro.AppendFrame(nil, id), record)
		apptest.NoError(b.t, err)
		return framed
	}
}

func list(element string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// TestCrowds: the process stays within its memory, and every order has a result.
func TestCrowds(t *testing.T) {
	nested := `{"a":` + strings.Repeat(`{"b":`, 12) + `"` + strings.Repeat(`[\"c\",`, 9_000) + `"` + strings.Repeat("}", 13)
	for _, c := range []crowd{
		{"items of a byte each", 400, each(func(ev *order.Event) {
			for range 4_900 {
				ev.Items = append(ev.Items, order.Item{Price: &alipay.Money{}})
			}
		})},
		{"unions in a field that we do not have", 300, foreign(`{"name":"junk","default":[],"type":{"type":"array","items":["int","null"]}}`, `"junk":`+list("1", 49_000))},
		{"maps in a field that we do not have", 200, foreign(`{"name":"junk","default":[],"type":{"type":"array","items":{"type":"map","values":"int"}}}`, `"junk":`+list(`{"a":1}`, 30_000))},
		{"identifiers of 300,000 characters", 150, each(func(ev *order.Event) {
			ev.ID += order.EventID(strings.Repeat("i", 300_000))
			ev.TradeNo = alipay.TradeNo(strings.Repeat("t", 300_000))
		})},
		{"order numbers of 600,000 characters", 150, each(func(ev *order.Event) {
			ev.OrderNo += alipay.OutTradeNo(strings.Repeat("o", 600_000))
		})},
		{"one order number of 500,000 characters", 400, each(func(ev *order.Event) {
			ev.OrderNo = alipay.OutTradeNo(strings.Repeat("o", 500_000))
		})},
		{"free texts with names in names", 300, each(func(ev *order.Event) {
			ev.BusinessParamsJSON, ev.ExtraJSON, ev.OrderBizInfoJSON = nested, nested, nested
			for range 8 {
				ev.Items = append(ev.Items, order.Item{GoodsID: "g", Name: "n", Quantity: 1, Price: &alipay.Money{Minor: 1, Currency: "CNY"}, ExtraJSON: nested})
			}
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := besiege(t, time.Millisecond)
			value := c.value(b)
			var records []*kgo.Record
			for i := range c.n {
				no := fmt.Appendf(nil, "crowd%04d", i)
				records = append(records, &kgo.Record{Topic: inputTopic, Key: no, Value: bytes.ReplaceAll(value, []byte("crowd0000"), no)})
			}
			b.sendInBatches(append(records, b.record(created("last"))))
			b.run()
			began := time.Now()
			if got := b.outcomes(c.n + 1); got["e-last"] != "APPLIED" {
				t.Errorf("the order behind them: %q", got["e-last"])
			}
			t.Logf("%d events in %v", c.n, time.Since(began).Round(time.Millisecond))
			b.resident()
		})
	}
}

// sendInBatches sends records in batches below a broker's limit.
func (b *besieged) sendInBatches(records []*kgo.Record) {
	b.t.Helper()
	size, from := 0, 0
	for i, r := range records {
		if size += len(r.Value); size > 2<<20 || i-from == 50 {
			b.send(records[from:i]...)
			from, size = i, len(r.Value)
		}
	}
	b.send(records[from:]...)
}

// TestCrowdOfAnswers: hundreds of answers of 1 MiB at once, half of which come late; another
// app's orders have results meanwhile.
func TestCrowdOfAnswers(t *testing.T) {
	b := besiege(t, time.Millisecond)
	page := bytes.Repeat([]byte("x"), 1<<20)
	done := make(chan struct{})
	var ended atomic.Int32
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == simulator.HKPath {
			b.sim.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(page[:1<<20-1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-done:
		case <-r.Context().Done():
		}
		ended.Add(1)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	app, err := standalone.GenerateApp(testApp)
	apptest.NoError(t, err)
	b.prepare(l.Addr().String(), app, b.hk)
	var records []*kgo.Record
	for i := range 700 {
		records = append(records, b.record(created(fmt.Sprint("m", i))))
	}
	b.sendInBatches(records)
	b.run()
	var kong []*kgo.Record
	for i := range 50 {
		ev := created(fmt.Sprint("kong", i))
		first := ev.OccurredAt.Add(-time.Hour)
		ev.Account, ev.Channel, ev.Type, ev.OrderCreatedAt, ev.TradeNo, ev.BuyerUserID = "kong", order.ChannelHK, order.TypePaid, &first, "2026013122001", "2160123456789012"
		ev.Total.Currency = "HKD"
		kong = append(kong, b.record(ev))
	}
	b.send(kong...)
	for id, got := range b.outcomes(50) {
		if got != "APPLIED" {
			t.Errorf("%s: %q", id, got)
		}
	}
	b.resident()
	close(done)
	b.await("200 answers ended: each makes room for another", func() bool { return ended.Load() >= 200 })
	b.resident()
}

// TestCrowdOfLongKeys: keys of half a megabyte, which are also the order numbers, of records that
// become dead letters, and of records without a value.
func TestCrowdOfLongKeys(t *testing.T) {
	const n = 400
	b := besiege(t, time.Millisecond)
	long := strings.Repeat("k", 500_000)
	var records []*kgo.Record
	for i := range n {
		ev := created(long + fmt.Sprint(i))
		ev.ID = order.EventID(fmt.Sprint("long", i))
		r := b.record(ev)
		switch i % 4 {
		case 1:
			r.Value = nil
		case 2:
			r.Value = []byte("no event")
		case 3:
			r.Key = []byte(long)
		}
		records = append(records, r)
	}
	b.sendInBatches(append(records, b.record(created("last"))))
	b.run()
	if got := b.outcomes(n - n/4 + 1); got["e-last"] != "APPLIED" {
		t.Errorf("the order behind them: %q", got["e-last"])
	}
	b.resident()
}

// TestCrowdInCompressedBatches: batches of a few kilobytes that are nearly as large as a batch may be
// when they are unpacked, of events that wait, because the gateways do not answer. They are read
// again when their turn comes.
func TestCrowdInCompressedBatches(t *testing.T) {
	for _, c := range []struct {
		name                        string
		codec                       kgo.CompressionCodec
		partitions, batches, header int
		long                        bool // the gateways answer when the bridge has read all that it may hold
	}{
		{"zstd, large records, long stall", kgo.ZstdCompression(), 4, 2, 900_000, true},
		{"gzip, large records, short stall", kgo.GzipCompression(), 4, 1, 900_000, false},
		{"zstd, small records, short stall", kgo.ZstdCompression(), 4, 1, 30_000, false},
		{"gzip, small records, long stall", kgo.GzipCompression(), 4, 2, 100_000, true},
		{"zstd, one partition, small records, long stall", kgo.ZstdCompression(), 1, 4, 60_000, true},
		{"gzip, one partition, large records, short stall", kgo.GzipCompression(), 1, 4, 900_000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := besiegePartitions(t, time.Millisecond, c.partitions)
			n := 0
			for p := range int32(c.partitions) {
				for range c.batches {
					n += b.packed(c.codec, p, n, c.header)
				}
			}
			b.stall.Lock()
			b.run()
			b.await("calls wait for their answers", func() bool { return b.calls.Load() >= 3 })
			if c.long {
				b.await("the bridge takes no more memory", b.restful())
			}
			b.stall.Unlock()
			began := time.Now()
			b.outcomes(n)
			t.Logf("%d events in %v", n, time.Since(began).Round(time.Millisecond))
			b.resident()
		})
	}
}

// packed sends one compressed batch of nearly 32 MiB, of events from a number on that have a header
// of so many bytes, and returns how many they are.
func (b *besieged) packed(codec kgo.CompressionCodec, partition int32, from, header int) int {
	b.t.Helper()
	value := b.record(created("crowd00000")).Value
	more := []kgo.RecordHeader{{Key: "unused", Value: make([]byte, header)}}
	var records []*kgo.Record
	for i := range (31 << 20) / (len(value) + header + 100) {
		no := fmt.Appendf(nil, "crowd%05d", from+i)
		records = append(records, &kgo.Record{Topic: inputTopic, Partition: partition, Key: no, Value: bytes.ReplaceAll(value, []byte("crowd00000"), no), Headers: more})
	}
	cl, err := kgo.NewClient(append(b.kafka.ClientOptions(), kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(time.Minute))...)
	apptest.NoError(b.t, err)
	defer cl.Close()
	for _, r := range records {
		cl.Produce(b.t.Context(), r, func(_ *kgo.Record, err error) { apptest.NoError(b.t, err) })
	}
	apptest.NoError(b.t, cl.Flush(b.t.Context()))
	return len(records)
}

// restful returns a condition: for two seconds the most memory that the child had did not grow by
// more than 4 MiB. A child at rest still grows by some pages: its calls go on being tried.
func (b *besieged) restful() func() bool {
	const little = 4 << 10 // KiB
	most, since := 0, time.Now()
	return func() bool {
		if n := apptest.PeakResident(b.t, strconv.Itoa(b.child.Process.Pid)); n > most+little {
			most, since = n, time.Now()
		}
		return time.Since(since) > 2*time.Second
	}
}

// await waits until something is true of the child.
func (b *besieged) await(what string, ok func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); !ok(); <-tick.C {
		if b.alive(); time.Now().After(until) {
			b.t.Fatalf("not within %v: %s; the bridge said:\n%s", patience, what, tailOf(b.said.String()))
		}
	}
}
