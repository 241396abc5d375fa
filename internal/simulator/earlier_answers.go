package simulator

import "sync"

// swaps keeps good answers for the faults that send another one: by app and method the newest of
// two orders, for Swapped, and by order and method the first, for Replayed.
type swaps struct {
	mu    sync.Mutex
	last  map[swapKey][2]kept // guarded by mu
	first map[replayKey]sealed
}

type swapKey struct {
	app    string
	method Method
}

type replayKey struct {
	swapKey
	order string
}

type kept struct {
	order string
	out   sealed
}

// firstLimit bounds the answers kept for Replayed.
const firstLimit = 10_000

// has says whether a fault of this kind has an earlier answer to send; most kinds need none.
func (x *swaps) has(k kind, e *RequestEntry) bool {
	if k != kindSwapped && k != kindReplayed {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.find(k, e)
	return ok
}

// take returns the other answer, or the given one when there is none any more.
func (x *swaps) take(k kind, e *RequestEntry, own sealed) sealed {
	x.mu.Lock()
	defer x.mu.Unlock()
	if out, ok := x.find(k, e); ok {
		return out
	}
	return own
}

// find looks for an answer. The caller holds mu.
func (x *swaps) find(k kind, e *RequestEntry) (sealed, bool) {
	at := swapKey{e.App, e.Method}
	if k == kindReplayed {
		out, ok := x.first[replayKey{at, e.OrderNo}]
		return out, ok
	}
	for _, have := range x.last[at] {
		if have.out.body != nil && have.order != e.OrderNo {
			return have.out, true
		}
	}
	return sealed{}, false
}

// keep remembers an answer.
func (x *swaps) keep(e *RequestEntry, out sealed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last == nil {
		x.last, x.first = map[swapKey][2]kept{}, map[replayKey]sealed{}
	}
	k := swapKey{e.App, e.Method}
	pair := x.last[k]
	if pair[0].order != e.OrderNo {
		pair[1] = pair[0]
	}
	pair[0] = kept{e.OrderNo, out}
	x.last[k] = pair
	r := replayKey{k, e.OrderNo}
	if _, there := x.first[r]; !there && len(x.first) < firstLimit {
		x.first[r] = out
	}
}
