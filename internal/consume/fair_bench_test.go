//go:build bench

package consume_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// BenchmarkFairness measures how fast the events of others are settled while one merchant, app,
// method or topic is in trouble, against the same events alone, in turns. "of alone" is the
// ratio; 0.8 is the least that is accepted.
func BenchmarkFairness(b *testing.B) {
	for _, tt := range []struct {
		name    string
		trouble string // how the others' neighbour behaves
		same    bool   // in the same partitions
	}{
		{"app whose gateway is down, other partitions", "stuck", false},
		{"app whose gateway is down, same partitions", "stuck", true},
		{"merchant with an expired token, same partitions", "held", true},
		{"flood of skips, other partitions", "skip", false},
		{"results topic of one merchant refused", "big", true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			var alone, disturbed time.Duration
			for range b.N {
				for range 2 {
					alone += othersTake(b, "", false)
					disturbed += othersTake(b, tt.trouble, tt.same)
				}
			}
			b.ReportMetric(alone.Seconds()/disturbed.Seconds(), "of-alone")
			b.ReportMetric(0, "ns/op")
		})
	}
}

const (
	others    = 40_000
	disturbed = 20_000
)

// othersTake returns how long the events of others take.
func othersTake(b *testing.B, trouble string, same bool) time.Duration {
	b.Helper()
	r := newRig(b)
	if trouble != "" {
		r.fill(disturbed, trouble, same)
	}
	var done atomic.Int64
	all := make(chan struct{})
	o := earliest
	o.Settled = func(s consume.Settlement) {
		for _, out := range s.Outcomes {
			if out.Note == "free" && done.Add(1) == others {
				close(all)
			}
		}
	}
	stop := r.startReal(o)
	time.Sleep(2 * time.Second) // the trouble takes what it can
	start := time.Now()
	r.fill(others, "free", true)
	select {
	case <-all:
	case <-time.After(2 * time.Minute):
		b.Fatalf("%d of %d settled within two minutes", done.Load(), others)
	}
	took := time.Since(start)
	stop()
	return took
}

// startReal starts an engine in real time.
func (r *rig) startReal(o consume.Options) (stop func()) {
	r.t.Helper()
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.opts(), Group: "g", TransactionalID: "g-a"})
	if err != nil {
		r.t.Fatal(err)
	}
	o.Client, o.Group, o.Topics, o.Refuse, o.RefuseBare, o.Journal = r.opts(), "g", []string{"in"}, refuse, refuseBare, journal
	e, err := consume.New(prepareFair, tx, o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
		r.cluster.Close()
	}
}

func prepareFair(_ context.Context, in consume.Input) (consume.Task, error) {
	merchant, _, _ := strings.Cut(string(in.Key), "-")
	return consume.Task{Key: string(in.Key), Pool: consume.Pool{App: merchant}, Owner: merchant, Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
		switch merchant {
		case "stuck":
			<-ctx.Done()
			return consume.Outcome{}, ctx.Err()
		case "held":
			return consume.Outcome{}, errHeld
		case "skip":
			return consume.Outcome{Skip: "not_wanted"}, nil
		case "big":
			return consume.Outcome{Records: []*kgo.Record{{Topic: "nowhere", Value: in.Value}}}, nil
		}
		time.Sleep(5 * time.Millisecond)
		return consume.Outcome{Records: []*kgo.Record{result(in)}, Note: "free"}, nil
	}}, nil
}

// fill puts events of 1 KiB into all partitions, or into the first two only.
func (r *rig) fill(n int, merchant string, all bool) {
	r.t.Helper()
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	to := 2
	if all {
		to = parts
	}
	value := []byte(strings.Repeat("x", 1024))
	for i := range n {
		cl.Produce(r.t.Context(), &kgo.Record{Topic: "in", Partition: int32(i % to), Key: fmt.Appendf(nil, "%s-%d", merchant, i), Value: value}, nil)
	}
	if err := cl.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}
