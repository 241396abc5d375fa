package consume_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// answerLost loses the answers of the first commits, of each second one the commit itself.
type answerLost struct {
	committer
	left *atomic.Int64
}

func (a answerLost) Commit(ctx context.Context, b produce.Batch) error {
	left := a.left.Add(-1)
	if left >= 0 && left%2 == 1 {
		return errLost
	}
	if err := a.committer.Commit(ctx, b); err != nil || left < 0 {
		return err
	}
	return errLost
}

// Where a group began is journalled once, also if the answer to its commit is lost: the position
// that is read back shows it.
func TestAStartIsJournalledOnce(t *testing.T) {
	for reason, o := range map[string]consume.Options{
		consume.ReasonStart:            earliest,
		consume.ReasonAcceptedPosition: {AcceptPosition: []consume.AcceptedPosition{{Topic: "in", Partition: 0, Offset: 1}}, Start: consume.Start{Earliest: true}},
	} {
		for lost := range int64(4) {
			t.Run(fmt.Sprintf("%s, %d lost", reason, lost), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.putN(0, 2, "k", "v")
					if len(o.AcceptPosition) > 0 {
						var at kadm.Offsets
						at.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, LeaderEpoch: -1})
						cl := r.client()
						defer cl.Close()
						if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", at); err != nil {
							t.Fatal(err)
						}
					}
					r.putN(1, 20*int(lost/2), "k", "v")
					var left atomic.Int64
					left.Store(lost)
					e := r.start(setup{options: o, wrap: func(tx *produce.Transactor) committer { return answerLost{tx, &left} }})
					time.Sleep(time.Minute)
					r.putN(2, 3, "k", "v") // more to commit
					time.Sleep(time.Minute)
					_ = e.stop()
					entries := map[string]int{}
					for _, rec := range r.read("journal") {
						for _, entry := range strings.Split(string(rec.Value), ",") {
							entries[entry]++
						}
					}
					for entry, n := range entries {
						if n != 1 {
							t.Errorf("%q is journalled %d times", entry, n)
						}
					}
					if len(entries) != parts || left.Load() > 0 {
						t.Errorf("%d entries, want %d: %v; %d answers could still be lost", len(entries), parts, entries, left.Load())
					}
				})
			})
		}
	}
}
