package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
)

// scripted is a pipeline that ends as its script says, one entry for each start. After the last
// entry it runs until it is stopped.
type scripted struct {
	script []ending
	starts int
	order  bool // it was stopped in order
}

// ending is how long a start of a pipeline lasts, and its error.
type ending struct {
	after time.Duration
	err   error
}

func (p *scripted) run(ctx context.Context) error {
	p.starts++
	if p.starts > len(p.script) {
		<-ctx.Done()
		p.order = true
		return nil
	}
	e := p.script[p.starts-1]
	if !pause.Sleep(ctx, e.after) {
		p.order = true
		return nil
	}
	return e.err
}

var errNoStart = &consume.StartError{Group: "g", Partitions: []string{"t/0"}}

// TestWhichFailuresEndTheProcess: a failed pipeline leaves the others alone, unless its slot is
// taken or no other one is left.
func TestWhichFailuresEndTheProcess(t *testing.T) {
	taken := fmt.Errorf("settle: %w", produce.ErrSlotTaken)
	other := errors.New("group client: no such option")
	for _, tt := range []struct {
		name          string
		calls         []ending
		queries       []ending
		stopAfter     time.Duration
		wantErrors    []string // in the order of the pipelines; none: nil
		wantAfter     time.Duration
		wantStarts    [2]int
		wantLogged    int // errors
		wantRecovered int
	}{
		{"an orderly stop", nil, nil, time.Hour, nil, time.Hour, [2]int{1, 1}, 0, 0},
		{"the slot is taken", []ending{{time.Second, taken}}, nil, time.Hour, []string{"calls: settle: another process uses this slot; give each process a slot of its own"}, time.Second, [2]int{1, 1}, 0, 0},
		{"the slot is taken while the other waits for another start", []ending{{10 * time.Second, taken}}, []ending{{0, other}}, time.Hour, []string{"calls: settle"}, 10 * time.Second, [2]int{1, 1}, 1, 0},
		{"the same error each minute is logged once", nil, slices.Repeat([]ending{{time.Second, errNoStart}}, 5), time.Hour, nil, time.Hour, [2]int{1, 6}, 1, 1},
		{"another error is logged, too", nil, []ending{{0, errNoStart}, {0, other}, {0, errNoStart}}, time.Hour, nil, time.Hour, [2]int{1, 4}, 2, 1},
		{"the same error after a recovery is logged again", nil, []ending{{0, other}, {5 * time.Minute, other}}, time.Hour, nil, time.Hour, [2]int{1, 3}, 2, 2},
		{"no pipeline is left", []ending{{2 * time.Second, errNoStart}}, []ending{{time.Second, other}}, time.Hour, []string{"calls: group g has no committed offset", "queries: group client"}, 2 * time.Second, [2]int{1, 1}, 1, 0},
		{"one is being tried again when the other fails", []ending{{61 * time.Second, other}}, []ending{{0, errNoStart}, {time.Hour, nil}}, time.Hour, []string{"calls: group client", "queries: group g"}, 61 * time.Second, [2]int{1, 2}, 1, 0},
		{"one works again when the other fails", []ending{{3 * time.Minute, other}}, []ending{{0, errNoStart}}, time.Hour, nil, time.Hour, [2]int{2, 2}, 2, 2},
		{"a stop while one waits for another start", nil, []ending{{0, other}}, 10 * time.Second, nil, 10 * time.Second, [2]int{1, 1}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log apptest.Buffer
				calls, queries := &scripted{script: tt.calls}, &scripted{script: tt.queries}
				ctx, cancel := context.WithTimeout(t.Context(), tt.stopAfter)
				defer cancel()
				began := time.Now()
				err := supervise(ctx, slog.New(slog.NewTextHandler(&log, nil)), []supervised{
					{name: "calls", group: "g", run: calls.run}, {name: "queries", group: "g-queries", run: queries.run},
				})
				if got := time.Since(began); got != tt.wantAfter {
					t.Errorf("ended after %v, want %v", got, tt.wantAfter)
				}
				if (err == nil) != (tt.wantErrors == nil) {
					t.Fatalf("error = %v, want %q", err, tt.wantErrors)
				}
				if err != nil {
					for i, line := range strings.Split(err.Error(), "\n") {
						if i >= len(tt.wantErrors) || !strings.HasPrefix(line, tt.wantErrors[i]) {
							t.Errorf("error = %v, want %q", err, tt.wantErrors)
						}
					}
				}
				if got := [2]int{calls.starts, queries.starts}; got != tt.wantStarts {
					t.Errorf("starts = %v, want %v", got, tt.wantStarts)
				}
				said := log.Take()
				if got := strings.Count(said, "level=ERROR"); got != tt.wantLogged {
					t.Errorf("%d errors logged, want %d:\n%s", got, tt.wantLogged, said)
				}
				if got := strings.Count(said, "works again"); got != tt.wantRecovered {
					t.Errorf("%d recoveries logged, want %d:\n%s", got, tt.wantRecovered, said)
				}
			})
		})
	}
}

