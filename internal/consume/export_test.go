package consume

import (
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/reread"
)

// HeldBytes returns what the engine counts as held, and the sum over what is held.
func (e *Engine) HeldBytes() (counted, held int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes, e.heldBytes()
}

// KeptBytes is HeldBytes of the requests that handlings keep.
func (e *Engine) KeptBytes() (counted, held int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ln := range e.lanes.byKey {
		for _, it := range ln.queue {
			if it.sent || it.kept > 0 {
				held += requestSize(it)
			}
		}
	}
	return e.lanes.kept.Bytes(), held
}

// LookAt is one look at a topic.
func (e *Engine) LookAt(topic string, exists bool) {
	e.mu.Lock()
	id, _ := e.names.Last(topic)
	e.mu.Unlock()
	e.lookAt(topic, exists, id)
}

// HeldBack is how many outcomes are suspected or held back.
func (e *Engine) HeldBack() int {
	e.settling <- struct{}{}
	defer e.unlock()
	return len(e.settler.suspects) + len(e.settler.held.items)
}

// heldBytes sums up what addBytes counts, from what is held. Called under mu.
func (e *Engine) heldBytes() int {
	n := 0
	for _, p := range e.parts {
		if p.state == look.StateStopped {
			continue
		}
		for _, r := range p.backlog {
			n += reread.Size(r)
		}
		for _, it := range p.preparing {
			n += it.size
		}
		for _, o := range p.done {
			n += o.it.size + o.size()
		}
	}
	for _, ln := range e.lanes.byKey {
		for _, it := range ln.queue {
			if it.in.Record != nil && it.part.state != look.StateStopped && it.part.state != look.StateGone {
				n += it.size
			}
		}
	}
	return n
}
