package admin

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// Probes answers /livez and /readyz with one word and without reasons: a client that may ask what
// an orchestrator asks does not need to know more.
//
// Alive means that the process serves. Ready is what its owner says: that it has started, is not
// stopping, and can make progress.
type Probes struct{ ready atomic.Bool }

// Handler serves the probes.
func (p *Probes) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, true) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, p.ready.Load()) })
	return mux
}

// IsReady is the answer of /readyz.
func (p *Probes) IsReady() bool { return p.ready.Load() }

// Ready sets the answer of /readyz.
func (p *Probes) Ready(ok bool) { p.ready.Store(ok) }

func answer(w http.ResponseWriter, ok bool) {
	word := "ok"
	if !ok {
		word = "not ready"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprintln(w, word)
}
