package simulator

import (
	"sync"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// earlierAnswers keeps good answers for the faults that send another one: for Swapped, by app and
// method, the newest of two orders; for Replayed, by order and method, the first.
type earlierAnswers struct {
	mu     sync.Mutex
	newest map[appMethod][2]orderAnswer // guarded by mu
	first  map[orderMethod]wire.SealedAnswer
}

type appMethod struct {
	app    string
	method Method
}

type orderMethod struct {
	appMethod
	order string
}

type orderAnswer struct {
	order string
	out   wire.SealedAnswer
}

// maxFirstAnswers bounds the answers kept for Replayed.
const maxFirstAnswers = 10_000

// has reports whether a fault of this kind has an earlier answer to send; most kinds need none.
func (x *earlierAnswers) has(k kind, e *RequestEntry) bool {
	if k != kindSwapped && k != kindReplayed {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.find(k, e)
	return ok
}

// replace returns the earlier answer, or own when there is none any more.
func (x *earlierAnswers) replace(k kind, e *RequestEntry, own wire.SealedAnswer) wire.SealedAnswer {
	x.mu.Lock()
	defer x.mu.Unlock()
	if out, ok := x.find(k, e); ok {
		return out
	}
	return own
}

// find looks for an answer. The caller holds mu.
func (x *earlierAnswers) find(k kind, e *RequestEntry) (wire.SealedAnswer, bool) {
	at := appMethod{e.App, e.Method}
	if k == kindReplayed {
		out, ok := x.first[orderMethod{at, e.OrderNo}]
		return out, ok
	}
	for _, have := range x.newest[at] {
		if have.out.Body != nil && have.order != e.OrderNo {
			return have.out, true
		}
	}
	return wire.SealedAnswer{}, false
}

// keep stores an answer.
func (x *earlierAnswers) keep(e *RequestEntry, out wire.SealedAnswer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.newest == nil {
		x.newest, x.first = map[appMethod][2]orderAnswer{}, map[orderMethod]wire.SealedAnswer{}
	}
	k := appMethod{e.App, e.Method}
	pair := x.newest[k]
	if pair[0].order != e.OrderNo {
		pair[1] = pair[0]
	}
	pair[0] = orderAnswer{e.OrderNo, out}
	x.newest[k] = pair
	r := orderMethod{k, e.OrderNo}
	if _, there := x.first[r]; !there && len(x.first) < maxFirstAnswers {
		x.first[r] = out
	}
}
