package consume

import (
	"cmp"
	"slices"
	"time"
)

// Stats are figures for people, all of one moment.
type Stats struct {
	Partitions int
	Stopped    int // of Partitions: an operator must decide
	Waiting    int // records admitted or fetched, not being handled
	Running    int // handlings started
	Unsettled  int // outcomes that are not committed yet
}

// Stats may be called at any time.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Stats{Partitions: len(e.parts), Running: e.running}
	for _, ln := range e.lanes.byKey {
		s.Waiting += len(ln.queue)
	}
	s.Waiting -= s.Running
	for _, p := range e.parts {
		s.Waiting += len(p.backlog)
		s.Unsettled += len(p.done)
		if p.state == stateStopped {
			s.Stopped++
		}
	}
	s.Waiting = max(s.Waiting, 0)
	return s
}

// WaitState is what a record without an outcome is doing.
type WaitState string

// The states of a [WaitingRecord].
const (
	WaitReading WaitState = "reading" // its lane is not known yet, for instance because the registry is down
	WaitQueued  WaitState = "queued"  // first of its lane, not started
	WaitRunning WaitState = "running" // being handled
	WaitHeld    WaitState = "held"    // its handling ended without an outcome; tried again at Next
)

// WaitFacts is what the error of a [HandleFunc] may report about its record, by a method
// WaitFacts() WaitFacts.
type WaitFacts struct {
	Attempts int    // made so far. A handling that made more than one keeps its request: one may have taken effect
	Class    string // of the last one
	Code     string // of the last one
}

type waitReporter interface {
	error
	WaitFacts() WaitFacts
}

// maxWaiting bounds the answer of [Engine.Waiting].
const maxWaiting = 10_000

// WaitingRecord is the first record of a lane, or of a partition that cannot be read on.
type WaitingRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string // of its lane; the record's own while State is WaitReading
	State     WaitState
	Since     time.Time // when the engine began to read it
	WaitFacts
	Next   time.Time // of the next try; zero unless State is WaitHeld
	Behind int       // records of the same lane that wait for this one
}

// Waiting returns up to limit records (at most 10,000) that have no outcome, those that wait longest first: the
// first of each lane, and what a partition is reading. It may be called at any time.
func (e *Engine) Waiting(limit int) []WaitingRecord {
	limit = min(limit, maxWaiting)
	if limit <= 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	longest := longestWaits{limit: limit}
	for _, p := range e.parts {
		if p.preparing != nil && p.state.settles() {
			longest.add(p.preparing.waiting(WaitReading, string(p.preparing.in.Key)))
		}
	}
	for _, ln := range e.lanes.byKey {
		if len(ln.queue) > 0 {
			w := ln.queue[0].waiting(ln.state.wait(), ln.key)
			w.Behind = len(ln.queue) - 1
			longest.add(w)
		}
	}
	return longest.sorted()
}

func (it *item) waiting(s WaitState, key string) WaitingRecord {
	w := WaitingRecord{Topic: it.part.Topic, Partition: it.part.Partition, Offset: it.offset, Key: key, State: s, Since: it.since, WaitFacts: it.facts}
	if s == WaitHeld {
		w.Next = it.next
	}
	return w
}

func (s laneState) wait() WaitState {
	switch s {
	case laneBusy:
		return WaitRunning
	case laneHeld:
		return WaitHeld
	}
	return WaitQueued
}

// longestWaits keeps the limit longest waits, and never more than twice as many: there may be
// many thousands of lanes.
type longestWaits struct {
	limit int
	found []WaitingRecord
}

func (l *longestWaits) add(w WaitingRecord) {
	l.found = append(l.found, w)
	if len(l.found) >= 2*l.limit {
		l.sorted()
	}
}

func (l *longestWaits) sorted() []WaitingRecord {
	slices.SortFunc(l.found, func(a, b WaitingRecord) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	l.found = l.found[:min(len(l.found), l.limit)]
	return l.found
}
