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

// ErrOtherCluster is final: events of a test must not meet production keys (security G10).
var ErrOtherCluster = errors.New("wrong cluster; fix brokers or cluster_id under kafka")

// CheckCluster reads the id of the cluster, if the settings say which one it must be.
func CheckCluster(ctx context.Context, cl *kgo.Client, want string) error {
	if want == "" {
		return nil
	}
	m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("read the id of the cluster: %w", err)
	}
	if m.Cluster != want {
		return fmt.Errorf("the brokers belong to cluster %q, but kafka.cluster_id is %q: %w", m.Cluster, want, ErrOtherCluster)
	}
	return nil
}

// MissingTopics returns the topics that the cluster does not have.
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

// CreateTopic creates a topic. It does not change one that exists.
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

// AwaitTopics waits until a broker shows new topics and their leaders. Brokers learn about new topics
// only after the controller has answered.
func AwaitTopics(ctx context.Context, cl *kgo.Client, made []Topic) error {
	if len(made) == 0 {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest() // without kadm, which may answer from its cache
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
			return fmt.Errorf("read the new topics: %w", err)
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
			return fmt.Errorf("topic %s was created, but the brokers do not show it yet: %w", *resp.Topics[hidden].Topic, context.Cause(ctx))
		}
	}
}

// RequireTopic returns an error for a wrong name or a broker that is not available, so that no one
// waits for records for ever.
func RequireTopic(ctx context.Context, cl *kgo.Client, cfg config.Config, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(cl).ListTopics(ctx, name)
	if err != nil {
		return fmt.Errorf("list topics at %s: %w", strings.Join(cfg.Kafka.Brokers, ","), err)
	}
	switch t, ok := topics[name]; {
	case ok && errors.Is(t.Err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("topic %s may not be used: %w; this user needs Read or Write on it", name, t.Err)
	case !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s; bridge topics create creates the topics of the bridge", name)
	case t.Err != nil:
		return fmt.Errorf("topic %s: %w", name, t.Err)
	}
	return nil
}
