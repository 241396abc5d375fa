package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
)

var t0 = time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)

func at(minutes int) time.Time    { return t0.Add(time.Duration(minutes) * time.Minute) }
func when(minutes int) *time.Time { t := at(minutes); return &t }
func fen(n int64) *alipay.Money   { return &alipay.Money{Minor: n, Currency: "CNY"} }

// base is an observation of the one order of these tests.
func base(kind order.ObservationKind, minute int) order.Observation {
	return order.Observation{
		Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "o-1",
		Kind: kind, CauseID: fmt.Sprintf("%s-%d", kind, minute), ObservedAt: at(minute),
	}
}

func create(outcome order.CallOutcome) order.Observation {
	o := base(order.ObservedInResult, 0)
	o.Method, o.Outcome, o.CreateEventID, o.CreateTraceparent = alipay.MethodTradeCreate, outcome, "e-1", "00-1-1-01"
	o.TradeNo, o.Total, o.SellerID = "t-1", fen(8888), "2088"
	if outcome == order.OutcomeRejected {
		o.TradeNo = ""
	}
	return o
}

func seen(kind order.ObservationKind, minute int, word string) order.Observation {
	o := base(kind, minute)
	o.AlipayStatus, o.TradeNo, o.Total, o.SellerID = word, "t-1", fen(8888), "2088"
	return o
}

func query(minute int, word string) order.Observation {
	return seen(order.ObservedInSnapshot, minute, word)
}

func notification(minute int, word string) order.Observation {
	return seen(order.ObservedInNotification, minute, word)
}

// paid is a notification of the payment.
func paid(minute int) order.Observation {
	return with(notification(minute, "TRADE_SUCCESS"), func(o *order.Observation) {
		o.PaidAt, o.Paid, o.Received = when(5), fen(8888), fen(8888)
	})
}

func refund(minute int, word string, total int64) order.Observation {
	return with(paid(minute), func(o *order.Observation) {
		o.AlipayStatus, o.Refunded, o.RefundedAt = word, fen(total), when(minute)
	})
}

func decision(kind order.ObservationKind, version int64) order.Observation {
	return with(base(kind, 90), func(o *order.Observation) { o.Version = version })
}

func sync(version int64, word string, minute int) order.Observation {
	return with(base(order.ObservedInResult, minute), func(o *order.Observation) {
		o.Channel, o.Outcome, o.SentStatus, o.SentStatusAt, o.OrderVersion = order.ChannelHK, order.OutcomeApplied, word, when(minute), version
	})
}

func with(o order.Observation, change func(*order.Observation)) order.Observation {
	change(&o)
	return o
}

// on changes the channel of observations.
func on(c order.Channel, all ...order.Observation) []order.Observation {
	for i := range all {
		all[i].Channel = c
	}
	return all
}

// trail is what a reader of trade-status sees of an order.
type trail struct {
	status    *state.Status
	states    []string // one for each published version, with the new anomalies
	asked     int
	forgotten int
}

// see merges one observation, and checks what must hold for each.
func (tr *trail) see(t testing.TB, o order.Observation, rules state.Rules) state.Change {
	t.Helper()
	var before state.Status
	if tr.status != nil {
		before = *tr.status
	}
	text := fmt.Sprintf("%+v", before)
	next, change := state.Merge(tr.status, o, rules)
	if tr.status != nil && fmt.Sprintf("%+v", *tr.status) != text {
		t.Errorf("the merge changed its input")
	}
	if change.Ask {
		tr.asked++
	}
	switch {
	case change.Forgotten:
		tr.forgotten++
		tr.status = nil
	case change.Published:
		if next.Version != before.Version+1 || next.Cause != o.Kind || next.CauseID != o.CauseID || next.ObservedAt.Before(before.ObservedAt) {
			t.Errorf("after %+v: version %d cause %s %s at %v", before, next.Version, next.Cause, next.CauseID, next.ObservedAt)
		}
		tr.status = &next
		tr.states = append(tr.states, strings.TrimRight(string(next.State)+" "+strings.Join(change.Anomalies, " "), " "))
	case fmt.Sprintf("%+v", next) != text:
		t.Errorf("not published, but changed: %+v, was %s", next, text)
	}
	return change
}

func follow(t testing.TB, rules state.Rules, all ...order.Observation) *trail {
	t.Helper()
	tr := &trail{}
	for _, o := range all {
		tr.see(t, o, rules)
	}
	return tr
}

