package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/journal"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
	"alipay-kafka-bridge/internal/telemetry"
)

// Reasons of journal entries: observations that changed nothing.
const (
	ReasonNoNews      = "no_news"
	ReasonUndecodable = "undecodable"
	ReasonKeyMismatch = "key_mismatch" // the record is not where its order belongs
	ReasonNotSealed   = "not_sealed"   // no instance of the bridge has written it
	ReasonTombstone   = "tombstone"
	ReasonUnreadable  = "status_unreadable" // the trade status of its order cannot be decoded
)

// Topics that the pipeline reads and writes.
type Topics struct {
	Observations, Status, Sweep string
}

// Options configure a [Pipeline]. All but Keys, Changed, Refused and Damaged are required.
type Options struct {
	Topics Topics
	Group  string
	Client []kgo.Opt // brokers and security, to restore partitions and to send what the sweep asks for
	// OpenStore opens the store, when the first partition is assigned. Until it succeeds, no partition is read.
	OpenStore func() (*store.Store, error)
	Codec     *order.Codec
	Encoder   *records.Encoder
	Keys      *integrity.Keys          // nil: every observation is believed
	Foreign   func(order.Account) bool // the account has orders that others create
	Schedule  state.Schedule
	Keep      state.Retention
	Rate      int // orders for which the sweep asks in a second, at most
	// Stale is the age of a checkpoint from which on a store is not used: tombstones that it lacks may be gone from
	// the topic.
	Stale time.Duration

	Tracer  trace.Tracer
	Log     *slog.Logger
	Now     func() time.Time
	Changed func(Change)        // a change is known to be committed; must return soon
	Refused func(reason string) // an observation is known to be committed that was not merged
	Damaged func(error)         // the store must be opened again, which empties it; the caller ends the process
}

// Change is a change of one order that is known to be committed. What it refers to is never changed.
type Change struct {
	Before, After *state.Status // of a new order Before is nil; of a forgotten one After is
	News          []string      // anomalies that are new
}

// Pipeline merges observations. It is what an engine calls: prepare, refuse, journal and hooks.
type Pipeline struct {
	o     Options
	codec *state.Codec
	log   *slog.Logger
	reads reader

	refusals *telemetry.Counts[string] // by reason
	refused  sync.Map                  // the last of each reason: attributes of the log

	opening  sync.Mutex
	store    atomic.Pointer[store.Store] // nil: it was not opened yet
	unopened atomic.Bool                 // the last attempt to open it failed
	opened   time.Time                   // set before store

	asked atomic.Int64 // queries that the sweep sent

	mu    sync.Mutex
	parts map[int32]*partition // that are assigned, or being restored
}

// New starts nothing.
func New(o Options) (*Pipeline, error) {
	p := &Pipeline{o: o, codec: state.NewCodec(o.Codec), log: o.Log, parts: map[int32]*partition{}}
	p.refusals = telemetry.NewCounts(o.Log, "observations cannot be merged; trade status lacks what they say", func(reason string) []any {
		last, _ := p.refused.Load(reason)
		return last.([]any)
	})
	var err error
	p.reads, err = newReader(o.Topics, o.Client)
	return p, err
}

// damaged reports an error of the store that lasts until it is opened again.
func (p *Pipeline) damaged(err error) {
	if errors.Is(err, store.ErrDamaged) && p.o.Damaged != nil {
		p.o.Damaged(err)
	}
}

// open opens the store, unless it is open.
func (p *Pipeline) open() error {
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.store.Load() != nil {
		return nil
	}
	s, err := p.o.OpenStore()
	p.unopened.Store(err != nil)
	if err != nil {
		return err
	}
	p.opened = p.o.Now()
	p.store.Store(s)
	return nil
}

// Close ends the reads and closes the store.
func (p *Pipeline) Close() error {
	p.reads.close()
	if s := p.store.Load(); s != nil {
		return s.Close()
	}
	return nil
}

// part returns an assigned partition; nil: it is not assigned.
func (p *Pipeline) part(n int32) *partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts[n]
}

// errGone: the partition was taken away; the record's next owner handles it.
var errGone = errors.New("the partition of trade status is not assigned any more")

// Prepare finds a record's lane, which is its key: only the bridge writes observations.
func (p *Pipeline) Prepare(_ context.Context, in consume.Input) (consume.Task, error) {
	part := p.part(in.Partition) // of this assignment: a handling that begins late must not touch the next one's state
	if part == nil {
		return consume.Task{}, errGone
	}
	if err := part.full(); err != nil {
		return consume.Task{}, err
	}
	return consume.Task{Key: string(in.Key), Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
		return p.handle(ctx, part, in)
	}, Refuse: func(in consume.Input, reason string, err error) consume.Outcome {
		part.rollBack(in)
		return p.Refuse(in, reason, err)
	}}, nil
}

// Refuse is for the engine: an observation whose handling panicked, or whose outcome no topic accepts. There are no
// dead letters of internal records: the journal says where each is, the log where the last of a minute is.
func (p *Pipeline) Refuse(in consume.Input, reason string, err error) consume.Outcome {
	p.refused.Store(reason, []any{"topic", in.Topic, "partition", in.Partition, "offset", in.Offset, "reason", reason, "error", err})
	p.refusals.Add(reason, 1)
	return consume.Outcome{Skip: reason, Note: refusal(reason)}
}

// RefuseBare is for the engine, as Refuse.
func (p *Pipeline) RefuseBare(in consume.Input, reason string, err error) consume.Outcome {
	return p.Refuse(in, reason, err)
}

