package records_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/telemetry"
	"alipay-kafka-bridge/schemas"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var topics = records.Topics{
	Results: "results", Snapshots: "snapshots", Observations: "observations", Journal: "journal",
	DeadLetters: map[string]string{"in": "in.dlq"},
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newCodec(t *testing.T) *order.Codec {
	t.Helper()
	return order.NewCodec(must[*avro.Registry](t)(avro.NewFolder(schemas.FS, 0)))
}

func newEncoder(t *testing.T, pass ...string) (*records.Encoder, *order.Codec) {
	codec := newCodec(t)
	return records.NewEncoder(codec, topics, pass), codec
}

// traced is the context of a handling that continues the trace of its input.
func traced() context.Context {
	return telemetry.Extract(context.Background(), &kgo.Record{Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(traceparent)}}})
}

func input(headers ...kgo.RecordHeader) records.Input {
	return records.Input{Record: &kgo.Record{
		Topic: "in", Partition: 3, Offset: 41, Key: []byte("o1"), Value: []byte("event"), Headers: headers,
		Timestamp: time.Date(2026, 1, 31, 8, 0, 0, 5e6, time.FixedZone("", 8*3600)),
	}}
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func headers(t *testing.T, r *kgo.Record) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, h := range r.Headers {
		if _, twice := out[h.Key]; twice {
			t.Errorf("header %s twice", h.Key)
		}
		out[h.Key] = string(h.Value)
	}
	return out
}

// created is a create that Alipay decided.
func created(outcome order.CallOutcome) (order.Handling, order.Result) {
	h := order.Handling{
		Event: order.Event{ID: "e1", OrderNo: "o1"}, Account: "shop",
		Request: &alipay.TradeCreate{OutTradeNo: "o1", TotalAmount: alipay.Money{Minor: 100, Currency: "CNY"}},
	}
	r := order.Result{EventID: "e1", Account: "shop", OrderNo: "o1", Method: alipay.MethodTradeCreate, Outcome: outcome, CallClass: order.ClassDone, FinishedAt: time.Unix(0, 0)}
	return h, r
}

// What each record is keyed by, and which records come together.
func TestKeysAndTopics(t *testing.T) {
	enc, _ := newEncoder(t)
	at := time.Unix(0, 0)
	query := order.Handling{Request: &alipay.TradeQuery{OutTradeNo: "o1"}}
	for _, tt := range []struct {
		name string
		make func() ([]*kgo.Record, error)
		want string
	}{
		// A create says something of its trade: an observation is published with it.
		{"applied create", func() ([]*kgo.Record, error) {
			h, r := created(order.OutcomeApplied)
			return enc.Result(traced(), input(), h, r)
		}, "results shop/o1, observations shop/o1"},
		{"exhausted create", func() ([]*kgo.Record, error) {
			h, r := created(order.OutcomeExhausted)
			return enc.Result(traced(), input(), h, r)
		}, "results shop/o1"},
		{"query", func() ([]*kgo.Record, error) {
			return enc.Result(traced(), input(), query, order.Result{Account: "shop", OrderNo: "o1", FinishedAt: at})
		}, "results shop/o1"},
		// An event that cannot be decoded has no order number. Readers find its result where the
		// event would have led them.
		{"undecodable", func() ([]*kgo.Record, error) {
			return enc.Result(traced(), input(), order.Handling{}, order.Result{FinishedAt: at})
		}, "results o1"},
		{"snapshot", func() ([]*kgo.Record, error) {
			return enc.Snapshot(traced(), input(), order.Snapshot{Account: "shop", OrderNo: "o1", ObservedAt: at})
		}, "snapshots shop/o1, observations shop/o1"},
		{"journal", func() ([]*kgo.Record, error) {
			r, err := enc.Journal(traced(), order.JournalEntry{Topic: "in", Partition: 3, WrittenAt: at})
			return []*kgo.Record{r}, err
		}, "journal in/3"},
		{"dead letter", func() ([]*kgo.Record, error) {
			return []*kgo.Record{enc.DeadLetter(traced(), input(), records.DeadLetter{Reason: "invalid"})}, nil
		}, "in.dlq o1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, r := range must[[]*kgo.Record](t)(tt.make()) {
				got = append(got, r.Topic+" "+string(r.Key))
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("records = %s, want %s", s, tt.want)
			}
		})
	}
}