func TestMerge(t *testing.T) {
	applied, closedUnpaid := create(order.OutcomeApplied), query(30, "TRADE_CLOSED")
	other := func(o order.Observation, change func(*order.Observation)) order.Observation { return with(o, change) }
	second := other(paid(20), func(o *order.Observation) { o.TradeNo = "t-2" })
	cheap := other(paid(10), func(o *order.Observation) { o.Total = fen(1) })
	dollars := other(paid(10), func(o *order.Observation) { o.Total = &alipay.Money{Minor: 8888, Currency: "USD"} })
	payee := other(paid(10), func(o *order.Observation) { o.SellerID = "2099" })
	credit := other(query(10, "TRADE_SUCCESS"), func(o *order.Observation) { o.CreditPayMode, o.PaidAt = "creditAdvanceV2", when(5) })
	charged := other(query(40, "TRADE_SUCCESS"), func(o *order.Observation) { o.PaidAt = when(5) })
	foreign := state.Rules{AcceptForeign: true}
	for _, tt := range []struct {
		name  string
		rules state.Rules
		all   []order.Observation
		want  string // the published states with new anomalies
	}{
		{"an observation of a kind that is not known", state.Rules{}, []order.Observation{seen(order.ObservedUnknown, 1, "TRADE_SUCCESS"), applied, seen(order.ObservedUnknown, 1, "TRADE_CLOSED")}, "PENDING"},
		{"a create without a final result", state.Rules{}, []order.Observation{create(order.OutcomeExhausted)}, ""},
		{"an accepted create", state.Rules{}, []order.Observation{create(order.OutcomeAccepted), paid(10)}, "PENDING, PAID"},
		{"the same again", state.Rules{}, []order.Observation{applied, applied, paid(10), paid(10), applied}, "PENDING, PAID"},
		{"a query that shows no status", state.Rules{}, []order.Observation{query(3, ""), applied, query(3, "")}, "PENDING"},
		{"a word that is new to the bridge", state.Rules{}, []order.Observation{applied, query(3, "TRADE_PARKED"), paid(10), query(20, "TRADE_PARKED")}, "PENDING, PENDING, PAID"},

		{"a refused create", state.Rules{}, []order.Observation{create(order.OutcomeRejected)}, "FAILED"},
		{"a later create wins", state.Rules{}, []order.Observation{create(order.OutcomeRejected), other(applied, func(o *order.Observation) { o.Total = fen(1) })}, "FAILED, PENDING"},
		{"a later trade wins, and is not ours", state.Rules{}, []order.Observation{create(order.OutcomeRejected), paid(10)}, "FAILED, HELD not_created"},
		{"a later trade wins where others create", foreign, []order.Observation{create(order.OutcomeRejected), cheap}, "FAILED, PAID"},
		{"a refused create of a known trade", state.Rules{}, []order.Observation{applied, paid(10), create(order.OutcomeRejected)}, "PENDING, PAID"},
		{"a second create, refused", state.Rules{}, []order.Observation{applied, create(order.OutcomeRejected)}, "PENDING"},
		{"a refused create after a foreign trade", foreign, []order.Observation{paid(10), create(order.OutcomeRejected)}, "PAID"},

		{"refunds in parts", state.Rules{}, []order.Observation{applied, paid(10), refund(20, "TRADE_SUCCESS", 100), refund(30, "TRADE_SUCCESS", 300), refund(40, "TRADE_CLOSED", 8888)}, "PENDING, PAID, PARTIALLY_REFUNDED, PARTIALLY_REFUNDED, REFUNDED"},
		{"a refund total only grows", state.Rules{}, []order.Observation{applied, refund(30, "TRADE_SUCCESS", 300), refund(20, "TRADE_SUCCESS", 100)}, "PENDING, PARTIALLY_REFUNDED"},
		{"a full refund before Alipay closes the trade", state.Rules{}, []order.Observation{applied, refund(30, "TRADE_SUCCESS", 8888), refund(40, "TRADE_CLOSED", 8888)}, "PENDING, REFUNDED, REFUNDED"},
		{"a refund in a query is not known", state.Rules{}, []order.Observation{applied, other(refund(30, "TRADE_SUCCESS", 300), func(o *order.Observation) { o.Kind, o.RefundedAt = order.ObservedInSnapshot, nil })}, "PENDING, PAID"},
		{"a partial refund of a finished trade", state.Rules{}, []order.Observation{applied, refund(30, "TRADE_FINISHED", 300)}, "PENDING, FINISHED"},

		{"closed, never paid", state.Rules{}, []order.Observation{applied, closedUnpaid}, "PENDING, CLOSED_UNPAID"},
		{"closed, nothing paid", state.Rules{}, []order.Observation{applied, other(notification(30, "TRADE_CLOSED"), func(o *order.Observation) { o.Paid = fen(0) })}, "PENDING, CLOSED_UNPAID"},
		{"nothing paid yet, then closed", state.Rules{}, []order.Observation{applied, other(query(3, "WAIT_BUYER_PAY"), func(o *order.Observation) { o.Paid = fen(0) }), notification(30, "TRADE_CLOSED")}, "PENDING, PENDING, CLOSED"},
		{"closed, not known whether paid", state.Rules{}, []order.Observation{applied, notification(30, "TRADE_CLOSED"), query(31, "TRADE_CLOSED")}, "PENDING, CLOSED, CLOSED_UNPAID"},
		{"closed, and paid before", state.Rules{}, []order.Observation{applied, notification(30, "TRADE_CLOSED"), paid(10)}, "PENDING, CLOSED, REFUNDED"},
		{"closed with a payment date", state.Rules{}, []order.Observation{applied, other(query(30, "TRADE_CLOSED"), func(o *order.Observation) { o.PaidAt = when(5) })}, "PENDING, REFUNDED"},
		{"closed with a paid amount", state.Rules{}, []order.Observation{applied, other(query(30, "TRADE_CLOSED"), func(o *order.Observation) { o.Paid = fen(8888) })}, "PENDING, REFUNDED"},

		{"paid after closed", state.Rules{}, []order.Observation{applied, closedUnpaid, paid(40), paid(50)}, "PENDING, CLOSED_UNPAID, CLOSED_UNPAID paid_after_closed"},
		{"finished after closed", state.Rules{}, []order.Observation{applied, closedUnpaid, notification(40, "TRADE_FINISHED")}, "PENDING, CLOSED_UNPAID, CLOSED_UNPAID paid_after_closed"},
		{"paid after closed, then refunded", state.Rules{}, []order.Observation{applied, closedUnpaid, paid(40), refund(50, "TRADE_CLOSED", 8888)}, "PENDING, CLOSED_UNPAID, CLOSED_UNPAID paid_after_closed, REFUNDED"},
		{"finished, then closed", state.Rules{}, []order.Observation{applied, other(paid(10), func(o *order.Observation) { o.AlipayStatus = "TRADE_FINISHED" }), notification(40, "TRADE_CLOSED"), notification(50, "TRADE_CLOSED")}, "PENDING, FINISHED, FINISHED finished_then_closed"},
		{"refunded, then finished", state.Rules{}, []order.Observation{applied, refund(30, "TRADE_CLOSED", 8888), notification(40, "TRADE_FINISHED")}, "PENDING, REFUNDED, REFUNDED finished_then_closed"},

		{"a second trade number", state.Rules{}, []order.Observation{applied, paid(10), second, second}, "PENDING, PAID, HELD second_trade_no"},
		{"another amount", state.Rules{}, []order.Observation{applied, cheap, paid(20)}, "PENDING, HELD amount_mismatch"},
		{"another currency", state.Rules{}, []order.Observation{applied, dollars}, "PENDING, HELD currency_mismatch"},
		{"another seller", state.Rules{}, []order.Observation{applied, payee}, "PENDING, HELD seller_mismatch"},
		{"another amount, before the create", state.Rules{}, []order.Observation{cheap, applied}, "HELD not_created, HELD amount_mismatch"},
		{"another amount of a trade that is not paid", state.Rules{}, []order.Observation{applied, other(query(3, "WAIT_BUYER_PAY"), func(o *order.Observation) { o.Total = fen(1) })}, "PENDING, HELD amount_mismatch"},
		{"not created, then created", state.Rules{}, []order.Observation{paid(10), applied}, "HELD not_created, PAID"},
		{"not created, but accepted from others", foreign, []order.Observation{paid(10), applied}, "PAID, PAID"},
		{"not created, and the create refused", state.Rules{}, []order.Observation{paid(10), create(order.OutcomeRejected)}, "HELD not_created"},
		{"trades on credit are not created here", state.Rules{}, on(order.ChannelCredit, paid(10)), "PAID"},
		{"unsettled credit, then charged", state.Rules{}, []order.Observation{applied, credit, paid(20), charged}, "PENDING, HELD unsettled_credit, HELD, PAID"},
		{"unsettled credit of before the charge", state.Rules{}, []order.Observation{applied, charged, credit}, "PENDING, PAID"},
		{"unsettled credit after a notification", state.Rules{}, []order.Observation{applied, paid(20), credit}, "PENDING, PAID, HELD unsettled_credit"},
		{"credit of a trade that is not paid", state.Rules{}, []order.Observation{applied, other(credit, func(o *order.Observation) { o.AlipayStatus = "WAIT_BUYER_PAY" })}, "PENDING, PENDING"},

		{"accepted", state.Rules{}, []order.Observation{applied, cheap, decision(order.Accepted, 2), decision(order.Accepted, 0), other(cheap, func(o *order.Observation) { o.CauseID = "again" })}, "PENDING, HELD amount_mismatch, PAID"},
		{"accepted in any version", state.Rules{}, []order.Observation{applied, cheap, decision(order.Accepted, 0)}, "PENDING, HELD amount_mismatch, PAID"},
		{"another version accepted", state.Rules{}, []order.Observation{applied, cheap, decision(order.Accepted, 1), decision(order.Accepted, 3)}, "PENDING, HELD amount_mismatch"},
		{"an anomaly after the acceptance", state.Rules{}, []order.Observation{applied, cheap, decision(order.Accepted, 2), payee}, "PENDING, HELD amount_mismatch, PAID, HELD seller_mismatch"},
		{"accepted before it was paid", state.Rules{}, []order.Observation{query(3, "WAIT_BUYER_PAY"), decision(order.Accepted, 1), paid(10)}, "HELD not_created, PENDING, PAID"},
		{"nothing to accept", state.Rules{}, []order.Observation{decision(order.Accepted, 0), applied, decision(order.Accepted, 0)}, "PENDING"},

		{"unresolved, then paid", state.Rules{}, []order.Observation{applied, decision(order.Unresolved, 1), decision(order.Unresolved, 2), paid(10)}, "PENDING, PENDING unresolved, PAID"},
		{"an earlier version unresolved", state.Rules{}, []order.Observation{applied, query(3, "WAIT_BUYER_PAY"), decision(order.Unresolved, 1)}, "PENDING, PENDING"},
		{"another version unresolved", state.Rules{}, []order.Observation{applied, paid(10), decision(order.Unresolved, 1)}, "PENDING, PAID"},
		{"a paid trade is resolved", state.Rules{}, []order.Observation{decision(order.Unresolved, 0), applied, paid(10), decision(order.Unresolved, 0)}, "PENDING, PAID"},

		{"Koubei", state.Rules{}, on(order.ChannelKoubei, query(1, "INIT"), query(2, "WAIT_PAY"), query(1, "INIT"), query(3, "PAID"), query(4, "SUCCESS")), "PENDING, PENDING, PAID, FINISHED"},
		{"Koubei, refunded", state.Rules{}, on(order.ChannelKoubei, query(3, "PAID"), query(4, "FINISH"), query(3, "PAID")), "PAID, REFUNDED"},
		{"Koubei, a second order number", state.Rules{}, on(order.ChannelKoubei, other(query(3, "PAID"), func(o *order.Observation) { o.KoubeiOrderNo = "k-1" }), other(query(4, "PAID"), func(o *order.Observation) { o.KoubeiOrderNo = "k-2" })), "PAID, HELD second_trade_no"},
		{"Koubei, closed, and an old query", state.Rules{}, on(order.ChannelKoubei, query(4, "CLOSE"), query(3, "PAID")), "CLOSED"},
		{"Koubei, paid after closed", state.Rules{}, on(order.ChannelKoubei, query(4, "CLOSE"), query(5, "PAID")), "CLOSED, CLOSED paid_after_closed"},
		{"classic words mean nothing to Koubei", state.Rules{}, on(order.ChannelKoubei, query(4, "TRADE_SUCCESS")), "UNKNOWN"},

		{"HK", state.Rules{}, []order.Observation{sync(0, "PAID", 1), sync(0, "IN_DELIVERY", 2), sync(0, "IN_DELIVERY", 2)}, "SYNCED, SYNCED"},
		{"HK, an older sync", state.Rules{}, []order.Observation{sync(0, "PAID", 2), sync(0, "ORDER_TAKEN", 1), sync(0, "FINISHED", 3)}, "SYNCED, SYNCED clock_not_growing, SYNCED"},
		{"HK, a newer version at the same time", state.Rules{}, []order.Observation{sync(1, "PAID", 2), sync(2, "FINISHED", 2)}, "SYNCED, SYNCED clock_not_growing"},
		{"a refused sync", state.Rules{}, []order.Observation{other(sync(0, "PAID", 1), func(o *order.Observation) { o.Outcome = order.OutcomeRejected })}, ""},
		{"a credit record says nothing of the trade", state.Rules{}, on(order.ChannelCredit, sync(0, "COMPLETE", 2)), "UNKNOWN"},
		{"a credit record has no clock", state.Rules{}, on(order.ChannelCredit, query(1, "WAIT_BUYER_PAY"), sync(0, "COMPLETE", 2), sync(0, "CLOSED", 1)), "PENDING, PENDING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := follow(t, tt.rules, tt.all...)
			if got := strings.Join(tr.states, ", "); got != tt.want {
				t.Errorf("published %s\n     want %s", got, tt.want)
			}
		})
	}
}

