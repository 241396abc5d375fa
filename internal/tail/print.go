package tail

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
)

// Kind is what a topic has.
type Kind int

// The kinds.
const (
	Any Kind = iota
	Results
	DeadLetters
)

// Record is a record as JSON has it.
type Record struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp time.Time         `json:"timestamp"` // of the record in Kafka
	Key       string            `json:"key"`       // usually an order number
	Headers   map[string]string `json:"headers,omitempty"`
	Schema    string            `json:"schema,omitempty"` // name of the record's type
	Record    json.RawMessage   `json:"record,omitempty"` // as its schema says
	Error     string            `json:"error,omitempty"`  // why it cannot be decoded
	Value     []byte            `json:"value,omitempty"`  // its bytes, where it cannot be decoded
}

var (
	timeColumn   = output.Heading{Name: "time", About: "of the outcome in results, else of the record; UTC", Whole: true, Width: 20}
	keyColumn    = output.Heading{Name: "key", About: "usually the order number", Whole: true, Width: 16}
	recordColumn = output.Heading{Name: "record", About: "as JSON, without empty fields"}
)

// Columns are the columns for a kind of topic.
func Columns(k Kind) []output.Heading {
	switch k {
	case Results:
		return []output.Heading{
			timeColumn, {Name: "key", About: "ACCOUNT/ORDER", Whole: true, Width: 24}, {Name: "event", About: "type of the event", Wide: true, Width: 9}, {Name: "outcome", About: "what became of the event", Whole: true, Width: 10, Paint: paint},
			{Name: "class", About: "of Alipay's answer", Wide: true, Width: 10}, {Name: "code", About: "Alipay's code", Wide: true, Width: 6},
			{Name: "reason", About: "sub_code of Alipay's, or the bridge's own reason"}, {Name: "trade_no", About: "Alipay's number of the trade", Wide: true, Width: 28}, {Name: "attempts", About: "how many calls were made", Right: true, Wide: true},
		}
	case DeadLetters:
		return []output.Heading{
			timeColumn, keyColumn, {Name: "reason", About: "why it is a dead letter; bridge explain knows it", Whole: true, Width: 12},
			{Name: "error", About: "what went wrong"}, {Name: "original", About: "topic/partition@offset of the input", Wide: true, Width: 18}, {Name: "record", About: recordColumn.About, Wide: true},
		}
	}
	return []output.Heading{timeColumn, keyColumn, recordColumn}
}

// paint is the colour of an outcome.
func paint(outcome string) output.Colour {
	switch order.CallOutcome(outcome) {
	case order.OutcomeApplied:
		return output.Green
	case order.OutcomeAccepted:
		return output.Yellow
	case order.OutcomeSkipped, order.OutcomeSuperseded:
		return output.Dim
	}
	return output.Red
}

// Printer prints decoded records.
type Printer struct {
	*output.Stream

	codec   *order.Codec
	kind    Kind
	columns int
	undone  int // records that could not be decoded
}

// NewPrinter returns a printer for a topic of this kind, and prints the header if people read it.
func NewPrinter(p output.Printer, codec *order.Codec, k Kind) (*Printer, error) {
	columns := Columns(k)
	s, err := p.Stream(columns)
	return &Printer{Stream: s, codec: codec, kind: k, columns: len(columns)}, err
}

// Undecoded is how many records could not be decoded.
func (p *Printer) Undecoded() int { return p.undone }

// Print prints a record.
func (p *Printer) Print(ctx context.Context, r *kgo.Record) error {
	name, text, err := p.decode(ctx, r)
	if err != nil {
		p.undone++
	}
	if p.Data() {
		return p.Row(nil, object(r, name, text, err))
	}
	return p.row(p.cells(ctx, r, text, err))
}

// row prints cells; where a record fits no column, the last one has all.
func (p *Printer) row(cells []string) error {
	if short := p.columns - len(cells); short > 0 {
		cells = slices.Insert(cells, len(cells)-1, make([]string, short)...)
	}
	return p.Row(cells, nil)
}

