package handle_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// logged makes the desk's handler write its log into the returned buffer.
func (d *desk) logged() *bytes.Buffer {
	log := &bytes.Buffer{}
	d.options.Log = slog.New(slog.NewTextHandler(log, nil))
	d.handler = handle.NewHandler(d.options)
	return log
}

// A create that is refused with a code that no table has may have made its trade all the same: one query decides, once the
// attempt is over. The create is never sent again.
func TestUnknownRefusalOfACreate(t *testing.T) {
	create, query := simulator.TradeCreate, simulator.TradeQuery
	const code = "ACQ.SOMETHING_NEW"
	for _, tt := range []struct {
		name   string
		faults []simulator.Fault
		before func(*testing.T, *desk)
		want   order.CallOutcome
		by     order.ResolvedBy
		reason string
		tally  simulator.Tally
	}{
		{"before the effect", []simulator.Fault{simulator.Refuse(create, code)}, nil, order.OutcomeRejected, order.ResolvedByReply, "", simulator.Tally{Requests: 1, Queries: 1}},
		{"after the effect", []simulator.Fault{simulator.Refuse(create, code).AfterEffect()}, nil, order.OutcomeApplied, order.ResolvedByQuery, "", simulator.Tally{Requests: 1, Executions: 1, Queries: 1}},
		{"a query is lost", []simulator.Fault{simulator.Refuse(create, code), simulator.CutBefore(query)}, nil, order.OutcomeRejected, order.ResolvedByReply, "", simulator.Tally{Requests: 1, Queries: 2}},
		{"another's trade has the number", []simulator.Fault{simulator.Refuse(create, code).Skip(1)}, func(t *testing.T, d *desk) {
			ev := created("o1")
			ev.ID, ev.Total = "e0", yuan(1)
			if got := d.send(ev); got.Outcome != order.OutcomeApplied {
				t.Fatal(got)
			}
		}, order.OutcomeRejected, order.ResolvedByQuery, "conflict", simulator.Tally{Requests: 2, Executions: 1, Queries: 1}},
		{"without a code", []simulator.Fault{simulator.Refuse(create, "")}, nil, order.OutcomeRejected, order.ResolvedByReply, "", simulator.Tally{Requests: 1, Queries: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.faults...)
				log := d.logged()
				if tt.before != nil {
					tt.before(t, d)
				}
				start := time.Now()
				got := d.send(created("o1"))
				if got.Outcome != tt.want || got.ResolvedBy != tt.by || got.Reason != tt.reason || got.dead != nil {
					t.Errorf("%s by %s, reason %q, dead letter %v; want %s by %s", got.Outcome, got.ResolvedBy, got.Reason, got.dead, tt.want, tt.by)
				}
				if tt.by == order.ResolvedByReply && (got.Code != "40004" || got.CallClass != order.ClassRejected || tt.name != "without a code" && got.SubCode != code) {
					t.Errorf("code %s %s, class %s", got.Code, got.SubCode, got.CallClass)
				}
				if n := d.sim.Tally("o1"); n != tt.tally {
					t.Errorf("tally %+v, want %+v", n, tt.tally)
				}
				if d := time.Since(start); d < attemptTimeout {
					t.Errorf("decided after %v, while the attempt might still be under way", d)
				}
				if n := strings.Count(log.String(), "level=ERROR"); n != 1 || tt.name != "without a code" && !strings.Contains(log.String(), code) {
					t.Errorf("%d ERROR lines:\n%s", n, log)
				}
			})
		})
	}
}

// A handling that ended while it asked for the trade of a refused create does not send the create again.
func TestUnknownRefusalOutlivesItsHandling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.SOMETHING_NEW"), simulator.Refuse(simulator.TradeQuery, "isv.insufficient-isv-permissions").WithCode("40006"))
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		if _, err := task.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
			t.Fatalf("err = %v", err)
		}
		out, err := task.Handle(t.Context(), in)
		must(t, err)
		res, err := d.codec.DecodeResult(t.Context(), "results", out.Records[0].Value)
		must(t, err)
		if n := d.sim.Tally("o1"); res.Outcome != order.OutcomeRejected || n.Requests != 1 || n.Queries != 2 {
			t.Errorf("%s, %+v", res.Outcome, n)
		}
	})
}

// Elsewhere such a refusal is final at once, with a line for a person: one for each code, not for each order.
func TestUnknownRefusalOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeQuery, "ACQ.SOMETHING_NEW").Times(30), simulator.Refuse(simulator.TradeQuery, "ACQ.SOMETHING_ELSE"))
		log := d.logged()
		query := created("o1")
		query.Type = order.TypeQueryRequested
		for range 30 {
			if got := d.send(query); got.Outcome != order.OutcomeRejected || got.SubCode != "ACQ.SOMETHING_NEW" {
				t.Fatalf("%s %s", got.Outcome, got.SubCode)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d ERROR lines for one code", n)
		}
		d.send(query)
		if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
			t.Errorf("%d ERROR lines for two codes", n)
		}
		time.Sleep(11 * time.Minute)
		d.sim.AddFault(simulator.Refuse(simulator.TradeQuery, "ACQ.SOMETHING_NEW"))
		d.send(query)
		if !strings.Contains(log.String(), "not_logged_since=29") {
			t.Errorf("the lines that were left out are not counted:\n%s", log)
		}
	})
}

// SYSTEM_ERROR with any prefix or none leaves the outcome of a create unknown.
func TestSystemErrorOfACreate(t *testing.T) {
	for _, code := range []string{"SYSTEM_ERROR", "ACQ.SYSTEM_ERROR", "isv.SYSTEM_ERROR", "isp.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "koubei.SYSTEM_ERROR", "isp.unknow-error"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, simulator.Refuse(simulator.TradeCreate, code).AfterEffect())
				got := d.send(created("o1"))
				if n := d.sim.Tally("o1"); got.Outcome != order.OutcomeApplied || got.ResolvedBy != order.ResolvedByQuery || n.Executions != 1 || n.Requests != 1 {
					t.Errorf("%s by %s, %+v", got.Outcome, got.ResolvedBy, n)
				}
			})
		})
	}
}

// Creates of orders that are paid come again, after a rewind: Alipay is well, and a new order does not wait.
func TestRepeatsOfPaidOrdersOpenNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for i := range 30 {
			no := "p" + itoa(i)
			d.send(created(no))
			must(t, d.sim.Pay(no))
		}
		time.Sleep(time.Hour)
		start := time.Now()
		for i := range 30 {
			if got := d.send(created("p" + itoa(i))); got.Outcome != order.OutcomeApplied {
				t.Fatalf("%+v", got)
			}
		}
		got := d.send(created("new"))
		if took := time.Since(start); took > 10*time.Second || got.Outcome != order.OutcomeApplied {
			t.Errorf("%s; 30 repeats and a new order took %v: the breaker opened", got.Outcome, took)
		}
	})
}

// A key was wrong for longer than the budget lasts; once it is right, a throttled attempt is only the first try.
func TestWaitingForAPersonSpendsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN").Times(3))
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		for range 3 {
			if _, err := task.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // as the lane does
		}
		d.sim.AddFault(simulator.Throttled(simulator.TradeCreate))
		out, err := task.Handle(t.Context(), in)
		must(t, err)
		res, err := d.codec.DecodeResult(t.Context(), "results", out.Records[0].Value)
		must(t, err)
		if res.Outcome != order.OutcomeApplied || res.Attempts != 5 {
			t.Errorf("%s after %d attempts, want another attempt after the throttled one", res.Outcome, res.Attempts)
		}
	})
}
