package consume_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
)

// A task that has a refusal of its own is refused by it, in each way in which an outcome is replaced: it knows the calls
// that were made.
func TestATaskRefusesItself(t *testing.T) {
	for name, tt := range map[string]struct {
		maxRecord int
		handle    func(consume.Input) (consume.Outcome, error)
		reason    string
	}{
		"a panic":            {10 << 20, func(consume.Input) (consume.Outcome, error) { panic("bug") }, "panic"},
		"too large, known":   {100_000, tooLarge, "too_large"},
		"refused by a topic": {10 << 20, tooLarge, "unpublishable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.send(3, 1)
				o := earliest
				o.MaxRecord = tt.maxRecord
				o.Refuse = func(consume.Input, string, error) consume.Outcome {
					t.Error("refused without its calls")
					return consume.Outcome{}
				}
				wrap := func(prepare consume.PrepareFunc) consume.PrepareFunc {
					return func(ctx context.Context, in consume.Input) (consume.Task, error) {
						task, err := prepare(ctx, in)
						task.Refuse = func(in consume.Input, reason string, err error) consume.Outcome {
							if reason != tt.reason || err == nil {
								t.Errorf("reason %q, %v", reason, err)
							}
							return refuse(in, reason, err)
						}
						return task, err
					}
				}
				e := r.start(setup{options: o, handle: tt.handle, wrapPrepare: wrap})
				r.eventually("dead letters", func() bool { return len(r.read("dlq")) == 3 })
				_ = e.stop()
			})
		})
	}
}

func tooLarge(consume.Input) (consume.Outcome, error) {
	return consume.Outcome{Records: []*kgo.Record{{Topic: "out", Value: make([]byte, 2<<20)}}}, nil
}
