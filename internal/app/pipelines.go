package app

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/sight"
)

// pipelineKind is one entry in the list of pipelines: which group reads which topics, how much
// it may call, and what handles the records.
type pipelineKind struct {
	name    string
	part    string // of a process, which `run --only` names; empty: the name
	group   func(config.Kafka) string
	topics  func(config.Topics) []string     // none: this pipeline does not run
	limits  func(config.App) breaker.Options // of its calls; nil: it makes none
	handler func(*Service, *pipeline) (recordHandler, error)
	start   consume.Start // of a group without committed offsets; zero: that of the settings

	internal bool // the bridge itself writes the topics: it follows the other parts, and the audit finds no events there
	eighths  int  // of delivery.max_bytes that it may hold; 0: all of it. What the bridge itself writes is small
	inline   bool // its handlings make no request
}

// pipelineKinds lists all pipelines that a process can run. To add a kind, add an entry.
func pipelineKinds() []pipelineKind {
	calls := func(t config.Topics) []config.Input { return t.Inputs }
	queries := func(t config.Topics) []config.Input { return t.Queries }
	sweep := func(t config.Topics) []config.Input { return []config.Input{{Name: t.Sweep}} }
	return []pipelineKind{
		{
			name: "calls", group: func(k config.Kafka) string { return k.Group },
			topics: namesOf(calls), limits: callLimits, handler: orderEvents(orderKind{inputs: calls}),
		},
		{ // has slots and a rate of its own, so that queries stay below live traffic
			name: "queries", group: config.Kafka.QueriesGroup,
			topics: namesOf(queries), limits: queryLimits, handler: orderEvents(orderKind{inputs: queries, queriesOnly: true}),
		},
		{
			name: "sweep", part: "queries", internal: true, eighths: 1, group: config.Kafka.SweepGroup, start: consume.Start{Earliest: true},
			topics: namesOf(sweep), limits: sweepLimits, handler: orderEvents(orderKind{inputs: sweep, queriesOnly: true, sweep: true}),
		},
		{
			name: "status", internal: true, eighths: 3, inline: true, group: config.Kafka.StatusGroup, start: consume.Start{Earliest: true},
			topics:  func(t config.Topics) []string { return []string{t.Observations} },
			handler: newTradeStatus,
		},
	}
}

// recordHandler handles the records of one pipeline.
type recordHandler interface {
	Prepare(ctx context.Context, in consume.Input) (consume.Task, error)
	Refuse(in consume.Input, reason string, err error) consume.Outcome
	RefuseBare(in consume.Input, reason string, err error) consume.Outcome
	Journal(skipped []consume.Skipped) ([]*kgo.Record, error)

	// useAccounts puts new accounts in force, and which of them the records of each topic may
	// name.
	useAccounts(topics config.Topics, accounts map[order.Account]account)
}

// hooked is a handler that keeps state for each partition.
type hooked interface {
	Assigned(ctx context.Context, p consume.TopicPartition) error
	Settled(s consume.Settlement)
	Dropped(p consume.TopicPartition)
}

// pipeline is a running entry of the list: one group with its own windows, lanes and guards.
type pipeline struct {
	name    string
	group   string
	engine  *consume.Engine
	watch   *sight.Pipeline
	handler recordHandler
	guards  map[string]*breaker.Guard // by app

	progress progress
}

// minWaiting is how many handlings may wait in addition to those whose calls are in flight,
// however few those are: a handling that sleeps before its next attempt must not hold up others.
const minWaiting = 64

// An inline pipeline settles so many times as many outcomes at once, because they come faster than transactions end; and it
// has fewer of its small records in memory than others may have, because what belongs to a record is larger than the record.
const (
	inlineSettles = 2
	inlineEvents  = 20_000
)