// The key of an undecodable record may be of any length; that of its result may not.
func TestLongKeyOfAnUndecodableRecord(t *testing.T) {
	enc, _ := newEncoder(t)
	in := input()
	in.Key = make([]byte, 1<<20)
	out := must[[]*kgo.Record](t)(enc.Result(traced(), in, order.Handling{}, order.Result{FinishedAt: time.Unix(0, 0)}))
	if n := len(out[0].Key); n != 64<<10 {
		t.Errorf("key of %d bytes, want 64 KiB", n)
	}
}

// The headers that the bridge writes, with the trace of the handling's context.
func TestOwnHeaders(t *testing.T) {
	enc, codec := newEncoder(t)
	h, r := created(order.OutcomeApplied)
	for _, tt := range []struct {
		name    string
		rewound bool
		want    map[string]string
	}{
		{"as usual", false, map[string]string{"event-id": "e1", "method": "alipay.trade.create", "class": "DONE", "traceparent": traceparent}},
		// Results of a group that was set back may have been published before.
		{"rewound", true, map[string]string{"event-id": "e1", "method": "alipay.trade.create", "class": "DONE", "traceparent": traceparent, "rewound": "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := input()
			in.Rewound = tt.rewound
			out := must[[]*kgo.Record](t)(enc.Result(traced(), in, h, r))
			if got := headers(t, out[0]); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("result: headers = %v, want %v", got, tt.want)
			}
			// An observation has no class: it is what Alipay showed, not how a call ended.
			got := headers(t, out[1])
			if _, ok := got["class"]; ok || got["event-id"] != "e1" || (got["rewound"] == "true") != tt.rewound {
				t.Errorf("observation: headers = %v", got)
			}
			o := must[order.Observation](t)(codec.DecodeObservation(t.Context(), "observations", out[1].Value))
			if o.CreateTraceparent != traceparent {
				t.Errorf("the observation links to %q", o.CreateTraceparent)
			}
		})
	}
	t.Run("without a trace", func(t *testing.T) {
		out := must[[]*kgo.Record](t)(enc.Result(t.Context(), input(), h, r))
		if _, ok := headers(t, out[0])["traceparent"]; ok {
			t.Error("traceparent without a trace")
		}
	})
}

// An input's header is passed on only when it is listed, never under a name that the bridge
// writes itself, and within limits (security K8).
func TestPassedHeaders(t *testing.T) {
	many := make([]kgo.RecordHeader, 20)
	for i := range many {
		many[i] = header(fmt.Sprint("shop-", i), "v")
	}
	var listed []string
	for _, h := range many {
		listed = append(listed, h.Key)
	}
	for _, tt := range []struct {
		name string
		pass []string
		in   []kgo.RecordHeader
		want int
	}{
		{"listed", []string{"shop-0"}, many[:1], 1},
		{"not listed", []string{"shop-0"}, many[1:2], 0},
		{"16 of 20", listed, many, 16},
		{"4 KiB", []string{"shop-0"}, []kgo.RecordHeader{header("shop-0", strings.Repeat("x", 4<<10-len("shop-0")))}, 1},
		{"over 4 KiB", []string{"shop-0"}, []kgo.RecordHeader{header("shop-0", strings.Repeat("x", 4<<10))}, 0},
		{"event-id", []string{"event-id"}, []kgo.RecordHeader{header("event-id", "forged")}, 0},
		{"method", []string{"method"}, []kgo.RecordHeader{header("method", "forged")}, 0},
		{"class", []string{"class"}, []kgo.RecordHeader{header("class", "forged")}, 0},
		{"rewound", []string{"rewound"}, []kgo.RecordHeader{header("rewound", "forged")}, 0},
		{"traceparent", []string{"traceparent"}, []kgo.RecordHeader{header("traceparent", "forged")}, 0},
		{"tracestate", []string{"tracestate"}, []kgo.RecordHeader{header("tracestate", "forged")}, 0},
		{"baggage", []string{"baggage"}, []kgo.RecordHeader{header("baggage", "forged")}, 0},
		{"dead letter's", []string{"dead-reason"}, []kgo.RecordHeader{header("dead-reason", "forged")}, 0},
		{"an input's of a dead letter", []string{"in.x"}, []kgo.RecordHeader{header("in.x", "forged")}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enc, _ := newEncoder(t, tt.pass...)
			h, r := created(order.OutcomeExhausted)
			out := must[[]*kgo.Record](t)(enc.Result(t.Context(), input(tt.in...), h, r))
			passed := 0
			for _, h := range out[0].Headers {
				if string(h.Value) == "forged" {
					t.Errorf("header %s of the input is passed on", h.Key)
				}
				if strings.HasPrefix(h.Key, "shop-") {
					passed++
				}
			}
			if passed != tt.want {
				t.Errorf("%d headers passed, want %d", passed, tt.want)
			}
		})
	}
}

