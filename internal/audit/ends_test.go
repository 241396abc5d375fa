package audit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// lay is a cluster whose topic t has an empty partition, and others that end with a committed, an aborted and an
// open transaction, and with a record outside a transaction. It returns the options of clients.
func lay(t *testing.T) []kgo.Opt {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen), kfake.SeedTopics(5, "t"), kfake.SeedTopics(1, "none"))
	must(t, err)
	t.Cleanup(c.Close)
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext)}
	produce := func(p int32, value string, more ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(append(slices.Clip(opts), kgo.RecordPartitioner(kgo.ManualPartitioner())), more...)...)
		must(t, err)
		t.Cleanup(cl.Close)
		if len(more) > 0 {
			must(t, cl.BeginTransaction())
		}
		must(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: []byte(value)}).FirstErr())
		return cl
	}
	must(t, produce(1, "committed", kgo.TransactionalID("a")).EndTransaction(t.Context(), kgo.TryCommit))
	must(t, produce(2, "aborted", kgo.TransactionalID("b")).EndTransaction(t.Context(), kgo.TryAbort))
	produce(3, "bare")
	produce(3, "open", kgo.TransactionalID("c"))
	produce(4, "bare")
	return opts
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadTopics: the committed records, without a wait for silence. A topic without records is read, too.
func TestReadTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := lay(t)
		read := func(more ...kgo.Opt) (got []string) {
			records, err := ReadTopics(t.Context(), append(slices.Clip(opts), more...), "t", "none")
			must(t, err)
			for _, r := range records {
				got = append(got, fmt.Sprintf("%d:%s", r.Partition, r.Value))
			}
			slices.Sort(got)
			return got
		}
		began := time.Now()
		if got, want := read(), []string{"1:committed", "3:bare", "4:bare"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if took := time.Since(began); took > 4*fetchWait {
			t.Errorf("it took %v", took)
		}
		if got := read(kgo.FetchIsolationLevel(kgo.ReadUncommitted())); !slices.Contains(got, "2:aborted") {
			t.Errorf("%q, want also what was aborted", got)
		}
		if _, err := ReadTopics(t.Context(), opts, "missing"); err == nil {
			t.Error("a topic that is not there was read")
		}
	})
}

// TestReadRest: what is left is read to its end, also when all is read already.
func TestReadRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewReader(lay(t), order.NewCodec(nil), Topics{Results: "none", Journal: "none", DeadLetters: "t"})
		must(t, err)
		defer r.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			must(t, r.ReadRest(ctx))
			if n := r.Outcomes().deadLetters; n != 3 {
				t.Errorf("%d dead letters, want 3", n)
			}
		}
	})
}