func (s *Service) newPipeline(kind pipelineKind) (*pipeline, error) {
	log := s.o.Log.With("pipeline", kind.name)
	pl := &pipeline{name: kind.name, group: kind.group(s.cfg.Kafka), guards: map[string]*breaker.Guard{}}
	o := s.engine
	o.Group, o.Topics, o.Log = pl.group, kind.topics(s.cfg.Topics), log
	o.Client = append(slices.Clone(o.Client), kgo.WithHooks(&pl.progress.answers, s.sight.PipelineHook(pl.name, pl.group)))
	if o.Inline = kind.inline; o.Inline {
		o.SettleCount *= inlineSettles
		o.MaxEvents = inlineEvents
	}
	o.MaxBytes, o.Started = kind.maxBytes(s.cfg.Delivery), map[string]int{}
	tx, err := produce.NewTransactor(produce.TransactorOptions{
		Client: o.Client, Group: pl.group, TransactionalID: kafka.TransactionalID(pl.group, s.cfg.Kafka.Slot), Timeout: s.cfg.Kafka.TransactionTimeout,
		ManualTopics: []string{s.cfg.Topics.Status},
	})
	if err != nil {
		return nil, err
	}
	pl.watch = s.sight.NewPipeline(pl.name, pl.group, tx, log)
	pl.watch.Letters, pl.watch.Internal = OutputTopics(s.cfg.Topics).DeadLetters, kind.internal
	o.Settled = pl.watch.Settled
	if kind.start != (consume.Start{}) {
		o.Start = kind.start
	}
	for name, a := range s.cfg.Apps {
		if kind.limits == nil {
			continue
		}
		limits := kind.limits(a)
		pl.guards[name] = pl.watch.Guard(name, limits)
		o.Started[name] = limits.InFlight + max(2*limits.InFlight, minWaiting)
	}
	if pl.handler, err = kind.handler(s, pl); err != nil {
		return nil, err
	}
	o.Refuse, o.RefuseBare, o.Journal = pl.handler.Refuse, pl.handler.RefuseBare, pl.handler.Journal
	if h, ok := pl.handler.(hooked); ok {
		o.Assigned, o.Dropped = h.Assigned, h.Dropped
		o.Settled = func(settled consume.Settlement) {
			h.Settled(settled)
			pl.watch.Settled(settled)
		}
	}
	if pl.engine, err = consume.New(pl.watch.Process(pl.handler.Prepare), pl.watch.Tx, o); err != nil {
		return nil, err
	}
	pl.watch.Watch(pl.engine)
	return pl, nil
}

// callLimits are the limits of an app for calls.
func callLimits(a config.App) breaker.Options {
	return breaker.Options{
		InFlight: a.InFlight, Rate: a.Rate, Burst: a.Burst,
		Consecutive: a.Breaker.Consecutive, Ratio: a.Breaker.Ratio, MinRequests: a.Breaker.MinRequests, Window: a.Breaker.Window,
		Open: a.Breaker.Open, HalfOpen: a.Breaker.HalfOpen, Ramp: a.Breaker.Ramp,
		BackOff: a.Retry.BackOff, BackOffMax: a.Retry.BackOffMax,
		ThrottledBackOff: a.Retry.ThrottledBackOff, ThrottledMax: a.Retry.ThrottledBackOffMax,
		MinAttempts: a.Retry.MinAttempts, MaxTrying: a.Retry.MaxTrying, AttemptTimeout: a.Timeout,
	}
}

// queryLimits are the limits of an app for queries.
func queryLimits(a config.App) breaker.Options {
	o := callLimits(a)
	o.InFlight, o.Rate, o.Burst = a.Queries.InFlight, a.Queries.Rate, a.Queries.Burst
	return o
}

// sweepLimits are the limits of an app for queries that the bridge makes by itself: a quarter of those for queries.
func sweepLimits(a config.App) breaker.Options {
	o := queryLimits(a)
	o.InFlight, o.Rate = max(1, o.InFlight/4), o.Rate/4
	return o
}

// inFlight is how many calls of an app may run at a time, in all pipelines together.
func inFlight(a config.App) int {
	n := 0
	for _, kind := range pipelineKinds() {
		if kind.limits != nil {
			n += kind.limits(a).InFlight
		}
	}
	return n
}