// A dead letter has the original's key, bytes, place and headers, and why it is one.
func TestDeadLetter(t *testing.T) {
	enc, _ := newEncoder(t)
	first := time.Date(2026, 1, 31, 0, 0, 1, 0, time.UTC)
	r := enc.DeadLetter(traced(), input(header("shop", "x"), header("dead-reason", "older"), header("traceparent", "theirs")), records.DeadLetter{
		Reason: "exhausted", Error: "no answer\r\nfor 15 min", EventID: "e1", Attempts: 5, FirstAttempt: &first, Replays: 2,
	})
	want := map[string]string{
		"dead-reason": "exhausted", "dead-error": "no answer??for 15 min",
		"dead-topic": "in", "dead-partition": "3", "dead-offset": "41", "dead-timestamp": "2026-01-31T00:00:00.005Z",
		"dead-attempts": "5", "dead-first-attempt": "2026-01-31T00:00:01Z", "dead-replays": "2", "event-id": "e1",
		"in.shop": "x", "in.dead-reason": "older", "in.traceparent": "theirs", "traceparent": traceparent,
	}
	if got := headers(t, r); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("headers = %v\nwant %v", got, want)
	}
	if string(r.Value) != "event" {
		t.Errorf("value = %q", r.Value)
	}
}

// The bytes of a large original stay in its topic: the dead letter says how to find and to
// check them.
func TestDeadLetterOfEachSize(t *testing.T) {
	const limit = 800 << 10
	for _, tt := range []struct {
		name       string
		key, value int
		keyed      int // bytes of the letter's key
		whole      bool
	}{
		{"empty", 0, 0, 0, true},
		{"small", 10, 100, 10, true},
		{"just at the limit", 10, limit - 10, 10, true},
		{"one byte over", 10, limit - 9, 10, false},
		{"1 MiB", 10, 1 << 20, 10, false},
		{"key alone too large", limit + 1, 0, 64 << 10, false},
		{"key and value large", 100 << 10, 750 << 10, 64 << 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enc, _ := newEncoder(t)
			in := input()
			in.Key, in.Value = bytes.Repeat([]byte("k"), tt.key), bytes.Repeat([]byte("v"), tt.value)
			r := enc.DeadLetter(t.Context(), in, records.DeadLetter{Reason: "invalid"})
			if len(r.Key) != tt.keyed {
				t.Errorf("key of %d bytes, want %d", len(r.Key), tt.keyed)
			}
			got := headers(t, r)
			if tt.whole {
				if !bytes.Equal(r.Value, in.Value) || got["dead-length"] != "" || got["dead-sha256"] != "" {
					t.Errorf("value of %d bytes, length %q", len(r.Value), got["dead-length"])
				}
				return
			}
			sum := sha256.Sum256(in.Value)
			if r.Value != nil || got["dead-length"] != fmt.Sprint(tt.value) || got["dead-sha256"] != hex.EncodeToString(sum[:]) {
				t.Errorf("value of %d bytes, length %q, hash %q", len(r.Value), got["dead-length"], got["dead-sha256"])
			}
		})
	}
}

