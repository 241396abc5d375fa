package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

// kafkaRetryTimeout is how long one request to the brokers is repeated.
const kafkaRetryTimeout = 10 * time.Second

// kafka checks the cluster, our permissions, the topics and the groups.
func (c *checker) kafka(ctx context.Context) {
	opts, err := kafka.ClientOptions(c.cfg.Kafka, nil, discardLog())
	if err != nil {
		return // reported already
	}
	cl, err := kgo.NewClient(append(opts, kgo.RetryTimeout(kafkaRetryTimeout))...)
	if err != nil {
		c.add(kafkaUnreachable, "kafka client: "+err.Error(), "fix the settings under kafka")
		return
	}
	defer cl.Close()
	defer context.AfterFunc(ctx, cl.Close)() // kgo's first read of a connection knows no context
	adm := kadm.NewClient(cl)
	meta, err := adm.BrokerMetadata(ctx)
	if err != nil {
		c.add(kafkaUnreachable, "kafka: "+err.Error(), "start the brokers "+strings.Join(c.cfg.Kafka.Brokers, ",")+", or fix brokers, tls and sasl under kafka")
		return
	}
	if want := c.cfg.Kafka.ClusterID; want != "" && meta.Cluster != want {
		c.add(otherCluster, fmt.Sprintf("the brokers belong to cluster %q, but kafka.cluster_id is %q", meta.Cluster, want), "fix brokers or cluster_id under kafka; nothing else in Kafka was checked")
		return
	}
	topics := c.describe(ctx, adm)
	c.acls(ctx, cl, topics, !c.reads() || c.transactions(ctx, cl))
	c.otherPrincipals(ctx, adm, topics)
	c.topics(ctx, adm, topics)
	c.brokers(ctx, adm, meta.Brokers)
	c.startPosition(ctx, adm, topics)
	c.positions(ctx, adm, meta.Cluster, topics)
}

// needed are the permissions that the process needs.
func (c *checker) needed() []kafka.ACL { return kafka.NeededACLs(c.cfg, c.only...) }

// used are the topics that the process uses.
func (c *checker) used() []kafka.Topic {
	needed := c.needed()
	return slices.DeleteFunc(kafka.Topics(c.cfg.Topics), func(t kafka.Topic) bool {
		return !slices.ContainsFunc(needed, func(a kafka.ACL) bool { return a.Resource == kafka.ResourceTopic && a.Name == t.Name })
	})
}

// reads reports whether the process has a group: a receiver of notifications has none, and no transactions.
func (c *checker) reads() bool {
	return slices.ContainsFunc(c.needed(), func(a kafka.ACL) bool { return a.Resource == kafka.ResourceTransactionalID })
}

// groups are those of the process that read events of others, with their topics.
func (c *checker) groups() map[string][]config.Input {
	out := map[string][]config.Input{}
	if c.only.Has("calls") {
		out[c.cfg.Kafka.Group] = c.cfg.Topics.Inputs
	}
	if c.only.Has("queries") {
		out[c.cfg.Kafka.QueriesGroup()] = c.cfg.Topics.Queries
	}
	return out
}

// describe requests each topic separately: kadm drops all answers if one topic is refused.
func (c *checker) describe(ctx context.Context, adm *kadm.Client) kadm.TopicDetails {
	out := kadm.TopicDetails{}
	for _, t := range c.used() {
		m, err := adm.Metadata(kadm.WithAuthorizedOps(ctx), t.Name)
		d := m.Topics[t.Name]
		if err != nil {
			d.Err = err
		}
		out[t.Name] = d
	}
	return out
}

// coordinatorWait is how long a new cluster may take to create its transaction coordinators.
const (
	coordinatorWait  = 5 * time.Second
	coordinatorPause = 250 * time.Millisecond
)

// transactions reports a cluster on which run would refuse to start, and whether there is anything to
// ask about transactional ids.
func (c *checker) transactions(ctx context.Context, cl *kgo.Client) bool {
	id := kafka.TransactionalID(c.cfg.Kafka.Group, c.cfg.Kafka.Slot)
	err := kafka.FindTransactions(ctx, cl, id)
	for began := time.Now(); errors.Is(err, kerr.CoordinatorNotAvailable) && time.Since(began) < coordinatorWait; {
		time.Sleep(coordinatorPause) // the first question makes a new cluster create its coordinators
		err = kafka.FindTransactions(ctx, cl, id)
	}
	if err == nil || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) { // reported with the ACLs
		return true
	}
	c.add(noTransactions, "transactions: "+err.Error(), "use a cluster with transactions: without them, run makes no call")
	return false
}

