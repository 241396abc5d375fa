package app

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/sight"
)

// When a pipeline can make no progress (docs/adr/0012).
const (
	readinessEvery = time.Second      // how often it is decided
	maxSilence     = 30 * time.Second // without an answer of any broker: ten heartbeats
	maxClosed      = time.Minute      // without an open producer
	maxWaiting     = time.Minute      // with all accounts that were called waiting for a person
)

// progress is what a pipeline shows of itself.
type progress struct {
	answers kafka.Answers
	failed  atomic.Bool // it ended with an error and waits for its next start
	closed  time.Time   // since when its producer is not open; zero: it is open; used by readiness alone
	opened  bool        // its producer was open once; used by readiness alone
}

// readiness decides whether the process is ready: at least one pipeline can make progress, or
// notifications can be taken. Pipelines that follow others count only where nothing else runs. It does
// not depend on Alipay's health: during an outage all instances would drop out together.
type readiness struct {
	log       *slog.Logger
	pipelines []*pipeline
	accounts  *sight.Accounts
	set       func(bool)
	receives  func() bool // whether notifications can be taken

	began   time.Time
	reasons map[string]string // why pipelines cannot make progress, by name; "" if they can
	ready   bool
}

// watch decides again and again until ctx ends.
func (r *readiness) watch(ctx context.Context) {
	r.began, r.reasons = time.Now(), map[string]string{}
	for sleepless := true; sleepless; sleepless = pause.Sleep(ctx, readinessEvery) {
		r.decide(ctx, time.Now())
	}
}

func (r *readiness) decide(ctx context.Context, now time.Time) {
	able, follow := r.receives(), r.onlyFollow()
	for _, p := range r.pipelines {
		reason := r.reasonOf(p, now)
		works := reason == "" && p.progress.opened
		able = able || works && p.watch.Internal == follow
		p.watch.Progress(works, reason)
		before, known := r.reasons[p.name]
		switch {
		case reason == before && known:
		case reason != "":
			r.log.WarnContext(ctx, "a pipeline can make no progress", "pipeline", p.name, "group", p.group, "reason", reason)
		case known:
			r.log.WarnContext(ctx, "a pipeline can make progress again", "pipeline", p.name, "group", p.group, "was", before)
		}
		r.reasons[p.name] = reason
	}
	if able != r.ready {
		r.ready = able
		r.log.InfoContext(ctx, "readiness changed", "ready", able)
		r.set(able)
	}
}

// onlyFollow reports whether all pipelines follow others.
func (r *readiness) onlyFollow() bool {
	return !slices.ContainsFunc(r.pipelines, func(p *pipeline) bool { return !p.watch.Internal })
}

// reasonOf says why a pipeline can make no progress; empty: it can, or it is just starting.
func (r *readiness) reasonOf(p *pipeline, now time.Time) string {
	s := &p.progress
	switch open := p.watch.Tx.Open(); {
	case open:
		s.closed, s.opened = time.Time{}, true
	case s.closed.IsZero():
		s.closed = now
	}
	last := s.answers.Last()
	if last.Before(r.began) {
		last = r.began
	}
	stats := p.engine.Stats()
	since, waiting := r.accounts.AllWait()
	switch {
	case s.failed.Load():
		return "it failed and waits for its next start"
	case now.Sub(last) > maxSilence:
		return "no broker answers; check the brokers and the network"
	case !s.closed.IsZero() && now.Sub(s.closed) > maxClosed:
		return "its producer cannot be opened; an earlier line says why"
	case stats.Partitions > 0 && stats.Stopped == stats.Partitions:
		return "all its partitions are stopped; earlier lines say why and what to do"
	case waiting && len(p.guards) > 0 && now.Sub(since) > maxWaiting: // trade status calls no one
		return "all accounts that were called wait for a person: wrong keys, tokens or permissions"
	}
	return ""
}

// works reports whether a pipeline can publish.
func (p *pipeline) works() bool { return p.watch.Tx.Open() }
