package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/config"
)

// ErrOtherCluster is final: staging events must not meet production keys (security G10).
var ErrOtherCluster = errors.New("another cluster than kafka.cluster_id says")

// CheckCluster asks the brokers who they are, if the settings say who they must be.
func CheckCluster(ctx context.Context, cl *kgo.Client, want string) error {
	if want == "" {
		return nil
	}
	m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("ask for the cluster's id: %w", err)
	}
	if m.Cluster != want {
		return fmt.Errorf("the brokers belong to cluster %q, the settings name %q: %w", m.Cluster, want, ErrOtherCluster)
	}
	return nil
}

// MissingTopics are those of all that the cluster does not have.
func MissingTopics(ctx context.Context, adm *kadm.Client, all []Topic) ([]Topic, error) {
	have, err := adm.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var missing []Topic
	for _, m := range all {
		if !have.Has(m.Name) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// CreateTopic creates a topic; one that exists is left as it is.
func CreateTopic(ctx context.Context, adm *kadm.Client, m Topic, t config.Topics) error {
	configs := map[string]*string{}
	for k, v := range m.Configs() {
		configs[k] = kmsg.StringPtr(v)
	}
	replication := int16(t.Replication)
	if replication == 0 {
		replication = -1
	}
	got, err := adm.CreateTopic(ctx, int32(t.Partitions), replication, configs, m.Name)
	if err == nil {
		err = got.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", m.Name, err)
	}
	return nil
}

// AwaitTopics returns when a broker shows new topics and their leaders: it learns of them after
// the controller has answered, and who looked at once would find them missing.
func AwaitTopics(ctx context.Context, cl *kgo.Client, made []Topic) error {
	if len(made) == 0 {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest() // by hand: kadm may answer from what it asked before
	for _, m := range made {
		asked := kmsg.NewMetadataRequestTopic()
		asked.Topic = kmsg.StringPtr(m.Name)
		req.Topics = append(req.Topics, asked)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return fmt.Errorf("ask for the new topics: %w", err)
		}
		hidden := slices.IndexFunc(resp.Topics, func(t kmsg.MetadataResponseTopic) bool {
			return t.ErrorCode != 0 || slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader < 0 })
		})
		if hidden < 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("topic %s was created, but the brokers do not show it: %w", *resp.Topics[hidden].Topic, context.Cause(ctx))
		}
	}
}

// RequireTopic tells a wrong name, or a broker that is down, before waiting for records for ever.
func RequireTopic(ctx context.Context, cl *kgo.Client, cfg config.Config, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(cl).ListTopics(ctx, name)
	if err != nil {
		return fmt.Errorf("ask %s: %w", strings.Join(cfg.Kafka.Brokers, ","), err)
	}
	if t, ok := topics[name]; !ok || t.Err != nil {
		return fmt.Errorf("no topic %s (bridge topics create makes the bridge's own)", name)
	}
	return nil
}
