package avro

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"alipay-kafka-bridge/internal/avro/late"
	"alipay-kafka-bridge/internal/avro/writers"
)

const (
	// askTimeout bounds one look-up with all its requests (security K7).
	askTimeout = 5 * time.Second
	// maxCodecs bounds the cache of codecs (security K7).
	maxCodecs = 1000
	// maxCodecText bounds the schema texts that it was made of: a codec needs up to 46 bytes
	// for each, so that 1,000 large schemas of a hostile producer would need 3 GB.
	maxCodecText = 2 << 20
	// negativeFor is how long an id stays unknown without asking again: long enough to make
	// repeats cheap, short enough for a schema that a replica of the registry learned late.
	negativeFor = 30 * time.Second
	// defaultMaxRecord is the size of the largest record that is read (security K5).
	defaultMaxRecord = 1 << 20
)

// source is where schemas come from: a registry or a folder.
type source interface {
	// schema returns the schema of an id that is listed under subjectOf(its text); subject is the one by which look-ups
	// are counted. An [UndecodableError]
	// says that it is not listed, any other error that the source could not be asked.
	schema(ctx context.Context, subject string, id SchemaID, subjectOf func(schema string) string) (writerSchema, error)
	// idOf returns the id under which this text is listed under the subject.
	idOf(ctx context.Context, subject, text string) (SchemaID, error)
	// register lists the text under the subject and returns its id.
	register(ctx context.Context, subject, text string) (SchemaID, error)
	// history returns what is listed under the subject, oldest first, and what new schemas
	// must keep to. An empty list is not an error.
	history(ctx context.Context, subject string) (History, error)
	close()
}

// writerSchema is a schema's text with those that it refers to, each before what refers to it.
type writerSchema struct {
	text       string
	references []string
}

// size is the length of all its texts.
func (s writerSchema) size() int {
	n := len(s.text)
	for _, ref := range s.references {
		n += len(ref)
	}
	return n
}

var (
	errUnknownID = errors.New("the registry does not know it")
	errNotListed = errors.New("the registry does not list it")
)

// Registry reads and writes framed values. It asks for a schema once and keeps the codec;
// askers of the same id at the same time share one look-up.
type Registry struct {
	from      source
	maxRecord int
	rules     map[string]writers.Rules // by topic
	flights   singleflight.Group
	codecs    codecCache
	late      late.IDs
	ids       sync.Map // writerKey to SchemaID: our own schemas' ids never change
}

type writerKey struct {
	subject string
	codec   *Codec
}

func newRegistry(from source, maxRecord int) *Registry {
	if maxRecord == 0 {
		maxRecord = defaultMaxRecord
	}
	return &Registry{from: from, maxRecord: maxRecord, codecs: codecCache{entries: map[codecKey]*codecEntry{}}, late: late.New()}
}

// Close gives back idle connections.
func (r *Registry) Close() { r.from.close() }

// subject names the schemas of a topic's values (Confluent's TopicNameStrategy).
func subject(topic string) string { return topic + "-value" }

// Open decodes a framed value with its writer's schema and returns both. An
// [UndecodableError] is final; any other error means: wait and read again.
func (r *Registry) Open(ctx context.Context, topic string, value []byte) (*Codec, map[string]any, error) {
	c, b, err := r.unframe(ctx, topic, value)
	if err != nil {
		return nil, nil, err
	}
	record, err := c.Decode(b)
	if err != nil {
		return nil, nil, err
	}
	return c, record, nil
}

// Read decodes a framed value as a record of the reader's schema ([Codec.DecodeAs]) and passes it
// to use, which must not wait or keep it. The writer's record must have the same name, in any
// namespace. Errors are as for [Registry.Open].
func (r *Registry) Read(ctx context.Context, topic string, reader *Codec, value []byte, use func(Reader)) error {
	c, b, err := r.writerOf(ctx, topic, reader, value)
	if err != nil {
		return err
	}
	_, err = c.useAs(ctx, reader, b, func(record map[string]any) { use(NewReader(record)) })
	return err
}

// Texts returns text fields of the reader's record, as [Registry.Read] would, at a tenth of its
// cost when both schemas are the same, and how many values the record has.
func (r *Registry) Texts(ctx context.Context, topic string, reader *Codec, value []byte, names ...string) (texts []string, values int, err error) {
	c, b, err := r.writerOf(ctx, topic, reader, value)
	if err != nil {
		return nil, 0, err
	}
	return c.textsAs(ctx, reader, b, names...)
}

// writerOf returns a value's bytes and the codec of their writer, whose record must have the
// reader's name.
func (r *Registry) writerOf(ctx context.Context, topic string, reader *Codec, value []byte) (*Codec, []byte, error) {
	c, b, err := r.unframe(ctx, topic, value)
	if err != nil {
		return nil, nil, err
	}
	if err := r.rules[topic].Check(reader.root.name, c.root.name); err != nil {
		return nil, nil, &UndecodableError{ReasonUndecodable, err}
	}
	return c, b, nil
}

