package handle_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/schemas"
)

// read is what records say.
func (d *desk) read(records []*kgo.Record) (res order.Result, dead map[string]string) {
	d.t.Helper()
	for _, r := range records {
		switch r.Topic {
		case "results":
			var err error
			res, err = d.codec.DecodeResult(d.t.Context(), r.Topic, r.Value)
			must(d.t, err)
		case "in.dlq":
			dead = map[string]string{}
			for _, h := range r.Headers {
				dead[h.Key] = string(h.Value)
			}
		default:
			d.t.Errorf("a record for %s", r.Topic)
		}
	}
	return res, dead
}

// An outcome that cannot be published is replaced: what the calls decided stays true, and every exchange is counted.
func TestReplacedOutcomesStayTrue(t *testing.T) {
	for _, tt := range []struct {
		name   string
		event  func() order.Event
		faults []simulator.Fault
		want   order.CallOutcome
		reason string
		calls  string
	}{
		{"another trade has the number", func() order.Event { e := created("taken"); e.Subject = "ten kilograms of gold"; return e }, nil, order.OutcomeRejected, "conflict", "2"},
		{"applied", func() order.Event { return created("o1") }, nil, order.OutcomeApplied, "too_large", "1"},
		{"resolved", func() order.Event { return created("o1") }, []simulator.Fault{simulator.CutAfter(simulator.TradeCreate)}, order.OutcomeApplied, "too_large", "2"},
		{"refused by Alipay", func() order.Event { return created("o1") }, []simulator.Fault{simulator.Refuse(simulator.TradeCreate, "ACQ.TOTAL_FEE_EXCEED")}, order.OutcomeRejected, "too_large", "1"},
		{"never called", func() order.Event { e := created("o1"); e.Subject = ""; return e }, nil, order.OutcomeInvalid, "too_large", "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.faults...)
				if tt.reason == "conflict" {
					must(t, d.send(created("taken")).err)
				}
				in := consume.Input{Record: d.record(tt.event())}
				task, err := d.handler.Prepare(t.Context(), in)
				must(t, err)
				out, err := task.Handle(t.Context(), in)
				must(t, err)
				before, _ := d.read(slicesOf(out.Records, "results"))
				for range 2 { // the second time, the first replacement was refused
					res, dead := d.read(task.Refuse(in, "too_large", errors.New("record of 2000000 bytes")).Records)
					if res.Outcome != tt.want || res.Reason != tt.reason || dead["dead-reason"] != "too_large" {
						t.Errorf("%s %q, dead letter %v", res.Outcome, res.Reason, dead)
					}
					if dead["dead-attempts"] != tt.calls || itoa(res.Attempts) != tt.calls || (dead["dead-first-attempt"] != "") != (tt.calls != "0") {
						t.Errorf("attempts: result %d, dead letter %s, want %s", res.Attempts, dead["dead-attempts"], tt.calls)
					}
					if res.TradeNo != before.TradeNo || res.Code != before.Code || res.ResolvedBy != before.ResolvedBy || res.ReplyJSON != "" || res.OrderNo != before.OrderNo || res.Account != before.Account {
						t.Errorf("trade %s, code %s, by %s; before %s, %s, %s", res.TradeNo, res.Code, res.ResolvedBy, before.TradeNo, before.Code, before.ResolvedBy)
					}
				}
			})
		})
	}
}

func slicesOf(records []*kgo.Record, topic string) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range records {
		if r.Topic == topic {
			out = append(out, r)
		}
	}
	return out
}

// panicking loses the create and panics when it is asked for.
type panicking struct{ shownTrade }

func (p *panicking) Do(ctx context.Context, r alipay.Request) (alipay.Reply, error) {
	if r.Method() == alipay.MethodTradeQuery {
		panic("bug")
	}
	return p.shownTrade.Do(ctx, r)
}

// A handling that panics after a call was made has an outcome that no one knows: it is not INVALID, which says that no call
// was made.
func TestPanicAfterACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.options.Accounts["shop"] = handle.NewAccount(handle.Account{Name: "shop", App: "main", AttemptTimeout: time.Second,
			Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})}, func() *panicking { return &panicking{} })
		d.handler = handle.NewHandler(d.options)
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		func() {
			defer func() { _ = recover() }()
			_, _ = task.Handle(t.Context(), in)
			t.Error("no panic")
		}()
		res, dead := d.read(task.Refuse(in, "panic", errors.New("panic")).Records)
		if res.Outcome != order.OutcomeExhausted || res.Reason != "panic" || res.Attempts != 1 || dead["dead-reason"] != "panic" || dead["dead-attempts"] != "1" {
			t.Errorf("%s %q after %d attempts, dead letter %v", res.Outcome, res.Reason, res.Attempts, dead)
		}
	})
}

// No result can be encoded: the dead letter is published alone. Without a record the offset would be
// committed, and the event be lost.
func TestRefuseWithoutAResult(t *testing.T) {
	d := newDesk(t)
	registry, err := avro.NewFolder(fstest.MapFS{
		"ids.json":         {Data: []byte(`{"order_event.avsc": 1}`)},
		"order_event.avsc": {Data: []byte(schemas.OrderEvent)},
	}, 0)
	must(t, err)
	d.options.Encoder = records.NewEncoder(order.NewCodec(registry), records.Topics{Results: "results", DeadLetters: map[string]string{"in": "in.dlq"}}, nil)
	d.handler = handle.NewHandler(d.options)
	in := d.record(created("o1"))
	out := d.handler.Refuse(consume.Input{Record: in}, "panic", errors.New("panic"))
	if len(out.Records) != 1 || out.Records[0].Topic != "in.dlq" || string(out.Records[0].Value) != string(in.Value) {
		t.Errorf("%d records, want the dead letter", len(out.Records))
	}
}

// Nothing is said of a record that cannot be decoded: it has no account, not its topic's either.
func TestRefuseOfWhatCannotBeDecoded(t *testing.T) {
	d := newDesk(t)
	in := consume.Input{Record: &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("v")}}
	res, dead := d.read(d.handler.Refuse(in, "panic", errors.New("panic")).Records)
	if res.Outcome != order.OutcomeInvalid || res.Account != "" || dead["dead-reason"] != "panic" {
		t.Errorf("%s of account %q, dead letter %v", res.Outcome, res.Account, dead)
	}
}
