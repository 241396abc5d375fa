package timeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/telemetry"
)

// Kinds of records of an order, in the order in which they come of each other.
const (
	Event        = "event"
	Skip         = "skip"
	Result       = "result"
	DeadLetter   = "dead-letter"
	Snapshot     = "snapshot"
	Notification = "notification"
	Decision     = "decision"
	StatusKind   = "status"
	Forgotten    = "forgotten"
	Query        = "query"

	seen = "observation" // repeats the record that it was made of
)

// ranks break ties of time.
var ranks = map[string]int{Event: 0, Query: 0, Skip: 1, Snapshot: 1, Result: 2, DeadLetter: 2, Notification: 3, Decision: 4, StatusKind: 5, Forgotten: 5}

// Item is one record of an order.
type Item struct {
	Time      time.Time       `json:"time"`               // of the record in Kafka
	Kind      string          `json:"kind"`               // event, skip, result, dead-letter, snapshot, notification, decision, status, forgotten or query
	Text      string          `json:"text"`               // what it says, in short
	Topic     string          `json:"topic"`              // where it is
	Partition int32           `json:"partition"`          // where it is
	Offset    int64           `json:"offset"`             // where it is
	TraceID   string          `json:"trace_id,omitempty"` // of the trace in its headers
	Record    json.RawMessage `json:"record,omitempty"`   // as it was published; not of events and dead letters, which producers wrote and no one masked

	account string
	status  state.Status
	origins []order.Origin // input records that it is about
}

// Place is topic/partition@offset.
func (i Item) Place() string { return fmt.Sprintf("%s/%d@%d", i.Topic, i.Partition, i.Offset) }

// traceOf is the trace of a record's headers; empty: it has none.
func traceOf(r *kgo.Record) string {
	if s := trace.SpanContextFromContext(telemetry.Extract(context.Background(), r)); s.HasTraceID() {
		return s.TraceID().String()
	}
	return ""
}

// item reads a record.
func (f *Finder) item(ctx context.Context, role string, r *kgo.Record) Item {
	i := Item{Time: r.Timestamp.UTC(), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TraceID: traceOf(r)}
	var err error
	switch role {
	case roleEvents, roleQueries:
		i.Kind, err = Event, f.event(ctx, &i, r)
	case roleSweep:
		i.Kind, i.Text = Query, "the bridge asks Alipay"
	case roleDead, roleDeadQueries:
		f.deadLetter(ctx, &i, r)
		return i
	case roleResults:
		i.Kind, err = Result, f.result(ctx, &i, r)
	case roleSnapshots:
		i.Kind, err = Snapshot, f.snapshot(ctx, &i, r)
	case roleNotifications:
		i.Kind, err = Notification, f.notification(ctx, &i, r)
	case roleObservations:
		err = f.observation(ctx, &i, r)
	case roleStatus:
		err = f.status(ctx, &i, r)
	}
	if err != nil {
		i.Text = "not decoded: " + err.Error()
	} else if i.Kind != Event && r.Value != nil {
		if _, text, err := f.Codec.JSON(ctx, r.Topic, r.Value); err == nil {
			i.Record = text
		}
	}
	return i
}