// TestAFailedPipelineIsLoggedWithWhatToDo: the line names pipeline, group, error and remedy.
func TestAFailedPipelineIsLoggedWithWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log apptest.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		queries := &scripted{script: []ending{{0, errNoStart}}}
		err := supervise(ctx, slog.New(slog.NewTextHandler(&log, nil)), []supervised{
			{name: "calls", group: "g", run: new(scripted).run}, {name: "queries", group: "g-queries", run: queries.run},
		})
		apptest.NoError(t, err)
		said := log.Take()
		for _, want := range []string{"level=ERROR", "pipeline=queries", "group=g-queries", "no committed offset for t/0", `remedy="set kafka.start to earliest`} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in %s", want, said)
			}
		}
	})
}

// TestFollowersDoNotKeepTheProcess: a pipeline that only reads what the others publish does not keep
// a process in which these have failed, and ends it where it runs alone.
func TestFollowersDoNotKeepTheProcess(t *testing.T) {
	fails := []ending{{time.Second, errNoStart}}
	for _, tt := range []struct {
		name   string
		parts  []supervised
		failed bool
	}{
		{"all that lead have failed", []supervised{{name: "calls", run: (&scripted{script: fails}).run}, {name: "status", follows: true, run: new(scripted).run}}, true},
		{"one that leads goes on", []supervised{{name: "calls", run: new(scripted).run}, {name: "status", follows: true, run: (&scripted{script: fails}).run}}, false},
		{"alone", []supervised{{name: "status", follows: true, run: (&scripted{script: fails}).run}}, true},
		{"one of two that follow goes on", []supervised{{name: "sweep", follows: true, run: new(scripted).run}, {name: "status", follows: true, run: (&scripted{script: fails}).run}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := supervise(ctx, slog.New(slog.DiscardHandler), tt.parts)
				if (err != nil) != tt.failed || ctx.Err() != nil == tt.failed {
					t.Errorf("error = %v, its hour is over = %v", err, ctx.Err() != nil)
				}
			})
		})
	}
}

// TestOthersStopInOrderWhenTheSlotIsTaken: the other pipelines settle what they have before the
// process ends.
func TestOthersStopInOrderWhenTheSlotIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, queries := &scripted{script: []ending{{time.Second, produce.ErrSlotTaken}}}, &scripted{}
		err := supervise(t.Context(), slog.New(slog.DiscardHandler), []supervised{{name: "calls", run: calls.run}, {name: "queries", run: queries.run}})
		if !errors.Is(err, produce.ErrSlotTaken) || !queries.order {
			t.Errorf("error = %v, the other pipeline stopped in order = %v", err, queries.order)
		}
	})
}

// TestAPipelineThatWaitsHasNotRecovered: a pipeline that runs for minutes but cannot publish, for
// instance because it waits for brokers, is not said to work again.
func TestAPipelineThatWaitsHasNotRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log apptest.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		queries := &scripted{script: []ending{{0, errNoStart}}}
		began, failed := time.Now(), []bool{}
		err := supervise(ctx, slog.New(slog.NewTextHandler(&log, nil)), []supervised{
			{name: "calls", group: "g", run: new(scripted).run},
			{name: "queries", group: "g-queries", run: queries.run,
				works:  func() bool { return time.Since(began) > 10*time.Minute },
				failed: func(f bool) { failed = append(failed, f) }},
		})
		apptest.NoError(t, err)
		said := log.Take()
		if strings.Count(said, "works again") != 1 || !strings.Contains(said, "00:11:00.000Z level=WARN msg=\"a pipeline that had failed works again\"") {
			t.Errorf("want one line after 11 minutes:\n%s", said)
		}
		if len(failed) < 2 || !failed[0] || failed[len(failed)-1] {
			t.Errorf("failed = %v", failed)
		}
	})
}
