package consume

import (
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
	"fmt"
)

// TopicPartition names a partition of an input topic.
type TopicPartition = offsets.TopicPartition

// Start is where a partition without a committed offset begins.
type Start = offsets.Start

// AcceptedPosition is a committed offset that an operator set by hand and is responsible for.
type AcceptedPosition = offsets.AcceptedPosition

// StartError means that partitions have no committed offset and no start was given.
type StartError = offsets.StartError

// open begins a partition at its committed position, or stops it for an operator. Called
// under mu.
func (e *Engine) open(p *partition, c offsets.Committed, b offsets.Bounds) {
	if c.Offset < 0 {
		p.entries = append(p.entries, Skipped{p.Topic, p.Partition, b.Begin, ReasonStart})
		e.begin(p, window.Position{Next: b.Begin}, true)
		return
	}
	p.committed, p.read, p.end = c, c.Offset, b.High
	startDue := false
	w, err := p.place.Read(c.Offset, c.Text)
	pos := w.Position
	p.rewoundBelow = w.RewoundBelow
	switch accepted, named := offsets.Accepted(e.o.AcceptPosition, p.TopicPartition, c.Offset); {
	case err == nil:
	case accepted:
		pos, startDue, p.rewoundBelow = window.Position{Next: c.Offset}, true, b.High
		p.entries = append(p.entries, Skipped{p.Topic, p.Partition, c.Offset, ReasonAcceptedPosition})
		e.o.Log.Warn("position accepted by the operator", "topic", p.Topic, "partition", p.Partition, "offset", c.Offset)
	case named:
		e.stop(p, "the accepted position is not the committed one; check it, then run with --accept-position for the committed one",
			"offset", c.Offset, "accept", fmt.Sprintf("%s@%d", p.TopicPartition, c.Offset))
		return
	default:
		e.stop(p, "this bridge did not write the committed position for this partition; find out where its outcomes end (bridge explain BridgePartitionStopped) before you accept any position",
			"offset", c.Offset, "accept", fmt.Sprintf("%s@%d", p.TopicPartition, c.Offset))
		return
	}
	if b.Low >= 0 && pos.Next < b.Low {
		if !e.o.AcceptLoss {
			e.stop(p, "records were deleted before they were read; go on with --accept-loss", "lost_from", pos.Next, "lost_to", b.Low)
			return
		}
		e.o.Log.Warn("loss accepted by the operator", "topic", p.Topic, "partition", p.Partition, "lost_from", pos.Next, "lost_to", b.Low)
		pos, startDue = pos.From(b.Low), true
		p.entries = append(p.entries, Skipped{p.Topic, p.Partition, pos.Next, ReasonAcceptedLoss})
	}
	e.begin(p, pos, startDue)
}

// begin opens a partition at its position. Called under mu.
func (e *Engine) begin(p *partition, pos window.Position, startDue bool) {
	p.win, p.startDue = window.New(pos), startDue
	p.become(look.StateRestoring)
	if e.o.Assigned != nil {
		p.running++
		go e.restore(p) // ended by p.ctx
		return
	}
	p.hooks = hooksRestored
	p.become(look.StateOpen)
	go e.feed(p) // ended by p.ctx and p.state
}

// stop leaves a partition alone until an operator has decided; the others go on. What was
// not settled of it is dropped: the next start calls it again. Called under mu.
func (e *Engine) stop(p *partition, why string, attrs ...any) {
	e.o.Log.Error("partition stopped; an operator must decide", append([]any{"topic", p.Topic, "partition", p.Partition, "reason", why}, attrs...)...)
	p.become(look.StateStopped)
	p.reason = why
	p.backlog, p.preparing, p.done, p.parked = nil, nil, nil, nil
	e.freeBytes(p)
	e.lanes.drop(p)
	e.waits.Drop(p.has)
	e.start()
}