// acls finds what we are not allowed to do. It asks the brokers, because they take denials, prefixes
// and super users into account, which a list of ACLs does not show.
func (c *checker) acls(ctx context.Context, cl *kgo.Client, topics kadm.TopicDetails, transactions bool) {
	for _, a := range c.needed() {
		if a.Resource == kafka.ResourceTransactionalID && !transactions {
			continue // reported already
		}
		allowed, err := false, error(nil)
		switch a.Resource {
		case kafka.ResourceTopic:
			allowed = mayUse(topics[a.Name], a.Operation)
		case kafka.ResourceGroup:
			allowed, err = mayJoin(ctx, cl, a.Name)
		case kafka.ResourceTransactionalID:
			allowed, err = mayTransact(ctx, cl, a.Name)
		}
		switch {
		case err != nil:
			c.add(kafkaHidesACLs, fmt.Sprintf("%s: cannot be checked: %v", a, err), "check the brokers")
		case !allowed:
			c.add(aclMissing, fmt.Sprintf("%s is not allowed", a), a.Command(c.cfg, c.principal))
		}
	}
}

// mayUse reads the permissions that the broker returned for a topic.
func mayUse(t kadm.TopicDetail, operation string) bool {
	switch {
	case errors.Is(t.Err, kerr.TopicAuthorizationFailed):
		return operation == kafka.OpDescribeConfigs // Read is missing, and reported
	case t.Err != nil || len(t.AuthorizedOperations) == 0:
		return true // reported with the topics, or a broker that returns no permissions (before 2.3)
	case operation == kafka.OpDescribeConfigs:
		return slices.Contains(t.AuthorizedOperations, kmsg.ACLOperationDescribeConfigs)
	case operation == kafka.OpRead:
		return slices.Contains(t.AuthorizedOperations, kmsg.ACLOperationRead)
	}
	return slices.Contains(t.AuthorizedOperations, kmsg.ACLOperationWrite)
}

// A member and a producer that do not exist: the broker answers whether we have the permission, and
// nothing changes.
const (
	unknownMember   = "bridge-check"
	unknownProducer = math.MaxInt64
)

// mayJoin sends a heartbeat of a member that does not exist, which needs the same permission as
// joining.
func mayJoin(ctx context.Context, cl *kgo.Client, group string) (bool, error) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = group, unknownMember, -1
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return allowedUnless(err, kerr.GroupAuthorizationFailed, kerr.UnknownMemberID, kerr.GroupIDNotFound, kerr.IllegalGeneration, kerr.RebalanceInProgress)
}

// mayTransact adds offsets for a producer that does not exist. InitProducerID would end the producer
// of a running bridge.
func mayTransact(ctx context.Context, cl *kgo.Client, id string) (bool, error) {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.Group = id, unknownProducer, unknownMember
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return allowedUnless(err, kerr.TransactionalIDAuthorizationFailed,
		kerr.InvalidProducerIDMapping, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.GroupAuthorizationFailed)
}

// allowedUnless distinguishes a refusal from the answer to a member or producer that does not exist.
func allowedUnless(err, denied error, allowed ...error) (bool, error) {
	if errors.Is(err, denied) {
		return false, nil
	}
	if err == nil || slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
		return true, nil
	}
	return false, err
}

// startPosition reports that run would refuse to start: a group without committed offsets needs a start.
func (c *checker) startPosition(ctx context.Context, adm *kadm.Client, topics kadm.TopicDetails) {
	if c.cfg.Kafka.Start != "" {
		return
	}
	groups := c.groups()
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		c.committedOffsets(ctx, adm, topics, group, groups[group])
	}
}

func (c *checker) committedOffsets(ctx context.Context, adm *kadm.Client, topics kadm.TopicDetails, group string, inputs []config.Input) {
	if len(inputs) == 0 {
		return
	}
	had, err := adm.FetchOffsets(ctx, group)
	switch {
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return // reported with the ACLs
	case err != nil && !errors.Is(err, kerr.GroupIDNotFound):
		c.add(kafkaRefuses, fmt.Sprintf("committed offsets of group %s: %v", group, err), "check the brokers")
		return
	}
	var without []string
	for _, in := range inputs {
		if len(had[in.Name]) == 0 && mayUse(topics[in.Name], kafka.OpRead) { // otherwise it is reported with the ACLs
			without = append(without, in.Name)
		}
	}
	what := "group " + group + " has no committed offsets"
	if len(without) < len(inputs) {
		what += " for " + strings.Join(without, ", ")
	}
	if len(without) > 0 {
		c.add(noStart, what, "set kafka.start to earliest, latest or a time")
	}
}