// unframe returns a value's bytes and the codec of their writer.
func (r *Registry) unframe(ctx context.Context, topic string, value []byte) (*Codec, []byte, error) {
	if len(value) > r.maxRecord {
		return nil, nil, &UndecodableError{ReasonTooLarge, fmt.Errorf("%d bytes, more than %d", len(value), r.maxRecord)}
	}
	id, b, err := Unframe(value)
	if err != nil {
		return nil, nil, err
	}
	c, err := r.writer(ctx, topic, id)
	return c, b, err
}

// Frame writes a record and puts the id before it under which the topic's subject lists
// the schema.
func (r *Registry) Frame(ctx context.Context, topic string, c *Codec, mask Mask, write func(*Writer)) ([]byte, error) {
	id, err := r.idOf(ctx, topic, c)
	if err != nil {
		return nil, err
	}
	return c.Write(AppendFrame(make([]byte, 0, 1024), id), mask, write)
}

// Register lists a schema under a topic's subject, FULL_TRANSITIVE, and returns its id.
func (r *Registry) Register(ctx context.Context, topic string, c *Codec) (SchemaID, error) {
	id, err := r.from.register(ctx, subject(topic), c.text)
	if err != nil {
		return 0, fmt.Errorf("register %s for topic %s: %w", c.Name(), topic, err)
	}
	return id, nil
}

// Version is one schema that a registry lists for a topic.
type Version struct {
	Number int // from 1 on, as the registry counts
	ID     SchemaID
	Schema string
}

// History is what a registry knows about a topic's values.
type History struct {
	Level    string // compatibility that it demands of a new version, e.g. FULL_TRANSITIVE
	Versions []Version
}

// History returns all versions of a topic's schema, oldest first.
func (r *Registry) History(ctx context.Context, topic string) (all History, err error) {
	subjects, err := r.rules[topic].Subjects(topic)
	if err != nil {
		return History{}, err
	}
	for _, subject := range subjects {
		h, err := r.from.history(ctx, subject)
		if err != nil {
			return History{}, fmt.Errorf("versions of topic %s: %w", topic, err)
		}
		all.Level, all.Versions = h.Level, append(all.Versions, h.Versions...)
	}
	return all, nil
}

func (r *Registry) idOf(ctx context.Context, topic string, c *Codec) (SchemaID, error) {
	key := writerKey{subject(topic), c}
	if id, ok := r.ids.Load(key); ok {
		return id.(SchemaID), nil
	}
	found, err := r.shareLookup(ctx, fmt.Sprintf("id/%s/%p", key.subject, c), func(ctx context.Context) (any, error) {
		id, err := r.from.idOf(ctx, key.subject, c.text)
		if err == nil {
			r.ids.Store(key, id)
		}
		return id, err
	})
	if err != nil {
		return 0, fmt.Errorf("id of %s for topic %s: %w", c.Name(), topic, err)
	}
	return found.(SchemaID), nil
}

// writer returns the codec of a writer's id. The answer is kept for the pair of topic and
// id: an id that another topic's writers use says nothing about this one (security K7).
func (r *Registry) writer(ctx context.Context, topic string, id SchemaID) (*Codec, error) {
	key := codecKey{topic, id}
	if e := r.codecs.get(key); e != nil {
		return e.codec, e.err
	}
	found, err := r.shareLookup(ctx, fmt.Sprintf("codec/%s/%d", topic, id), func(ctx context.Context) (any, error) {
		c, err := r.fetchWriter(ctx, topic, id)
		r.codecs.keep(key, c, err)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	return found.(*Codec), nil
}

func (r *Registry) fetchWriter(ctx context.Context, topic string, id SchemaID) (*Codec, error) {
	s, err := r.from.schema(ctx, subject(topic), id, func(schema string) string { return r.rules[topic].SubjectOf(topic, schema) })
	if (errors.Is(err, errUnknownID) || errors.Is(err, errNotListed)) && r.late.MayCome(topic, int32(id), time.Now()) {
		return nil, fmt.Errorf("schema %d of topic %s: not known yet, asking again for up to %s", id, topic, late.For)
	}
	if err != nil {
		return nil, fmt.Errorf("schema %d of topic %s: %w", id, topic, err)
	}
	c, err := newCodec(s)
	if err != nil {
		return nil, fmt.Errorf("schema %d of topic %s: %w", id, topic, err)
	}
	c.anyCase = r.rules[topic].IgnoreCase
	return c, nil
}

// shareLookup shares one look-up among all callers that want it at the same time. It goes on when the first
// asker leaves, because others may be waiting for it.
func (r *Registry) shareLookup(ctx context.Context, key string, look func(context.Context) (any, error)) (any, error) {
	flight := r.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return look(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case got := <-flight:
		return got.Val, got.Err
	}
}
