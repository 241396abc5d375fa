package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/kafka"
)

// Run works until ctx ends, then stops in order. It waits for the schemas before anything is
// called: an outcome must never have to wait for the id of a schema.
func (s *Service) Run(ctx context.Context, ready func()) error {
	if err := s.awaitCluster(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.awaitSchemas(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	var all []supervised
	for _, p := range s.pipelines {
		all = append(all, supervised{name: p.name, group: p.group, run: p.engine.Run})
	}
	ready()
	return supervise(ctx, s.o.Log, all)
}

// clusterTimeout bounds one attempt to reach the brokers.
const clusterTimeout = 30 * time.Second

// awaitCluster waits until the brokers have said which cluster they are, if the settings name one.
func (s *Service) awaitCluster(ctx context.Context) error {
	if s.cfg.Kafka.ClusterID == "" {
		return nil
	}
	cl, err := kgo.NewClient(s.kafkaOptions()...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	return s.await(ctx, "the brokers", func() error {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		defer cancel()
		return kafka.CheckCluster(asking, cl, s.cfg.Kafka.ClusterID)
	})
}

// awaitSchemas waits until the registry has the schemas of the output topics.
func (s *Service) awaitSchemas(ctx context.Context) error {
	return s.await(ctx, "the schema registry, with the schemas of the output topics (bridge topics create registers them)", func() error {
		return s.encoder.Ready(ctx)
	})
}

// awaitEvery is the pause between two attempts to reach what the service waits for.
const awaitEvery = 2 * time.Second

// await tries until it succeeds or ctx ends, which is not an error, and logs the first failure.
// A cluster other than the one that the settings name is final.
func (s *Service) await(ctx context.Context, what string, try func() error) error {
	for warned := false; ; warned = true {
		err := try()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil, errors.Is(err, kafka.ErrOtherCluster):
			return err
		}
		if !warned {
			s.o.Log.WarnContext(ctx, "not available; the bridge waits and tries again", "waits_for", what, "error", err)
		}
		if !sleep(ctx, awaitEvery) {
			return nil
		}
	}
}

// sleep waits, and reports whether ctx is still in force.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