// What a status shows after a create, a payment and a refund.
func TestFieldsOfAStatus(t *testing.T) {
	got := *follow(t, state.Rules{}, create(order.OutcomeApplied), refund(30, "TRADE_SUCCESS", 300), refund(20, "TRADE_SUCCESS", 100)).status
	want := state.Status{
		Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "o-1", TradeNo: "t-1", Version: 2,
		State: state.PartiallyRefunded, AlipayStatus: "TRADE_SUCCESS", Cause: order.ObservedInNotification, CauseID: "NOTIFICATION-30",
		CreateEventID: "e-1", CreateTraceparent: "00-1-1-01", ObservedAt: at(30), PaidAt: when(5), RefundedAt: when(30),
		Total: fen(8888), Paid: fen(8888), Received: fen(8888), Refunded: fen(300), SellerID: "2088",
	}
	if fmt.Sprint(plain(got)) != fmt.Sprint(plain(want)) {
		t.Errorf("got  %v\nwant %v", plain(got), plain(want))
	}
}

// plain shows what pointers point to.
func plain(s state.Status) []any {
	list := []any{s.Account, s.Environment, s.Channel, s.OrderNo, s.TradeNo, s.KoubeiOrderNo, s.Version, s.State, s.AlipayStatus, s.SentStatus, s.OrderVersion,
		s.Cause, s.CauseID, s.CreateEventID, s.CreateTraceparent, s.ObservedAt, s.SellerID, s.Anomalies, s.Accepted}
	for _, t := range []*time.Time{s.SentStatusAt, s.PaidAt, s.RefundedAt, s.ClosedAt} {
		if t == nil {
			t = &time.Time{}
		}
		list = append(list, *t)
	}
	for _, m := range []*alipay.Money{s.Total, s.Paid, s.Received, s.Refunded} {
		if m == nil {
			m = &alipay.Money{}
		}
		list = append(list, *m)
	}
	return list
}