func (p *Printer) cells(ctx context.Context, r *kgo.Record, text []byte, err error) []string {
	if reason := header(r, records.HeaderDeadReason); reason != "" {
		cells := p.deadLetter(r, reason, text, err)
		if p.kind != DeadLetters { // of other settings: it has no columns of its own
			rest := slices.DeleteFunc(cells[2:], func(s string) bool { return s == "" })
			cells = []string{cells[0], cells[1], strings.Join(rest, "; ")}
		}
		return cells
	}
	if err != nil {
		return []string{p.time(r.Timestamp), string(r.Key), position(r) + ": not decoded: " + err.Error()}
	}
	if p.kind == Results {
		if res, err := p.codec.DecodeResult(ctx, r.Topic, r.Value); err == nil {
			return p.result(r, res)
		}
	}
	return []string{p.time(r.Timestamp), string(r.Key), omitEmpty(text)}
}

// deadLetter has what the headers say; the original may be anything.
func (p *Printer) deadLetter(r *kgo.Record, reason string, text []byte, err error) []string {
	original := fmt.Sprintf("%s/%s@%s", header(r, records.HeaderDeadTopic), header(r, records.HeaderDeadPartition), header(r, records.HeaderDeadOffset))
	record := omitEmpty(text)
	switch length := header(r, records.HeaderDeadLength); {
	case length != "":
		record = fmt.Sprintf("not kept: %s bytes, sha256 %s", length, header(r, records.HeaderDeadSHA256))
	case r.Value == nil:
		record = "no value"
	case err != nil:
		record = fmt.Sprintf("%d bytes, not decoded: %v", len(r.Value), err)
	}
	return []string{p.time(r.Timestamp), string(r.Key), reason, header(r, records.HeaderDeadError), original, record}
}

func (p *Printer) result(r *kgo.Record, res order.Result) []string {
	reason := cmp.Or(res.Reason, res.SubCode)
	if res.Outcome == order.OutcomeInvalid && res.Message != "" {
		reason += ": " + res.Message
	}
	return []string{
		p.time(res.FinishedAt), string(r.Key), string(res.EventType), string(res.Outcome), string(res.CallClass),
		res.Code, reason, string(res.TradeNo), fmt.Sprint(res.Attempts),
	}
}

// time is short in a table.
func (p *Printer) time(t time.Time) string {
	if p.Layout() == output.Table {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// omitEmpty leaves out empty members. A text that is not an object stays as it is.
func omitEmpty(text []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return string(text)
	}
	for name, v := range members {
		switch string(v) {
		case `""`, "null", "[]", "{}", "false": // 0 may be an offset, a partition or an amount
			delete(members, name)
		}
	}
	short, err := json.Marshal(members)
	if err != nil {
		return string(text)
	}
	return string(short)
}

// decode reads a record with the schema of its topic, and a dead letter with that of its original topic.
func (p *Printer) decode(ctx context.Context, r *kgo.Record) (string, []byte, error) {
	topic := r.Topic
	if from := header(r, records.HeaderDeadTopic); from != "" {
		topic = from
	}
	return p.codec.JSON(ctx, topic, r.Value)
}

// object has all parts of a record. A value that cannot be decoded is in base64.
func object(r *kgo.Record, name string, text []byte, decodeErr error) Record {
	o := Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: printable(r.Key), Schema: name, Record: text}
	if decodeErr != nil {
		o.Error, o.Value, o.Record = decodeErr.Error(), r.Value, nil
	}
	for _, h := range r.Headers {
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[h.Key] = printable(h.Value)
	}
	return o
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func position(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}

// Join is a text for the last line of a command.
func (r Read) Join(undecoded int) string {
	parts := []string{output.Count(r.Shown, "record") + " shown"}
	if r.Seen > r.Shown {
		parts = append(parts, fmt.Sprintf("%d not chosen", r.Seen-r.Shown))
	}
	if undecoded > 0 {
		parts = append(parts, fmt.Sprintf("%d not decoded", undecoded))
	}
	return strings.Join(parts, ", ")
}
