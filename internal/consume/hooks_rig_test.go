package consume_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
)

// hooked is a pipeline with state, as its hooks see it. It notes every call and checks what
// holds at any time: per partition Assigned, then Settled, then Dropped, and never two at once.
type hooked struct {
	t        *testing.T
	assigned func(ctx context.Context, p consume.TopicPartition) error // may be nil

	mu      sync.Mutex
	phase   map[consume.TopicPartition]phase
	calls   map[consume.TopicPartition]map[string]int // "assigned", "settled", "dropped"
	settled map[string]int                            // by note
	last    map[string]int64                          // offset settled last, by key and partition
	next    map[consume.TopicPartition]int64
}

type phase string

const (
	nothing   phase = ""
	assigning phase = "assigning"
	restored  phase = "restored"
)

func newHooked(t *testing.T) *hooked {
	return &hooked{t: t, phase: map[consume.TopicPartition]phase{}, calls: map[consume.TopicPartition]map[string]int{},
		settled: map[string]int{}, last: map[string]int64{}, next: map[consume.TopicPartition]int64{}}
}

// on adds the hooks to o.
func (h *hooked) on(o consume.Options) consume.Options {
	o.Hooks = consume.Hooks{Assigned: h.onAssigned, Settled: h.onSettled, Dropped: h.onDropped}
	return o
}

func (h *hooked) enter(call string, p consume.TopicPartition, want, then phase) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase[p] != want {
		h.t.Errorf("%s of %s while it is %q, want %q", call, p, h.phase[p], want)
	}
	h.phase[p] = then
	if h.calls[p] == nil {
		h.calls[p] = map[string]int{}
	}
	h.calls[p][call]++
}

func (h *hooked) onAssigned(ctx context.Context, p consume.TopicPartition) error {
	h.mu.Lock()
	again := h.phase[p] == assigning // after an error
	h.mu.Unlock()
	if !again {
		h.enter("assigned", p, nothing, assigning)
	}
	if h.assigned != nil {
		if err := h.assigned(ctx, p); err != nil {
			if ctx.Err() != nil { // it is not called again
				h.setPhase(p, restored)
			}
			return err
		}
	}
	h.setPhase(p, restored)
	return nil
}

func (h *hooked) setPhase(p consume.TopicPartition, ph phase) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase[p] = ph
}

func (h *hooked) onSettled(s consume.Settlement) {
	h.enter("settled", s.Input, restored, restored)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next[s.Input] = s.Next
	if len(s.Outcomes) == 0 {
		h.t.Errorf("%s: settled nothing", s.Input)
	}
	if !slices.IsSortedFunc(s.Outcomes, func(a, b consume.SettledOutcome) int { return int(a.Offset - b.Offset) }) {
		h.t.Errorf("%s: outcomes not in the order of their offsets", s.Input)
	}
	for _, o := range s.Outcomes {
		n := o.Note.(note)
		h.settled[n.String()]++
		lane := fmt.Sprint(s.Input, n.key)
		if last, ok := h.last[lane]; ok && o.Offset <= last {
			h.t.Errorf("%s: key %s settled at %d after %d", s.Input, n.key, o.Offset, last)
		}
		h.last[lane] = o.Offset
	}
}

func (h *hooked) onDropped(p consume.TopicPartition) {
	h.enter("dropped", p, restored, nothing)
	h.mu.Lock()
	defer h.mu.Unlock()
	for lane := range h.last { // another owner settles now; ours may begin anywhere
		delete(h.last, lane)
	}
}

func (h *hooked) called(p consume.TopicPartition, call string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[p][call]
}

// notes returns how often each note was settled.
func (h *hooked) notes() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]int{}
	for n, count := range h.settled {
		out[n] = count
	}
	return out
}

// wantAllDropped checks, after Run, that nothing is left with the pipeline.
func (h *hooked) wantAllDropped() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, ph := range h.phase {
		if ph != nothing {
			h.t.Errorf("%s is %q after the end", p, ph)
		}
	}
}

// note is what the test's outcomes carry.
type note struct{ key, value string }

func (n note) String() string { return n.key + ":" + n.value }

func noted(in consume.Input) (consume.Outcome, error) {
	return consume.Outcome{Records: []*kgo.Record{result(in)}, Note: note{string(in.Key), string(in.Value)}}, nil
}

func input(p int32) consume.TopicPartition {
	return consume.TopicPartition{Topic: "in", Partition: p}
}

// wantNotesOnce checks that these processes together were called for each event at most once,
// and, if all are wanted, for each of n.
func wantNotesOnce(t *testing.T, n int, all bool, hs ...*hooked) {
	t.Helper()
	sum := map[string]int{}
	for _, h := range hs {
		for note, count := range h.notes() {
			sum[note] += count
		}
	}
	for note, count := range sum {
		if count != 1 {
			t.Errorf("%s settled %d times", note, count)
		}
	}
	if all && len(sum) != n {
		t.Errorf("%d events settled, want %d", len(sum), n)
	}
}
