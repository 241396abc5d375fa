package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/telemetry"
)

// stableEvery is how often the brokers are asked for the ends of the input topics: two small requests. A
// fetch does not say it, because it returns nothing where a transaction is open.
const stableEvery = 10 * time.Second

// remedyOf is what to do about an error of the brokers, if it is not that they do not permit something.
func remedyOf(err error, permit string) string {
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return permit
	}
	return "check that the brokers run; it is tried again"
}

// watchStable notes the last stable offsets of the input topics until ctx ends.
func (s *Service) watchStable(ctx context.Context) {
	cl, err := kgo.NewClient(append(slices.Clone(s.kafkaOptions()), kgo.RetryTimeout(stableEvery))...)
	if err != nil {
		return // the engines have the same options, and say it
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var topics []string
	for _, in := range slices.Concat(s.cfg.Topics.Inputs, s.cfg.Topics.Queries) {
		topics = append(topics, in.Name)
	}
	trouble := telemetry.NewTrouble(s.o.Log, "the ends of the input topics cannot be asked for; a transaction that stays open would not be seen", "the ends of the input topics are known again")
	for pause.Sleep(ctx, stableEvery) {
		asking, cancel := context.WithTimeout(ctx, stableEvery)
		ends, err := kafka.LogEnds(asking, adm, topics...)
		cancel()
		if ctx.Err() != nil {
			return
		}
		trouble.Note(err, "remedy", remedyOf(err, "allow DESCRIBE on the topics, as bridge check --acls prints it"))
		for _, e := range ends {
			s.sight.Stable.Note(e.Topic, e.Partition, e.Stable, e.High)
		}
	}
}