// The newest sync is shown: by version where both have one, else by time.
func TestTheNewestSyncIsShown(t *testing.T) {
	for _, tt := range []struct {
		all  []order.Observation
		want string
	}{
		{[]order.Observation{sync(0, "PAID", 2), sync(0, "ORDER_TAKEN", 1)}, "PAID"},
		{[]order.Observation{sync(0, "PAID", 1), sync(0, "ORDER_TAKEN", 2)}, "ORDER_TAKEN"},
		{[]order.Observation{sync(1, "PAID", 2), sync(2, "ORDER_TAKEN", 1)}, "ORDER_TAKEN"},
		{[]order.Observation{sync(2, "PAID", 1), sync(1, "ORDER_TAKEN", 2)}, "PAID"},
		{[]order.Observation{sync(2, "PAID", 1), sync(0, "ORDER_TAKEN", 2)}, "ORDER_TAKEN"},
		{on(order.ChannelCredit, sync(0, "COMPLETE", 2), sync(0, "CLOSED", 1)), "COMPLETE"},
	} {
		if got := follow(t, state.Rules{}, tt.all...).status.SentStatus; got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.all[0].SentStatus, tt.all[1].SentStatus, got, tt.want)
		}
	}
}

// The states in which goods may leave the warehouse.
func mayShip(s state.State) bool {
	return slices.Contains([]state.State{state.Paid, state.PartiallyRefunded, state.Finished}, s)
}