// parts joins what is not empty.
func parts(all ...string) string {
	var out []string
	for _, p := range all {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

// word puts a name before a text that is not empty.
func word(name, text string) string {
	if text == "" {
		return ""
	}
	return name + " " + text
}

func money(name string, m *alipay.Money) string {
	if m == nil {
		return ""
	}
	return name + " " + m.String()
}

func number(name string, n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(name, " ", n)
}

func (f *Finder) event(ctx context.Context, i *Item, r *kgo.Record) error {
	i.origins = []order.Origin{{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}}
	i.account = f.defaultAccount(r.Topic)
	e, err := f.Codec.DecodeEvent(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	i.account = cmp.Or(string(e.Account), i.account)
	i.Text = parts(string(e.Type)+" "+string(e.ID), number("version", e.Version), money("total", e.Total))
	return nil
}

func (f *Finder) deadLetter(ctx context.Context, i *Item, r *kgo.Record) {
	i.Kind, i.account = DeadLetter, ""
	head := map[string]string{}
	for _, h := range r.Headers {
		head[h.Key] = string(h.Value)
	}
	if at, ok := records.DeadOrigin(r); ok {
		i.origins = []order.Origin{at}
		i.account = f.defaultAccount(at.Topic)
		if e, err := f.Codec.DecodeEvent(ctx, at.Topic, r.Value); err == nil {
			i.account = cmp.Or(string(e.Account), i.account)
		}
	}
	i.Text = parts(head[records.HeaderDeadReason], head[records.HeaderDeadError], "of "+head[records.HeaderDeadTopic]+"/"+head[records.HeaderDeadPartition]+"@"+head[records.HeaderDeadOffset])
}

func (f *Finder) result(ctx context.Context, i *Item, r *kgo.Record) error {
	v, err := f.Codec.DecodeResult(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	i.origins = []order.Origin{v.Origin}
	resolved := ""
	if v.ResolvedBy == order.ResolvedByQuery {
		resolved = "a query after a lost answer"
	}
	calls := fmt.Sprint(v.Attempts, " attempts")
	if v.Attempts == 1 {
		calls = "1 attempt"
	}
	i.Text = parts(string(v.Outcome)+" of "+string(v.EventType)+" "+string(v.EventID), cmp.Or(v.Reason, v.SubCode), word("code", v.Code),
		calls, word("resolved by", resolved), word("trade", string(v.TradeNo)))
	return nil
}

func (f *Finder) snapshot(ctx context.Context, i *Item, r *kgo.Record) error {
	v, err := f.Codec.DecodeSnapshot(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	asked := strings.ToLower(string(v.AskedBy))
	if v.AskedBy == order.AskedByUnknown {
		asked = ""
	}
	i.Text = parts(v.Status, money("total", v.TotalAmount), money("paid", v.BuyerPayAmount), word("trade", string(v.TradeNo)), word("asked by", asked))
	return nil
}

// notification reads the value as JSON: only the receiver knows its type.
func (f *Finder) notification(ctx context.Context, i *Item, r *kgo.Record) error {
	_, text, err := f.Codec.JSON(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	var v struct {
		Status string `json:"trade_status"`
		ID     string `json:"notify_id"`
		Trade  string `json:"trade_no"`
		Late   bool   `json:"late"`
		Total  *struct {
			Minor    int64  `json:"minor"`
			Currency string `json:"currency"`
		} `json:"total_amount"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	late, total := "", ""
	if v.Total != nil {
		total = money("total", &alipay.Money{Minor: v.Total.Minor, Currency: v.Total.Currency})
	}
	if v.Late {
		late = "late: changes nothing, the bridge asks"
	}
	i.Text = parts(v.Status, total, word("id", v.ID), word("trade", v.Trade), late)
	return nil
}

func (f *Finder) observation(ctx context.Context, i *Item, r *kgo.Record) error {
	i.Kind = Decision
	v, err := f.Codec.DecodeObservation(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	switch v.Kind {
	case order.Accepted, order.Forgotten, order.Unresolved:
	default:
		i.Kind = seen
	}
	i.Text = parts(string(v.Kind), number("of version", v.Version), word("by", v.CauseID))
	return nil
}

func (f *Finder) status(ctx context.Context, i *Item, r *kgo.Record) error {
	if r.Value == nil {
		i.Kind, i.Text = Forgotten, "the order is forgotten; versions begin with 1 again"
		return nil
	}
	i.Kind = StatusKind
	v, err := f.states.Decode(ctx, r.Topic, r.Value)
	if err != nil {
		return err
	}
	i.status = v
	i.Text = parts(fmt.Sprint(v.State, " version ", v.Version), word("by", strings.ToLower(string(v.Cause))+" "+v.CauseID), amounts(v), word("anomalies", strings.Join(v.Anomalies, " ")), word("accepted", strings.Join(v.Accepted, " ")))
	return nil
}

// amounts are the known amounts of a status.
func amounts(s state.Status) string {
	return parts(money("total", s.Total), money("paid", s.Paid), money("received", s.Received), money("refunded", s.Refunded))
}
