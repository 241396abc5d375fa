package handle

import (
	"context"
	"errors"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/recent"
)

const (
	alertCodes = 200              // that are remembered, up to twice
	alertPause = 10 * time.Minute // between two lines of one code
)

// alerts counts the answers with codes that no table has. A person must look up each of them, once.
type alerts struct {
	mu     sync.Mutex
	byCode recent.Map[string, alertCount] // by method and code; guarded by mu
}

type alertCount struct {
	at      time.Time // of the last line
	between int       // answers since then
}

// due counts an answer. It returns how many came since the last line, and whether this one gets a line.
func (a *alerts) due(code string, now time.Time) (since int, line bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, known := a.byCode.Get(code)
	if known && now.Sub(c.at) < alertPause {
		c.between++
		a.byCode.Set(code, c)
		return 0, false
	}
	a.byCode.Set(code, alertCount{at: now})
	return c.between, true
}

// alert asks for a person where an answer has a code that no table has.
func (h *Handler) alert(ctx context.Context, e *handling, err error) {
	answer, ok := errors.AsType[*alipay.Error](err)
	if !ok || !answer.Alert || answer.Class == alipay.Transient { // the change to the next key has a line of its own
		return
	}
	since, line := h.alerts.due(string(answer.Method)+" "+answer.Code+" "+answer.SubCode, h.o.Now())
	if !line {
		return
	}
	h.o.Log.ErrorContext(ctx, "Alipay answered with a code that the bridge does not know; look it up and decide what becomes of such orders",
		"account", e.Account, "order_no", e.Event.OrderNo, "method", answer.Method, "code", answer.Code, "sub_code", answer.SubCode,
		"class", answer.Class, "not_logged_since", since)
}