// A HELD trade keeps Alipay's word, and shows no state of a payment.
func TestHeldKeepsAlipaysStatus(t *testing.T) {
	s := follow(t, state.Rules{}, create(order.OutcomeApplied), with(refund(30, "TRADE_FINISHED", 3), func(o *order.Observation) { o.Total = fen(1) })).status
	if s.State != state.Held || s.AlipayStatus != "TRADE_FINISHED" || s.Total.Minor != 8888 {
		t.Errorf("%+v", s)
	}
}

func TestLateObservationsOnlyAsk(t *testing.T) {
	late := with(refund(30, "TRADE_CLOSED", 8888), func(o *order.Observation) { o.Late = true })
	tr := follow(t, state.Rules{}, late, create(order.OutcomeApplied), late)
	if tr.asked != 2 || len(tr.states) != 1 {
		t.Errorf("asked %d times, published %v", tr.asked, tr.states)
	}
}

// A notification of a closed trade that leaves open whether it was paid makes the bridge ask, once.
func TestClosedWithoutAnyPaymentAsks(t *testing.T) {
	closed := notification(30, "TRADE_CLOSED")
	tr := follow(t, state.Rules{}, create(order.OutcomeApplied), closed, closed, query(31, "TRADE_CLOSED"))
	if tr.asked != 1 {
		t.Errorf("asked %d times", tr.asked)
	}
}

