package order

import (
	"context"
	"errors"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// UndecodableError means that a value never becomes a record of ours, however often it is
// read: no frame, an unknown schema id, a schema that is refused, another record
// type, bytes that do not fit. Its Reason is the dead letter's.
type UndecodableError = avro.UndecodableError

// Codec turns Kafka values into the bridge's records and back. Where a method fails with
// anything but an [UndecodableError], the schema registry could not be asked: wait and repeat.
//
// Results and snapshots are masked as they are written: personal data is dropped, unless
// [Codec.WithMasker] says otherwise.
type Codec struct {
	registry *avro.Registry
	masker   *Masker

	event, result, snapshot, observation, journal *avro.Codec
}

// NewCodec returns a Codec that finds schemas in this registry.
func NewCodec(registry *avro.Registry) *Codec {
	return &Codec{
		registry:    registry,
		event:       avro.MustCodec(schemas.OrderEvent),
		result:      avro.MustCodec(schemas.CallResult),
		snapshot:    avro.MustCodec(schemas.TradeSnapshot),
		observation: avro.MustCodec(schemas.TradeObservation),
		journal:     avro.MustCodec(schemas.JournalEntry),
	}
}

// WithMasker returns a Codec that masks results and snapshots like this.
func (c *Codec) WithMasker(m *Masker) *Codec {
	other := *c
	other.masker = m
	return &other
}

// Decode reads a value that must hold a record of the schema's name, in any namespace and in
// any version that this one can read.
func Decode[T any](ctx context.Context, c *Codec, topic string, schema *avro.Codec, value []byte, from func(avro.Reader) T) (T, error) {
	var record, none T
	var wrong error
	err := c.registry.Read(ctx, topic, schema, value, func(r avro.Reader) {
		record = from(r)
		wrong = r.Err()
	})
	if err != nil {
		return none, err
	}
	if wrong != nil {
		return none, &UndecodableError{Reason: avro.ReasonUndecodable, Err: wrong}
	}
	return record, nil
}

// Encode writes a record of this schema, whose fields write writes, masked as readers of the topic may see it.
func (c *Codec) Encode(ctx context.Context, topic string, schema *avro.Codec, write func(*avro.Writer)) ([]byte, error) {
	return c.registry.Frame(ctx, topic, schema, c.masker.of(topic), write)
}

// DecodeEvent reads an order event.
func (c *Codec) DecodeEvent(ctx context.Context, topic string, value []byte) (Event, error) {
	return Decode(ctx, c, topic, c.event, value, eventFrom)
}

// EventHead is what an event's place in the queues depends on.
type EventHead struct {
	Account Account
	OrderNo alipay.OutTradeNo
	Type    EventType
	Channel Channel
	Values  int // of the whole event, at every depth: what it needs of memory
}

// EventHead reads the head of an event without the rest.
func (c *Codec) EventHead(ctx context.Context, topic string, value []byte) (EventHead, error) {
	texts, values, err := c.registry.Texts(ctx, topic, c.event, value, "account", "order_no", "event_type", "channel")
	if err != nil {
		return EventHead{}, err
	}
	return EventHead{Account(texts[0]), alipay.OutTradeNo(texts[1]), EventType(texts[2]), Channel(texts[3]), values}, nil
}

// EncodeEvent writes an order event, as a producer does.
func (c *Codec) EncodeEvent(ctx context.Context, topic string, e Event) ([]byte, error) {
	return c.registry.Frame(ctx, topic, c.event, nil, e.write)
}

// EventFromJSON reads an order event that a person wrote: plain JSON, defaults left out.
func (c *Codec) EventFromJSON(text []byte) (Event, error) {
	record, err := c.event.FromJSON(text)
	if err != nil {
		return Event{}, err
	}
	r := avro.NewReader(record)
	return eventFrom(r), r.Err()
}

// DecodeResult reads a result.
func (c *Codec) DecodeResult(ctx context.Context, topic string, value []byte) (Result, error) {
	return Decode(ctx, c, topic, c.result, value, resultFrom)
}

// EncodeResult writes a result.
func (c *Codec) EncodeResult(ctx context.Context, topic string, r Result) ([]byte, error) {
	return c.Encode(ctx, topic, c.result, r.write)
}

// DecodeSnapshot reads a snapshot.
func (c *Codec) DecodeSnapshot(ctx context.Context, topic string, value []byte) (Snapshot, error) {
	return Decode(ctx, c, topic, c.snapshot, value, snapshotFrom)
}

// EncodeSnapshot writes a snapshot.
func (c *Codec) EncodeSnapshot(ctx context.Context, topic string, s Snapshot) ([]byte, error) {
	return c.Encode(ctx, topic, c.snapshot, s.write)
}

// DecodeObservation reads an observation.
func (c *Codec) DecodeObservation(ctx context.Context, topic string, value []byte) (Observation, error) {
	return Decode(ctx, c, topic, c.observation, value, observationFrom)
}

// EncodeObservation writes an observation.
func (c *Codec) EncodeObservation(ctx context.Context, topic string, o Observation) ([]byte, error) {
	return c.registry.Frame(ctx, topic, c.observation, nil, o.write)
}

// DecodeJournal reads an entry of the journal.
func (c *Codec) DecodeJournal(ctx context.Context, topic string, value []byte) (JournalEntry, error) {
	return Decode(ctx, c, topic, c.journal, value, journalFrom)
}

// EncodeJournal writes an entry of the journal.
func (c *Codec) EncodeJournal(ctx context.Context, topic string, j JournalEntry) ([]byte, error) {
	return c.registry.Frame(ctx, topic, c.journal, nil, j.write)
}

// JSON decodes a value of any of our record types into JSON for people, with the record's name.
func (c *Codec) JSON(ctx context.Context, topic string, value []byte) (name string, text []byte, err error) {
	schema, record, err := c.registry.Open(ctx, topic, value)
	if err != nil {
		return "", nil, err
	}
	text, err = schema.AppendJSON(nil, record)
	return schema.Name(), text, err
}

// IsUndecodable reports whether an error of a Decode method is final, and why.
func IsUndecodable(err error) (reason string, ok bool) {
	var final *UndecodableError
	if errors.As(err, &final) {
		return final.Reason, true
	}
	return "", false
}
