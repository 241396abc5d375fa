package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Probes answers /livez and /readyz with one word and without reasons: a client that may ask what
// an orchestrator asks does not need to know more.
//
// Alive means that the process serves. Ready is what its owner says: that it has started, is not
// stopping, and can make progress.
type Probes struct {
	ready  atomic.Bool
	server http.Server
	done   chan struct{}
}

// StartProbes serves on a listener until Stop, which closes it.
func StartProbes(l net.Listener) *Probes {
	p := &Probes{done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, true) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, p.ready.Load()) })
	p.server = http.Server{Handler: mux, Addr: l.Addr().String(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(p.done)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.ready.Store(false)
		}
	}()
	return p
}

func answer(w http.ResponseWriter, ok bool) {
	word := "ok"
	if !ok {
		word = "not ready"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprintln(w, word)
}

// Addr is where the probes listen.
func (p *Probes) Addr() string { return p.server.Addr }

// Ready sets the answer of /readyz.
func (p *Probes) Ready(ok bool) { p.ready.Store(ok) }

// Stop closes the listener.
func (p *Probes) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := p.server.Shutdown(ctx)
	<-p.done
	return err
}
