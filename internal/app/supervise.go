package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
)

// retryPipeline is how long a failed pipeline waits before it is started again, and how long it
// must then run to be healthy.
const retryPipeline = time.Minute

// maxLogged bounds the distinct errors of a pipeline that are remembered as logged.
const maxLogged = 100

// supervised is a pipeline as its supervisor sees it. run returns nil after an orderly stop.
type supervised struct {
	name, group string
	run         func(context.Context) error
	follows     bool        // it only reads what other parts publish: it does not keep a process whose other parts have failed
	works       func() bool // it runs, and can publish; nil: whenever it runs
	failed      func(bool)  // is called when it has failed, and when it works again; nil: no one asks
}

// supervise runs pipelines until ctx ends, and returns nil after an orderly stop of all.
//
//   - Another process uses this slot ([produce.ErrSlotTaken]): all pipelines stop in order, and the
//     error is returned. Two owners of a slot must not go on.
//   - Any other error of one pipeline: it is logged, the others go on, and the pipeline is started
//     again every minute.
//   - All pipelines that do not follow others have failed: the errors are returned, so that a first
//     deployment without a start position ends at once.
func supervise(ctx context.Context, log *slog.Logger, pipelines []supervised) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &supervisor{log: log, all: pipelines, stop: stop, failed: map[string]error{}}
	var running sync.WaitGroup
	for _, p := range pipelines {
		running.Go(func() { s.keep(ctx, p) })
	}
	running.Wait()
	return s.final
}

// supervisor knows which pipelines have failed.
type supervisor struct {
	log  *slog.Logger
	all  []supervised
	stop context.CancelFunc // of all pipelines

	mu     sync.Mutex
	failed map[string]error // by pipeline, until it is healthy again; guarded by mu
	final  error            // why the process ends; guarded by mu until all have stopped
}

// keep runs a pipeline, again and again if it fails, until ctx ends.
func (s *supervisor) keep(ctx context.Context, p supervised) {
	logged := map[string]bool{} // errors since the pipeline was last healthy
	for {
		err := s.runOnce(ctx, p, func() { clear(logged) })
		if err == nil || s.ends(p, err) || ctx.Err() != nil {
			return
		}
		if !logged[err.Error()] {
			if len(logged) >= maxLogged {
				clear(logged)
			}
			logged[err.Error()] = true
			s.log.ErrorContext(ctx, "a pipeline failed; the others go on, and it is started again every minute",
				"pipeline", p.name, "group", p.group, "error", err, "remedy", remedy(err))
		}
		if !pause.Sleep(ctx, retryPipeline) {
			return
		}
	}
}

// runOnce runs a pipeline until it ends. A pipeline that failed before is healthy once it has run
// for a minute.
func (s *supervisor) runOnce(ctx context.Context, p supervised, healthy func()) error {
	ended := make(chan error, 1) // one value; not closed
	go func() { ended <- p.run(ctx) }()
	timer := time.NewTimer(retryPipeline)
	defer timer.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-timer.C:
			if p.works != nil && !p.works() {
				timer.Reset(retryPipeline) // it waits, for instance for brokers
				continue
			}
			if s.recovered(p) {
				healthy()
				s.log.WarnContext(ctx, "a pipeline that had failed works again", "pipeline", p.name, "group", p.group)
			}
		}
	}
}

// ends notes the failure of a pipeline, and reports whether the process ends with it.
func (s *supervisor) ends(p supervised, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[p.name] = fmt.Errorf("%s: %w", p.name, err)
	p.note(true)
	switch {
	case s.final != nil: // the process is ending
	case errors.Is(err, produce.ErrSlotTaken):
		s.final = s.failed[p.name]
	case s.noneLeads():
		for _, p := range s.all { // a nil error joins nothing
			s.final = errors.Join(s.final, s.failed[p.name])
		}
	default:
		return false
	}
	s.stop()
	return true
}

// noneLeads reports whether all have failed that could keep the process: those that follow others
// count only where nothing else runs. It needs the lock.
func (s *supervisor) noneLeads() bool {
	follow := !slices.ContainsFunc(s.all, func(p supervised) bool { return !p.follows })
	return !slices.ContainsFunc(s.all, func(p supervised) bool { return p.follows == follow && s.failed[p.name] == nil })
}

// recovered notes that a pipeline is healthy, and reports whether it had failed.
func (s *supervisor) recovered(p supervised) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, had := s.failed[p.name]
	delete(s.failed, p.name)
	p.note(false)
	return had
}

func (p supervised) note(failed bool) {
	if p.failed != nil {
		p.failed(failed)
	}
}

// remedy says what an operator can do about the error of a pipeline.
func remedy(err error) string {
	var start *consume.StartError
	if errors.As(err, &start) {
		return "set kafka.start to earliest, latest or a time, and restart"
	}
	return "fix what the error names; no restart is needed"
}