// What a stranger can put into a dead letter's headers is bounded: a letter that no topic
// accepts would stop its partition.
func TestDeadLetterHeadersAreBounded(t *testing.T) {
	size := func(r *kgo.Record) int {
		n := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			n += len(h.Key) + len(h.Value)
		}
		return n
	}
	t.Run("headers of the input", func(t *testing.T) {
		enc, _ := newEncoder(t)
		in := input(header("small", "x"), header("large", strings.Repeat("y", 900<<10)))
		in.Value = make([]byte, 790<<10)
		r := enc.DeadLetter(t.Context(), in, records.DeadLetter{Reason: "invalid"})
		if got := headers(t, r); got["in.small"] != "x" || got["in.large"] != "" {
			t.Error("want the small header and not the large one")
		}
		if n := size(r); n > 1<<20 {
			t.Errorf("letter of %d bytes", n)
		}
	})
	for name, text := range map[string]string{"ascii": strings.Repeat("x", 1000), "chinese": strings.Repeat("\u652f", 1000)} {
		t.Run("error text, "+name, func(t *testing.T) {
			enc, _ := newEncoder(t)
			got := headers(t, enc.DeadLetter(t.Context(), input(), records.DeadLetter{Error: text}))["dead-error"]
			if want := map[string]int{"ascii": 256, "chinese": 255}[name]; len(got) != want || !strings.HasPrefix(text, got) {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

// Headers of the input are kept up to exactly 64 KiB of names and values.
func TestInputHeadersThatJustFit(t *testing.T) {
	enc, _ := newEncoder(t)
	fits := header("fits", strings.Repeat("y", 64<<10-len("fits")))
	for name, tt := range map[string]struct {
		in   records.Input
		bare bool
		want bool
	}{
		"exactly":       {input(fits), false, true},
		"a byte more":   {input(header("fits!", string(fits.Value))), false, false},
		"bare":          {input(fits), true, false},
		"empty headers": {input(header("", "")), false, true},
	} {
		kept := false
		for _, h := range enc.DeadLetter(t.Context(), tt.in, records.DeadLetter{Reason: "invalid", Bare: tt.bare}).Headers {
			kept = kept || strings.HasPrefix(h.Key, "in.")
		}
		if kept != tt.want {
			t.Errorf("%s: kept %v, want %v", name, kept, tt.want)
		}
	}
}

// What controls a terminal is replaced, and nothing beside it.
func TestErrorTextOfADeadLetter(t *testing.T) {
	enc, _ := newEncoder(t)
	got := headers(t, enc.DeadLetter(t.Context(), input(), records.DeadLetter{Error: "\x1f \x7e\x7f\u0080\u009f\u00a0\xff."}))["dead-error"]
	if want := "? ~???\u00a0?."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An empty fact has no header.
func TestDeadLetterLeavesOutWhatIsNotKnown(t *testing.T) {
	enc, _ := newEncoder(t)
	got := headers(t, enc.DeadLetter(t.Context(), input(), records.DeadLetter{Reason: "undecodable"}))
	for _, name := range []string{"dead-error", "dead-first-attempt", "event-id", "traceparent"} {
		if _, ok := got[name]; ok {
			t.Errorf("header %s: %q", name, got[name])
		}
	}
}

// Ready finds a schema that is missing before the first event is read.
func TestReady(t *testing.T) {
	enc, _ := newEncoder(t)
	if err := enc.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// Events are sent in their order under their order numbers, and a failure names its event.
func TestSendEvents(t *testing.T) {
	cluster := must[*kfake.Cluster](t)(kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "in")))
	defer cluster.Close()
	cl := must[*kgo.Client](t)(kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("in"), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))))
	defer cl.Close()
	codec := newCodec(t)
	event := func(id, no string) order.Event {
		return order.Event{ID: order.EventID(id), Type: order.TypeCreated, OrderNo: alipay.OutTradeNo(no), OccurredAt: time.Unix(0, 0)}
	}

	t.Run("sent", func(t *testing.T) {
		if err := records.SendEvents(t.Context(), cl, codec, "in", []order.Event{event("e1", "o1"), event("e2", "o1"), event("e3", "o2")}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for len(got) < 3 {
			f := cl.PollFetches(t.Context())
			f.EachRecord(func(r *kgo.Record) {
				ev := must[order.Event](t)(codec.DecodeEvent(t.Context(), "in", r.Value))
				if string(r.Key) == "o1" {
					got = append(got, string(ev.ID))
				} else {
					got = append(got, "")
				}
			})
		}
		if s := strings.Join(strings.Fields(strings.Join(got, " ")), " "); s != "e1 e2" {
			t.Errorf("events of o1: %s", s)
		}
	})
	t.Run("refused", func(t *testing.T) {
		large := event("e4", "o1")
		large.Subject = strings.Repeat("x", 2<<20)
		if err := records.SendEvents(t.Context(), cl, codec, "in", []order.Event{event("e5", "o1"), large}); err == nil || !strings.Contains(err.Error(), "event e4") {
			t.Errorf("err = %v, want one that names e4", err)
		}
	})
}
