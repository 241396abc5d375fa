package consume

import (
	"cmp"
	"time"

	"alipay-kafka-bridge/internal/consume/look"
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
		if p.state == look.StateStopped {
			s.Stopped++
		}
	}
	s.Waiting = max(s.Waiting, 0)
	return s
}

// maxLook bounds the records in the answer of [Engine.Look].
const maxLook = 10_000

// Look returns what the engine shows of itself, with up to limit records (at most 10,000) that wait
// longest. It may be called at any time. It passes over everything that is held in memory.
func (e *Engine) Look(limit int) look.Engine {
	b := look.NewBuilder(min(max(limit, 0), maxLook))
	e.mu.Lock()
	defer e.mu.Unlock()
	out := look.Engine{At: time.Now(), Running: e.running, Bytes: e.bytes, MaxBytes: e.o.MaxBytes}
	sorted := e.sorted()
	shown := make([]look.Partition, len(sorted))
	of := make(map[*partition]*look.Partition, len(sorted))
	for i, p := range sorted {
		shown[i] = p.look(b)
		of[p] = &shown[i]
		out.Unsettled += len(p.done)
		for _, it := range p.preparing {
			if p.state.Settles() {
				shown[i].Saw(it.offset, it.since)
				b.Add(it.record(look.Facts{Cause: look.Unread}, 0))
			}
		}
	}
	running := map[Pool]map[look.Cause]int{} // what the started handlings of each pool wait for
	var ready []*lane
	for _, ln := range e.lanes.byKey {
		for i, it := range ln.queue {
			if of[it.part] == nil {
				continue // the assignment is over, and only its running handling is left
			}
			of[it.part].Saw(it.offset, it.since)
			switch {
			case i > 0:
			case ln.state == laneReady:
				ready = append(ready, ln)
			default:
				r := it.record(e.lanes.look(it, ln.state), len(ln.queue)-1)
				b.Add(r)
				if ln.state == laneBusy {
					if running[it.task.Pool] == nil {
						running[it.task.Pool] = map[look.Cause]int{}
					}
					running[it.task.Pool][r.Cause]++
				}
			}
		}
	}
	for _, ln := range ready {
		it := ln.queue[0]
		r := it.record(e.lanes.look(it, ln.state), len(ln.queue)-1)
		if p := e.lanes.pools[it.task.Pool]; p != nil && p.started >= p.limit {
			r.Cause = look.HoldsUp(running[it.task.Pool])
		}
		b.Add(r)
	}
	out.Partitions = shown
	b.Into(&out)
	return out
}

// caughtUp is how long a partition that is read must have had no record before it is thought to have
// none: markers of transactions take offsets, and are never seen.
const caughtUp = 5 * time.Second

// look shows a partition, and counts what of it is not in a lane. Called under mu.
func (p *partition) look(b *look.Builder) look.Partition {
	out := look.Partition{Topic: p.Topic, Partition: p.Partition, State: p.state.String(), Reason: p.reason, Finished: len(p.done)}
	if p.paused || time.Since(p.readAt) < caughtUp || p.state == look.StateStopped {
		out.Unread = max(0, p.end-p.read)
	}
	unread := look.Unread
	switch {
	case p.state == look.StateStopped:
		unread, out.Head = look.Stopped, p.read
	case p.win == nil:
	default:
		out.Head, out.Window = p.win.Head(), p.win.Used()
		if len(p.backlog) > 0 && !p.win.Admits(p.backlog[0].Offset) {
			unread = look.WindowFull
		}
	}
	out.Unread += int64(len(p.backlog))
	b.Count(p.Topic, unread, out.Unread)
	b.Count(p.Topic, look.Settling, int64(len(p.done)))
	return out
}

// look is what an item waits for, with what its handler knows. Called under mu.
func (l *lanes) look(it *item, s laneState) look.Facts {
	f := it.facts()
	switch s {
	case laneBusy:
		f.Cause = cmp.Or(f.Cause, look.Calling)
	case laneHeld:
		f.Cause, f.Next = cmp.Or(f.Cause, look.Retry), it.next
	case laneReady:
		f.Cause = look.Ready
	case laneIdle:
		switch {
		case l.unsettled.IsChoked(outlet{it.part, it.task.Pool}):
			f.Cause = look.Settling
		case l.kept.IsChoked(it.keeper()):
			f.Cause = look.Person // too many others of its account wait for one, and keep a request
		default:
			f.Cause = look.Retry // its partition is being given up
		}
	}
	return f
}

// facts are what the handler knows of an item.
func (it *item) facts() look.Facts {
	if it.task.Facts == nil {
		return look.Facts{Account: it.task.Owner}
	}
	return it.task.Facts()
}

func (it *item) record(f look.Facts, behind int) look.Record {
	return look.Record{Topic: it.part.Topic, Partition: it.part.Partition, Offset: it.offset, Since: it.since, Behind: behind, Facts: f}
}
