package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"alipay-kafka-bridge/internal/kafka"
)

// Run works until ctx ends, then stops in order. It waits for the registry before anything
// is called: an outcome must never have to wait for a schema's id.
func (s *Service) Run(ctx context.Context, ready func()) error {
	if err := s.awaitCluster(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.awaitSchemas(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range s.pipelines {
		g.Go(func() error {
			if err := p.engine.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			return nil
		})
	}
	ready()
	return g.Wait()
}

// clusterTimeout bounds one try to reach the brokers.
const clusterTimeout = 30 * time.Second

// awaitCluster waits until the brokers have said who they are.
func (s *Service) awaitCluster(ctx context.Context) error {
	if s.parts.Cluster == "" {
		return nil
	}
	cl, err := kgo.NewClient(s.parts.Kafka...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	return s.await(ctx, "brokers do not answer, waiting", func() error {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		defer cancel()
		return kafka.CheckCluster(asking, cl, s.parts.Cluster)
	})
}

// awaitSchemas waits until the registry has the schemas of the output topics.
func (s *Service) awaitSchemas(ctx context.Context) error {
	return s.await(ctx, "schemas of the output topics are not to be had, waiting (topics create registers them)", func() error {
		return s.encoder.Ready(ctx)
	})
}

// await tries until it succeeds or ctx ends, which is no error, and warns of the first failure. Another
// cluster than the settings name is final.
func (s *Service) await(ctx context.Context, warning string, try func() error) error {
	for warned := false; ; warned = true {
		err := try()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil, errors.Is(err, kafka.ErrOtherCluster):
			return err
		}
		if !warned {
			s.parts.Log.WarnContext(ctx, warning, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}
