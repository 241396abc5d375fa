package handle

import (
	"cmp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
)

// askedBy says in snapshots why a trade was asked for.
func (h *Handler) askedBy() order.AskedBy {
	if h.o.Sweep {
		return order.AskedBySweep
	}
	return order.AskedByEvent
}

// swept is the outcome of a query of the sweep: what it shows, or a skip that says why it shows nothing. It has no
// result and no dead letter: no one waits for it, and the sweep asks again.
func (h *Handler) swept(e *handling, r order.Result, shown []*kgo.Record) consume.Outcome {
	end := End{Account: e.Account, Produced: e.in.Timestamp}
	if r.Outcome == order.OutcomeApplied && r.CallClass == order.ClassDone && len(shown) > 0 {
		end.Shown = true
		return consume.Outcome{Records: shown, Note: end}
	}
	return consume.Outcome{Skip: "sweep_" + cmp.Or(r.Reason, strings.ToLower(string(r.Outcome))), Note: end}
}
