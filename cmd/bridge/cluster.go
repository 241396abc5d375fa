package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errOtherCluster is final: staging events must not meet production keys (security G10).
var errOtherCluster = errors.New("another cluster than kafka.cluster_id says")

// rightCluster asks the brokers who they are, if the settings say who they must be.
func rightCluster(ctx context.Context, cl *kgo.Client, want string) error {
	if want == "" {
		return nil
	}
	m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's id: %w", err)
	}
	if m.Cluster != want {
		return fmt.Errorf("the brokers belong to cluster %q, the settings name %q: %w", m.Cluster, want, errOtherCluster)
	}
	return nil
}

// awaitCluster waits until the brokers have said who they are.
func (s *service) awaitCluster(ctx context.Context) error {
	if s.parts.cluster == "" {
		return nil
	}
	cl, err := kgo.NewClient(s.parts.kafka...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	for warned := false; ; warned = true {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		err := rightCluster(asking, cl, s.parts.cluster)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil, errors.Is(err, errOtherCluster):
			return err
		}
		if !warned {
			s.parts.log.WarnContext(ctx, "brokers do not answer, waiting", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

// clusterTimeout bounds one try to reach the brokers.
const clusterTimeout = 30 * time.Second
