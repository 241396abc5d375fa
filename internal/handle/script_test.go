package handle_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
)

// step is one call that is expected, and how it ends.
type step struct {
	method alipay.Method
	err    error
	body   string // of a success
}

// script answers calls one after the other.
type script struct {
	t     *testing.T
	steps []step
	made  int
	shows look.Facts
}

func (s *script) Do(_ context.Context, r alipay.Request) (alipay.Reply, error) {
	if s.made >= len(s.steps) || s.steps[s.made].method != r.Method() {
		s.t.Fatalf("call %d is %s, which the script does not have", s.made+1, r.Method())
	}
	next := s.steps[s.made]
	s.made++
	now := time.Now()
	time.Sleep(time.Second)
	rep := alipay.Reply{Method: r.Method(), Attempts: s.made, FirstAttemptAt: now, LastAttemptAt: now}
	if next.err == nil {
		rep.Code, rep.Verified, rep.Body = "10000", true, json.RawMessage(next.body)
	}
	return rep, next.err
}
func (*script) Exhausted() bool    { return false }
func (*script) Until(time.Time)    {}
func (s *script) Look() look.Facts { return s.shows }

// play handles one event again and again until the script is over, and returns what came last.
func play(t *testing.T, steps ...step) (came, look.Facts) {
	t.Helper()
	d := newDesk(t)
	s := &script{t: t, steps: steps}
	d.options.Accounts["shop"] = handle.NewAccount(handle.Account{Name: "shop", App: "main", AttemptTimeout: attemptTimeout,
		Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})}, func() *script { return s })
	d.handler = handle.NewHandler(d.options)
	record := d.record(created("o1"))
	task, err := d.handler.Prepare(t.Context(), consume.Input{Record: record})
	must(t, err)
	var out consume.Outcome
	for s.made < len(steps) {
		out, err = task.Handle(t.Context(), consume.Input{Record: record})
	}
	c := came{err: err}
	for _, r := range out.Records {
		if r.Topic == "results" {
			c.Result = d.result(r)
		}
	}
	return c, task.Facts()
}

func (d *desk) result(r *kgo.Record) order.Result {
	d.t.Helper()
	got, err := d.codec.DecodeResult(d.t.Context(), r.Topic, r.Value)
	must(d.t, err)
	return got
}

var (
	lost         = &alipay.Error{Class: alipay.Ambiguous}
	notFound     = &alipay.Error{Class: alipay.Rejected, Code: "40004", SubCode: "ACQ.TRADE_NOT_EXIST", Healthy: true}
	otherContent = &alipay.Error{Class: alipay.Ambiguous, Code: "40004", SubCode: "ACQ.CONTEXT_INCONSISTENT", Healthy: true}
	noPermission = &alipay.Error{Class: alipay.Misconfigured, Code: "40006", SubCode: "isv.insufficient-isv-permissions"}
)

const (
	create   = alipay.MethodTradeCreate
	query    = alipay.MethodTradeQuery
	ourTrade = `{"code":"10000","msg":"Success","out_trade_no":"o1","trade_no":"t1","trade_status":"TRADE_SUCCESS","total_amount":"88.88","buyer_user_id":"2088102146225135"}`
	newTrade = `{"code":"10000","msg":"Success","out_trade_no":"o1","trade_no":"t1"}`
)

// What one answer said is not forgotten when a later one says less.
func TestWhatAnAnswerSaidStays(t *testing.T) {
	// The first question is too early to count.
	absent := []step{{method: query, err: notFound}, {method: query, err: notFound}, {method: query, err: notFound}}
	script := func(parts ...[]step) []step {
		var all []step
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	one := func(m alipay.Method, err error, body string) []step { return []step{{m, err, body}} }

	t.Run("other content", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			got, _ := play(t, script(one(create, otherContent, ""), absent, one(create, lost, ""), one(query, nil, ourTrade))...)
			if got.Outcome != order.OutcomeRejected || got.Reason != "conflict" {
				t.Errorf("%s %s: Alipay said that the trade has other content", got.Outcome, got.Reason)
			}
		})
	})
	t.Run("an attempt that may have taken effect", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			got, facts := play(t, script(one(create, lost, ""), absent, one(create, noPermission, ""))...)
			if alipay.ClassOf(got.err) != alipay.Misconfigured || !facts.Kept || !facts.Doubt.IsZero() {
				t.Errorf("%v, facts %+v", got.err, facts)
			}
		})
	})
	t.Run("it was asked twice, and there is no trade", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// The second handling sends the same create, without another question.
			got, _ := play(t, script(one(create, lost, ""), absent, one(create, noPermission, ""), one(create, nil, newTrade))...)
			if got.Outcome != order.OutcomeApplied || got.Attempts != 6 {
				t.Errorf("%s after %d attempts", got.Outcome, got.Attempts)
			}
		})
	})
	t.Run("in doubt while it asks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, facts := play(t, script(one(create, lost, ""), one(query, noPermission, ""))...)
			if facts.Doubt.IsZero() || !facts.Kept {
				t.Errorf("facts %+v", facts)
			}
		})
	})
}