func TestForgotten(t *testing.T) {
	tr := follow(t, state.Rules{}, decision(order.Forgotten, 0), create(order.OutcomeApplied), decision(order.Forgotten, 2))
	if tr.forgotten != 0 || tr.status == nil {
		t.Errorf("an unknown order, or another version, is forgotten: %+v", tr)
	}
	if c := tr.see(t, decision(order.Forgotten, 0), state.Rules{}); c.Forgotten {
		t.Errorf("a decision about no version forgets: %+v", c)
	}
	if c := tr.see(t, decision(order.Forgotten, 1), state.Rules{}); !c.Forgotten || c.Published {
		t.Errorf("%+v", c)
	}
	tr.see(t, create(order.OutcomeApplied), state.Rules{})
	if tr.status.Version != 1 {
		t.Errorf("version %d after a tombstone", tr.status.Version)
	}
}

// Only a closed trade whose payment is not known makes the bridge ask.
func TestClosedAndKnownDoesNotAsk(t *testing.T) {
	closed := with(notification(40, "TRADE_CLOSED"), func(o *order.Observation) { o.ClosedAt = when(30) })
	if tr := follow(t, state.Rules{}, create(order.OutcomeApplied), query(30, "TRADE_CLOSED"), closed); tr.asked != 0 || len(tr.states) != 3 {
		t.Errorf("asked %d times, published %v", tr.asked, tr.states)
	}
}

// A paid amount that no one showed is not nothing, and amounts of two currencies do not compare.
func TestAmountsAreOnlyWhatWasShown(t *testing.T) {
	closed := with(query(30, "TRADE_CLOSED"), func(o *order.Observation) { o.PaidAt = when(5) })
	if s := follow(t, state.Rules{}, create(order.OutcomeApplied), closed).status; s.Paid != nil {
		t.Errorf("paid %v", *s.Paid)
	}
	yen := with(paid(20), func(o *order.Observation) { o.Paid = &alipay.Money{Minor: 1_000_000, Currency: "JPY"} })
	if s := follow(t, state.Rules{}, create(order.OutcomeApplied), paid(10), yen).status; *s.Paid != *fen(8888) {
		t.Errorf("paid %v", *s.Paid)
	}
	again := with(paid(20), func(o *order.Observation) { o.PaidAt = when(15) })
	if s := follow(t, state.Rules{}, create(order.OutcomeApplied), paid(10), again).status; !s.PaidAt.Equal(at(5)) {
		t.Errorf("paid at %v", s.PaidAt)
	}
}

// Numbers that a later result shows are kept.
func TestTradeNumbersAreCompleted(t *testing.T) {
	without := with(create(order.OutcomeAccepted), func(o *order.Observation) { o.TradeNo = "" })
	if s := follow(t, state.Rules{}, without, create(order.OutcomeApplied)).status; s.TradeNo != "t-1" {
		t.Errorf("after a second create: %q", s.TradeNo)
	}
	synced := with(sync(0, "PAID", 2), func(o *order.Observation) { o.TradeNo = "t-1" })
	if s := follow(t, state.Rules{}, sync(0, "ORDER_TAKEN", 1), synced).status; s.TradeNo != "t-1" {
		t.Errorf("after a second sync: %q", s.TradeNo)
	}
}
