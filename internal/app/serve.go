package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/sight"
)

// Run works until ctx ends, then stops in order. It waits for transactions and schemas before anything
// is called: an outcome must be publishable, and must never have to wait for the id of a schema. ready
// is called whenever the readiness of the process changes.
func (s *Service) Run(ctx context.Context, ready func(bool)) error {
	for _, await := range []func(context.Context) error{s.awaitBrokers, s.awaitSchemas} {
		if err := await(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	var all []supervised
	for _, p := range s.pipelines {
		all = append(all, supervised{name: p.name, group: p.group, run: s.runEngine(p), follows: p.watch.Internal, works: p.works, failed: p.progress.failed.Store})
	}
	if s.receiver != nil {
		all = append(all, supervised{name: partNotify, run: s.runReceiver, works: s.receiver.works, failed: s.receiver.failed.Store})
	}
	r := readiness{receives: s.receiver.works, log: s.o.Log, pipelines: s.pipelines, accounts: s.sight.Accounts, set: ready}
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { r.watch(watching) })
	watched.Go(func() { s.sight.Run(watching) })
	if s.audit != nil {
		watched.Go(func() { s.audit.Run(watching) })
	}
	for _, run := range s.background {
		watched.Go(func() { run(watching) })
	}
	if len(s.pipelines) > 0 {
		watched.Go(func() { s.watchStable(watching) })
		watched.Go(func() { s.watchRetention(watching) })
	}
	defer watched.Wait()
	defer stop()
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	watched.Go(func() {
		select {
		case err := <-s.fatal:
			fail(err)
		case <-watching.Done():
		}
	})
	if err := supervise(running, s.o.Log, all); err != nil || ctx.Err() != nil || running.Err() == nil {
		return err
	}
	return context.Cause(running)
}

// runEngine runs the engine of a pipeline, and logs at its end if the group could not be left: the brokers
// then hold its partitions until the session ends, and the next start is silent for so long.
func (s *Service) runEngine(p *pipeline) func(context.Context) error {
	return func(ctx context.Context) error {
		err := p.engine.Run(ctx)
		if p.progress.answers.Member() {
			s.o.Log.WarnContext(ctx, "the group could not be left: no broker answered; nothing is lost, and the next start waits until the session has ended",
				"pipeline", p.name, "group", p.group, "session_timeout", s.cfg.Kafka.SessionTimeout.String())
		}
		return err
	}
}

// clusterTimeout bounds one attempt to reach the brokers.
const clusterTimeout = 30 * time.Second

// coordinatorTimeout is how long brokers that answer may be without a transaction coordinator: a
// coordinator moves within seconds, and the first one of a cluster is made within seconds.
const coordinatorTimeout = time.Minute

// awaitBrokers waits until the brokers have said which cluster they are, if the settings name one,
// and that they run transactions for us.
func (s *Service) awaitBrokers(ctx context.Context) error {
	cl, err := kgo.NewClient(append(slices.Clone(s.kafkaOptions()), kgo.RetryTimeout(awaitRetries))...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	var without time.Time // since when there is no coordinator
	return s.await(ctx, "the brokers, with transactions", func() error {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		defer cancel()
		err := s.askBrokers(asking, cl)
		if !errors.Is(err, kerr.CoordinatorNotAvailable) {
			without = time.Time{}
			return err
		}
		if without.IsZero() {
			without = time.Now()
		}
		if time.Since(without) >= coordinatorTimeout {
			return fmt.Errorf("%w: %w", err, kafka.ErrNoTransactions)
		}
		return err
	})
}

// askBrokers asks for the cluster and opens a producer for each pipeline.
func (s *Service) askBrokers(ctx context.Context, cl *kgo.Client) error {
	if err := kafka.CheckCluster(ctx, cl, s.cfg.Kafka.ClusterID); err != nil {
		return err
	}
	for _, p := range s.pipelines {
		if err := kafka.OpenTransactions(ctx, cl, kafka.TransactionalID(p.group, s.cfg.Kafka.Slot), s.cfg.Kafka.TransactionTimeout); err != nil {
			return err
		}
	}
	return nil
}

// awaitSchemas waits until the registry has the schemas of the output topics.
func (s *Service) awaitSchemas(ctx context.Context) error {
	return s.await(ctx, "the schema registry, with the schemas of the output topics (bridge topics create registers them)", func() error {
		if len(s.pipelines) > 0 {
			if err := s.encoder.Ready(ctx); err != nil {
				return err
			}
		}
		if s.receiver == nil {
			return nil
		}
		return s.receiver.Ready(ctx)
	})
}

// awaitEvery is the pause between two attempts to reach what the service waits for. awaitRetries is how
// long the client itself repeats a request to the brokers within one attempt.
const (
	awaitEvery   = 2 * time.Second
	awaitRetries = 5 * time.Second
)

// waits is what the start waits for.
func (s *Service) waits() sight.Wait {
	if w := s.waiting.Load(); w != nil {
		return *w
	}
	return sight.Wait{}
}

// await tries until it succeeds or ctx ends, which is not an error. It logs the first failure, each
// other error at most once a minute, and the end. Some errors are final.
func (s *Service) await(ctx context.Context, what string, try func() error) error {
	began, logged, last := time.Now(), time.Time{}, ""
	for attempts := 1; ; attempts++ {
		err := try()
		if err != nil {
			s.waiting.Store(&sight.Wait{For: what, Err: err, Since: began})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && last != "":
			s.waiting.Store(nil)
			s.o.Log.InfoContext(ctx, "available again; the bridge goes on", "waited_for", what, "attempts", attempts, "seconds", int(time.Since(began).Seconds()))
			return nil
		case err == nil, errors.Is(err, kafka.ErrOtherCluster), errors.Is(err, kafka.ErrNoTransactions):
			return err
		case last == "", err.Error() != last && time.Since(logged) >= time.Minute:
			s.o.Log.WarnContext(ctx, "not available; the bridge waits and tries again", "waits_for", what, "error", err)
			logged, last = time.Now(), err.Error()
		}
		if !pause.Sleep(ctx, awaitEvery) {
			return nil
		}
	}
}
