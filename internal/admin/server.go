package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
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
		Handler: h, Addr: l.Addr().String(), MaxHeaderBytes: maxHeader,
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
