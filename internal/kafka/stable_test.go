package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/kafka"
)

// TestAnOpenTransactionHoldsTheStableEnd: until it ends, also where others have written behind it.
func TestAnOpenTransactionHoldsTheStableEnd(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	apptest.NoError(t, err)
	defer cluster.Close()
	client := func(opts ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("in"))...)
		apptest.NoError(t, err)
		t.Cleanup(cl.Close)
		return cl
	}
	plain, open := client(), client(kgo.TransactionalID("open"))
	produce := func(cl *kgo.Client) {
		apptest.NoError(t, cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr())
	}
	check := func(what string, stable, high int64) {
		t.Helper()
		ends, err := kafka.LogEnds(t.Context(), kadm.NewClient(plain), "in")
		if want := (kafka.LogEnd{Topic: "in", Stable: stable, High: high}); err != nil || len(ends) != 1 || ends[0] != want {
			t.Errorf("%s: %+v, %v, want %+v", what, ends, err, want)
		}
	}
	check("empty", 0, 0)
	produce(plain)
	check("a record", 1, 1)
	apptest.NoError(t, open.BeginTransaction())
	produce(open)
	produce(plain)
	check("a transaction is open", 1, 3)
	apptest.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
	check("it was aborted", 4, 4) // with its marker
}