// Journal is for the engine.
func (p *Pipeline) Journal(skips []consume.Skipped) ([]*kgo.Record, error) {
	return journal.Writer{Encoder: p.o.Encoder, Group: p.o.Group, Now: p.o.Now}.Journal(skips)
}

// handle merges one observation.
func (p *Pipeline) handle(ctx context.Context, part *partition, in consume.Input) (consume.Outcome, error) {
	ctx, span := p.startSpan(ctx, in)
	defer span.End()
	if err := p.o.Keys.Verify(in.Record); err != nil {
		return p.Refuse(in, ReasonNotSealed, err), nil
	}
	if in.Value == nil {
		return consume.Outcome{Skip: ReasonTombstone}, nil
	}
	o, err := p.o.Codec.DecodeObservation(ctx, in.Topic, in.Value)
	if _, final := order.IsUndecodable(err); final {
		return p.Refuse(in, ReasonUndecodable, err), nil
	}
	if err != nil {
		return consume.Outcome{}, fmt.Errorf("decode observation: %w", err)
	}
	if o.Key() != string(in.Key) {
		return p.Refuse(in, ReasonKeyMismatch, errors.New("the record's key is not account/order_no of its value")), nil
	}
	before, err := part.current(ctx, o.Key())
	after, change := state.Status{}, state.Change{Forgotten: true}
	switch _, unreadable := order.IsUndecodable(err); {
	case unreadable && (o.Kind != order.Forgotten || o.Version != 0):
		return p.Refuse(in, ReasonUnreadable, err), nil // its version must not begin again: only an operator may have it forgotten
	case err != nil && !unreadable:
		return consume.Outcome{}, err
	case err == nil:
		after, change = state.Merge(before, o, state.Rules{AcceptForeign: p.o.Foreign(o.Account)})
	}
	describe(span, o, after, change)
	out := consume.Outcome{}
	if change.Ask {
		asked, err := p.ask(ctx, o, after)
		if err != nil {
			return consume.Outcome{}, err
		}
		out.Records = append(out.Records, asked)
	}
	if !change.Published && !change.Forgotten {
		if change.Ask {
			out.Note = asked{}
		} else {
			out.Skip = ReasonNoNews
		}
		return out, nil
	}
	m := &merge{key: o.Key(), offset: in.Offset, change: Change{Before: before, News: change.Anomalies}}
	m.record = &kgo.Record{Topic: p.o.Topics.Status, Partition: in.Partition, Key: in.Key}
	if change.Published {
		m.change.After = &after
		m.due = p.wake(after)
		if m.record.Value, err = p.codec.Encode(ctx, p.o.Topics.Status, after); err != nil {
			return consume.Outcome{}, fmt.Errorf("encode trade status: %w", err)
		}
		m.record.Headers = []kgo.RecordHeader{
			{Key: HeaderState, Value: []byte(after.State)}, {Key: HeaderVersion, Value: strconv.AppendInt(nil, after.Version, 10)},
			{Key: headerDue, Value: strconv.AppendInt(nil, m.due.UnixMilli(), 10)},
		}
	}
	telemetry.Inject(ctx, m.record)
	if !part.add(m) {
		return consume.Outcome{}, errGone
	}
	out.Records, out.Note = append(out.Records, m.record), m
	return out, nil
}

// Headers of trade-status: what many readers want to know before they decode a value.
const (
	HeaderState   = "state"
	HeaderVersion = "version"
	headerDue     = "due" // when the sweep looks at the order again, in milliseconds since 1970: a restore need not decode values
)

const (
	keyAccount = attribute.Key("bridge.account")
	keyOrder   = attribute.Key("bridge.order_no")
	keyState   = attribute.Key("bridge.state")
	keyVersion = attribute.Key("bridge.version")
	keyReason  = attribute.Key("bridge.reason")
)

// startSpan begins the span of a merge, in the trace of the observation.
func (p *Pipeline) startSpan(ctx context.Context, in consume.Input) (context.Context, trace.Span) {
	ctx = telemetry.Extract(ctx, in.Record)
	ctx, span := p.o.Tracer.Start(ctx, "process "+in.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(semconv.MessagingDestinationName(in.Topic)))
	if span.IsRecording() {
		span.SetAttributes(
			semconv.MessagingSystemKafka, semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationPartitionID(strconv.Itoa(int(in.Partition))), semconv.MessagingKafkaOffset(int(in.Offset)),
			semconv.MessagingConsumerGroupName(p.o.Group))
	}
	return ctx, span
}

// describe says on a span what the merge decided, and links the create's trace: a notification has a trace of its own.
func describe(span trace.Span, o order.Observation, s state.Status, change state.Change) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(keyAccount.String(string(o.Account)), keyOrder.String(string(o.OrderNo)))
	switch {
	case change.Published:
		span.SetAttributes(keyState.String(string(s.State)), keyVersion.Int64(s.Version))
	case change.Forgotten:
		span.SetAttributes(keyReason.String("forgotten"))
		return
	case change.Ask:
		span.SetAttributes(keyReason.String("late"))
		return
	default:
		span.SetAttributes(keyReason.String(ReasonNoNews))
		return
	}
	created := telemetry.Extract(context.Background(), &kgo.Record{Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(s.CreateTraceparent)}}})
	if link := trace.SpanContextFromContext(created); link.IsValid() && link.TraceID() != span.SpanContext().TraceID() {
		span.AddLink(trace.Link{SpanContext: link})
	}
}
