package consume

// maxUnsettledBatches is how many full batches of outcomes may wait to be settled before nothing
// more is started: events that need no call come to their end faster than a transaction
// takes them, and an outcome with its dead letter takes ten times the memory of its event
// (security K6).
const maxUnsettledBatches = 4

// tooManyUnsettled says whether too much waits to be settled. Called under mu.
func (e *Engine) tooManyUnsettled() bool {
	n := 0
	for _, p := range e.parts {
		if !p.stopped { // an operator has to free those
			n += len(p.done)
		}
	}
	return n >= maxUnsettledBatches*e.o.SettleCount
}
