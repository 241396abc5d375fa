package avro

import (
	"context"
	"errors"

	"alipay-kafka-bridge/internal/avro/writers"
)

// WithRules sets the rules of topics that have some, and returns r. It must be called before
// the first use.
func (r *Registry) WithRules(rules map[string]writers.Rules) *Registry {
	r.rules = rules
	return r
}

// Unreadable returns why records of this writer, or those that use a branch of a union, cannot be read as the reader's.
// It judges as [Registry.Read] does.
func Unreadable(r writers.Rules, reader, writer string) ([]Problem, error) {
	to, err := NewCodec(reader)
	if err != nil {
		return nil, err
	}
	from, err := NewCodec(writer)
	return unreadable(r, to, from, err)
}

// Unreadable is [Unreadable] for a schema that the registry has, with the topic's rules.
func (r *Registry) Unreadable(ctx context.Context, topic, reader string, id SchemaID) ([]Problem, error) {
	to, err := NewCodec(reader)
	if err != nil {
		return nil, err
	}
	from, err := r.writer(ctx, topic, id)
	return unreadable(r.rules[topic], to, from, err)
}

func unreadable(r writers.Rules, to, from *Codec, err error) ([]Problem, error) {
	var refused *UndecodableError
	switch {
	case errors.As(err, &refused):
		return []Problem{{Why: refused.Error()}}, nil
	case err != nil:
		return nil, err
	}
	if err := r.Check(to.root.name, from.root.name); err != nil {
		return []Problem{{Why: err.Error()}}, nil
	}
	m := newMatcher(false)
	m.ignoreCase, m.eachBranch = r.IgnoreCase, true
	return m.match(to.root, from.root).problems, nil
}
