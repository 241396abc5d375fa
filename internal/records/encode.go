package records

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// Headers that the bridge writes. The names are reserved: an input's own is never passed on.
const (
	HeaderEventID = "event-id"
	HeaderMethod  = "method"
	HeaderClass   = "class"
	// HeaderRewound marks a record that may have been published before, because an operator set
	// the group's position.
	HeaderRewound = "rewound"
)

// Limits of what is passed on from a record's headers (security.md K8).
const (
	maxPassedHeaders = 16
	maxPassedBytes   = 4 << 10
)

// Topics are the topics that the bridge writes to.
type Topics struct {
	Results      string
	Snapshots    string
	Observations string
	Journal      string
	DeadLetters  map[string]string // by input topic
}

// Input is the input record that outputs are made from.
type Input struct {
	*kgo.Record
	Rewound bool // outputs may have been published before
}

// Encoder turns outcomes into records. Each continues the trace of its context.
type Encoder struct {
	codec       *order.Codec
	topics      Topics
	passHeaders map[string]bool // headers of inputs that outputs keep
	keys        *integrity.Keys
}

// NewEncoder returns an encoder; pass names the headers of inputs that outputs keep.
func NewEncoder(codec *order.Codec, topics Topics, pass []string) *Encoder {
	e := &Encoder{codec: codec, topics: topics, passHeaders: map[string]bool{}}
	for _, name := range pass {
		if !reserved(name) {
			e.passHeaders[name] = true
		}
	}
	return e
}

// WithKeys returns an encoder that seals internal records.
func (e *Encoder) WithKeys(k *integrity.Keys) *Encoder {
	other := *e
	other.keys = k
	return &other
}

// Ready asks for the id of every schema that outputs need, so that no outcome has to wait
// for the registry once its call is made.
func (e *Encoder) Ready(ctx context.Context) error {
	now := time.Now()
	if _, err := e.codec.EncodeResult(ctx, e.topics.Results, order.Result{FinishedAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Results, err)
	}
	if _, err := e.codec.EncodeSnapshot(ctx, e.topics.Snapshots, order.Snapshot{ObservedAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Snapshots, err)
	}
	if _, err := e.codec.EncodeObservation(ctx, e.topics.Observations, order.Observation{ObservedAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Observations, err)
	}
	if _, err := e.codec.EncodeJournal(ctx, e.topics.Journal, order.JournalEntry{WrittenAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Journal, err)
	}
	return nil
}

// Result returns the result's record and, where the result says something about a trade, the
// observation's record as well.
func (e *Encoder) Result(ctx context.Context, in Input, h order.Handling, r order.Result) ([]*kgo.Record, error) {
	value, err := e.codec.EncodeResult(ctx, e.topics.Results, r)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	key := orderKey(r.Account, r.OrderNo)
	if r.OrderNo == "" {
		key = in.Key[:min(len(in.Key), maxLetterKey)] // undecodable: the key is all that readers can look for
	}
	out := []*kgo.Record{e.record(ctx, in, e.topics.Results, key, value, r.EventID, r.Method, string(r.CallClass))}
	o, ok := order.ObserveResult(h, r, telemetry.Traceparent(ctx))
	if !ok {
		return out, nil
	}
	more, err := e.observation(ctx, in, o)
	return append(out, more...), err
}

// Snapshot returns the snapshot's record and its observation's.
func (e *Encoder) Snapshot(ctx context.Context, in Input, s order.Snapshot) ([]*kgo.Record, error) {
	value, err := e.codec.EncodeSnapshot(ctx, e.topics.Snapshots, s)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	out := e.record(ctx, in, e.topics.Snapshots, orderKey(s.Account, s.OrderNo), value, s.EventID, s.Method, alipay.Done.String())
	more, err := e.observation(ctx, in, order.ObserveSnapshot(s))
	return append([]*kgo.Record{out}, more...), err
}

func (e *Encoder) observation(ctx context.Context, in Input, o order.Observation) ([]*kgo.Record, error) {
	value, err := e.codec.EncodeObservation(ctx, e.topics.Observations, o)
	if err != nil {
		return nil, fmt.Errorf("encode observation: %w", err)
	}
	r := e.record(ctx, in, e.topics.Observations, orderKey(o.Account, o.OrderNo), value, order.EventID(o.CauseID), o.Method, "")
	e.keys.Seal(r)
	return []*kgo.Record{r}, nil
}

// Observation returns the record of an observation that comes from no input record.
func (e *Encoder) Observation(ctx context.Context, o order.Observation) (*kgo.Record, error) {
	out, err := e.observation(ctx, Input{Record: &kgo.Record{}}, o)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Journal returns the record of a journal entry.
func (e *Encoder) Journal(ctx context.Context, j order.JournalEntry) (*kgo.Record, error) {
	value, err := e.codec.EncodeJournal(ctx, e.topics.Journal, j)
	if err != nil {
		return nil, fmt.Errorf("encode journal: %w", err)
	}
	return &kgo.Record{Topic: e.topics.Journal, Key: fmt.Appendf(nil, "%s/%d", j.Topic, j.Partition), Value: value}, nil
}

func orderKey(a order.Account, no alipay.OutTradeNo) []byte { return []byte(order.Key(a, no)) }

func (e *Encoder) record(ctx context.Context, in Input, topic string, key, value []byte, id order.EventID, m alipay.Method, class string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Key: key, Value: value, Headers: e.passedHeaders(in)}
	for _, h := range []struct{ key, value string }{{HeaderEventID, string(id)}, {HeaderMethod, string(m)}, {HeaderClass, class}} {
		if h.value != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
		}
	}
	if in.Rewound {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderRewound, Value: []byte("true")})
	}
	telemetry.Inject(ctx, r)
	return r
}

// passedHeaders returns the headers of an input that outputs keep, within limits.
func (e *Encoder) passedHeaders(in Input) []kgo.RecordHeader {
	var out []kgo.RecordHeader
	size := 0
	for _, h := range in.Headers {
		size += len(h.Key) + len(h.Value)
		if e.passHeaders[h.Key] && len(out) < maxPassedHeaders && size <= maxPassedBytes {
			out = append(out, h)
		}
	}
	return out
}

// reserved reports whether only the bridge may write a header of this name.
func reserved(name string) bool {
	switch name {
	case HeaderEventID, HeaderMethod, HeaderClass, HeaderRewound, "traceparent", "tracestate", "baggage":
		return true
	}
	return strings.HasPrefix(name, deadPrefix) || strings.HasPrefix(name, inPrefix)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
