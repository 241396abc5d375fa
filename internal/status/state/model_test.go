package state_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
)

// life is a random legal life of one trade: what is true of it, and what can be observed of that.
type life struct {
	truth state.State
	all   []order.Observation // in the order of the facts, the create first
}

func newLife(r *rand.Rand) life {
	l := life{truth: state.Pending, all: []order.Observation{create(order.OutcomeApplied)}}
	minute := 1
	add := func(o order.Observation) {
		minute++
		o.ObservedAt, o.CauseID = at(minute), fmt.Sprint("c", minute)
		l.all = append(l.all, o)
	}
	for range r.IntN(3) {
		add(query(0, "WAIT_BUYER_PAY"))
	}
	switch r.IntN(6) {
	case 0: // it waits
		return l
	case 1:
		l.truth = state.ClosedUnpaid
		add(query(0, "TRADE_CLOSED"))
		return l
	}
	l.truth = state.Paid
	asked := with(paid(0), func(o *order.Observation) { o.Kind = order.ObservedInSnapshot })
	add(paid(0))
	for range r.IntN(3) {
		add(asked)
	}
	refunded := int64(0)
	for range r.IntN(4) {
		l.truth = state.PartiallyRefunded
		refunded += 1 + r.Int64N(2000)
		add(refund(minute, "TRADE_SUCCESS", refunded))
	}
	switch r.IntN(3) {
	case 0:
		l.truth = state.Finished
		add(with(refund(minute, "TRADE_FINISHED", refunded), func(o *order.Observation) {
			if refunded == 0 {
				o.Refunded, o.RefundedAt = nil, nil
			}
		}))
	case 1:
		l.truth = state.Refunded
		add(refund(minute, "TRADE_CLOSED", 8888))
		if r.IntN(2) == 0 {
			add(with(asked, func(o *order.Observation) { o.AlipayStatus = "TRADE_CLOSED" }))
		}
	}
	return l
}

// deliver doubles, loses and reorders observations. The create and the last fact always arrive, as
// does every refund total that no later one includes.
func deliver(r *rand.Rand, all []order.Observation) []order.Observation {
	last := len(all) - 1
	for last > 0 && all[last].Kind != order.ObservedInNotification && all[last].AlipayStatus != "TRADE_CLOSED" {
		last-- // a query does not show refunds
	}
	var out []order.Observation
	for i, o := range all {
		copies := r.IntN(3) // 0: lost
		if i == 0 || i >= last {
			copies = max(copies, 1)
		}
		for range copies {
			out = append(out, o)
		}
	}
	// A notification of another trade's time is late: it must change nothing.
	out = append(out, with(refund(999, "TRADE_CLOSED", 1), func(o *order.Observation) { o.Late = true }))
	if r.IntN(3) > 0 {
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// rank orders the states; a trade never falls.
func rank(s state.State) int {
	return slices.IndexFunc([][]state.State{
		{state.Failed}, {state.Pending}, {state.Paid}, {state.PartiallyRefunded},
		{state.Finished, state.Closed, state.ClosedUnpaid, state.Refunded},
	}, func(of []state.State) bool { return slices.Contains(of, s) })
}

// run delivers observations and checks what must hold after each.
func run(t *testing.T, seed uint64, all []order.Observation) *trail {
	t.Helper()
	tr := &trail{}
	highest, created := -1, false
	for i, o := range all {
		tr.see(t, o, state.Rules{})
		if tr.status == nil {
			continue
		}
		created = created || o.CreateEventID != ""
		s := tr.status.State
		if !created && s != state.Held {
			t.Fatalf("seed %d, observation %d: %s without a create", seed, i, s)
		}
		if s == state.Held {
			continue
		}
		if rank(s) < highest {
			t.Fatalf("seed %d, observation %d: %s falls", seed, i, s)
		}
		highest = rank(s)
	}
	return tr
}

// Whatever is doubled, lost or reordered: the final state is what is true, without an anomaly.
func TestAnyDeliveryEndsInTheTruth(t *testing.T) {
	seen := map[state.State]int{}
	for seed := range uint64(5_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := newLife(r)
		got := run(t, seed, deliver(r, l.all)).status
		if got.State != l.truth || len(got.Anomalies) != 0 {
			t.Fatalf("seed %d: %s %v, want %s", seed, got.State, got.Anomalies, l.truth)
		}
		seen[got.State]++
	}
	if len(seen) != 6 {
		t.Errorf("states reached: %v", seen)
	}
}

// The same observations in another order end in the same status.
func TestTheOrderOfDeliveryDoesNotMatter(t *testing.T) {
	for seed := range uint64(3_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		all := deliver(r, newLife(r).all)
		var want string
		for range 3 {
			s := *run(t, seed, all).status
			s.Version, s.Cause, s.CauseID, s.ObservedAt = 0, "", "", t0
			if got := fmt.Sprint(plain(s)); want == "" {
				want = got
			} else if got != want {
				t.Fatalf("seed %d:\n%s\n%s", seed, got, want)
			}
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
	}
}

// frauds are genuine observations of the wrong thing, with the anomaly that each leads to, and after a colon, how.
var frauds = map[string]func(*order.Observation){
	state.AmountMismatch:            func(o *order.Observation) { o.Total = fen(1) },
	state.AmountMismatch + ": none": func(o *order.Observation) { o.Total = nil },
	state.CurrencyMismatch:          func(o *order.Observation) { c := *o.Total; c.Currency = "JPY"; o.Total = &c },
	state.SellerMismatch:            func(o *order.Observation) { o.SellerID = "2099" },
	state.SecondTradeNo:             func(o *order.Observation) { o.TradeNo = "t-2" },
}

// A trade that differs from what was created is HELD in whatever order its observations arrive, and
// never looks paid from then on.
func TestAWrongTradeIsNeverPaid(t *testing.T) {
	for seed := range uint64(1_000) {
		for name, forge := range frauds {
			want, _, _ := strings.Cut(name, ":")
			r := rand.New(rand.NewPCG(seed, 3))
			all := deliver(r, newLife(r).all)
			wrong := with(paid(50), func(o *order.Observation) { forge(o); o.CauseID = "wrong" })
			all = slices.Insert(all, r.IntN(len(all)+1), wrong)
			tr, arrived := &trail{}, false
			for i, o := range all {
				tr.see(t, o, state.Rules{})
				arrived = arrived || o.CauseID == "wrong"
				if arrived && tr.status != nil && mayShip(tr.status.State) {
					t.Fatalf("seed %d %s, observation %d: %s", seed, want, i, tr.status.State)
				}
			}
			if s := tr.status; s.State != state.Held || !slices.Contains(s.Anomalies, want) {
				t.Fatalf("seed %d: %s %v, want HELD by %s", seed, s.State, s.Anomalies, want)
			}
		}
	}
}
