package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answers lets the cluster answer a request of one kind with an error.
func answers(c *kfake.Cluster, key int16, answer *kerr.Error) {
	c.ControlKey(key, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		switch resp := req.ResponseKind().(type) {
		case *kmsg.FindCoordinatorResponse:
			resp.ErrorCode = answer.Code
			for _, id := range req.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
				resp.Coordinators = append(resp.Coordinators, kmsg.FindCoordinatorResponseCoordinator{Key: id, NodeID: -1, ErrorCode: answer.Code})
			}
			return resp, nil, true
		case *kmsg.InitProducerIDResponse:
			resp.ErrorCode = answer.Code
			return resp, nil, true
		}
		return nil, errors.New("no such answer"), true
	})
}

// withoutRequests lets the cluster deny that it knows these requests.
func withoutRequests(c *kfake.Cluster, keys ...int16) {
	c.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	known:
		for key := range int16(kmsg.MaxKey + 1) {
			for _, k := range keys {
				if k == key {
					continue known
				}
			}
			if r := kmsg.RequestForKey(key); r != nil {
				resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: min(r.MaxVersion(), 3)})
			}
		}
		return resp, nil, true
	})
}

// TestClustersWithoutTransactions: what cannot go away by itself is final, and says what to do; what
// may go away is not final.
func TestClustersWithoutTransactions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*kfake.Cluster)
		final   bool
		want    string // in the error; empty: none
	}{
		{"with transactions", func(*kfake.Cluster) {}, false, ""},
		{"no request of transactions", func(c *kfake.Cluster) { withoutRequests(c, 22, 24, 25, 26, 28) }, true, "do not know InitProducerID, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn; use a cluster"},
		{"producers without offsets", func(c *kfake.Cluster) { withoutRequests(c, 25, 28) }, true, "do not know AddOffsetsToTxn, TxnOffsetCommit;"},
		{"no coordinator", func(c *kfake.Cluster) { answers(c, 10, kerr.CoordinatorNotAvailable) }, false, "transaction.state.log.replication.factor"},
		{"coordinators for groups alone", func(c *kfake.Cluster) { answers(c, 10, kerr.InvalidRequest) }, true, "has transactions"},
		{"the id may not be seen", func(c *kfake.Cluster) { answers(c, 10, kerr.TransactionalIDAuthorizationFailed) }, true, "Write on transactional-id g-s is not allowed; bridge check --acls"},
		{"the id may not be used", func(c *kfake.Cluster) { answers(c, 22, kerr.TransactionalIDAuthorizationFailed) }, true, "Write on transactional-id g-s is not allowed; bridge check --acls"},
		{"producers are refused", func(c *kfake.Cluster) { answers(c, 22, kerr.ClusterAuthorizationFailed) }, true, "CLUSTER_AUTHORIZATION_FAILED"},
		{"a request that is known and not supported", func(c *kfake.Cluster) { answers(c, 22, kerr.UnsupportedVersion) }, true, "UNSUPPORTED_VERSION"},
		{"a time-out that the brokers do not allow", func(c *kfake.Cluster) { answers(c, 22, kerr.InvalidTransactionTimeout) }, true, "transaction.max.timeout.ms"},
		{"the previous transaction is being ended", func(c *kfake.Cluster) { answers(c, 22, kerr.ConcurrentTransactions) }, false, "CONCURRENT_TRANSACTIONS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			tt.prepare(cluster)
			cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RequestRetries(1))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			err = OpenTransactions(t.Context(), cl, "g-s", 15*time.Second)
			if (err != nil) != (tt.want != "") || errors.Is(err, ErrNoTransactions) != tt.final || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, final = %v; want %q, final = %v", err, errors.Is(err, ErrNoTransactions), tt.want, tt.final)
			}
		})
	}
}
