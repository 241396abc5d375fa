package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// Limits of a request. The ports answer short questions; nothing is uploaded.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = time.Minute // a client that does not read must not hold one of few places; a profile takes 30 s
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10
	stopTimeout   = 2 * time.Second
)

// Server serves one port until Stop.
type Server struct {
	server http.Server
	done   chan struct{}
}

// Serve serves a handler on a listener until Stop, which closes it.
func Serve(l net.Listener, h http.Handler, log *slog.Logger) *Server {
	s := &Server{done: make(chan struct{})}
	s.server = http.Server{
		Handler: reportPanics(h, log), Addr: l.Addr().String(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // who cannot speak TLS is no trouble of ours
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a port is not served any more; restart the process to open it again", "address", s.server.Addr, "error", err)
		}
	}()
	return s
}

// reportPanics answers 500 where a handler panics, and logs where: a page that stays empty must not be
// all that its reader learns.
func reportPanics(h http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			why := recover()
			if why == nil {
				return
			}
			log.ErrorContext(r.Context(), "a page failed inside the bridge; report it with this line", "path", r.URL.Path, "error", fmt.Sprint(why), "stack", string(debug.Stack()))
			http.Error(w, "this page failed inside the bridge; its log says where", http.StatusInternalServerError)
		}()
		h.ServeHTTP(w, r)
	})
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.server.Addr }

// Stop closes the listener and waits for running requests, at most two seconds.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close() // a profile may run for longer
	}
	<-s.done
	return err
}
