package lives_test

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/status/state"
)

// read returns the committed records of a topic.
func (w *world) read(topic string) []*kgo.Record {
	w.t.Helper()
	out, err := audit.ReadTopics(w.t.Context(), w.kafka.ClientOptions(), topic)
	apptest.NoError(w.t, err)
	return out
}

var ranks = map[string]int{"WAIT_BUYER_PAY": 1, "TRADE_SUCCESS": 2, "TRADE_FINISHED": 3, "TRADE_CLOSED": 3}

// check compares what is in the topics with what Alipay has.
func (w *world) check() {
	partition := map[string]int32{}
	for _, r := range w.read("trade-observations") {
		partition[string(r.Key)] = r.Partition
	}
	versions := map[string][]state.Status{}
	codec := state.NewCodec(w.codec)
	for _, r := range w.read("trade-status") {
		s, err := codec.Decode(w.t.Context(), r.Topic, r.Value)
		apptest.NoError(w.t, err)
		key := string(r.Key)
		if at, ok := partition[key]; s.Key() != key || !ok || at != r.Partition {
			w.t.Errorf("%s: in partition %d, its observations are in %d (%t)", key, r.Partition, at, ok)
		}
		before := versions[key]
		if want := int64(len(before)) + 1; s.Version != want {
			w.t.Errorf("%s: version %d, want %d", key, s.Version, want)
		}
		if len(before) > 0 && ranks[s.AlipayStatus] < ranks[before[len(before)-1].AlipayStatus] {
			w.t.Errorf("%s: %s after %s", key, s.AlipayStatus, before[len(before)-1].AlipayStatus)
		}
		versions[key] = append(before, s)
	}
	published := map[string]bool{}
	for _, r := range w.read("alipay-notifications") {
		for _, h := range r.Headers {
			if h.Key == records.HeaderEventID {
				published[string(h.Value)] = true
			}
		}
	}
	refused := map[string]bool{}
	for _, r := range w.read("alipay-results") {
		res, err := w.codec.DecodeResult(w.t.Context(), r.Topic, r.Value)
		apptest.NoError(w.t, err)
		refused[string(res.OrderNo)] = res.Outcome == order.OutcomeRejected
	}
	told := map[string][]outbox.Notification{} // by trade number
	for _, n := range w.sim.Notifications() {
		told[n.Params["trade_no"]] = append(told[n.Params["trade_no"]], n)
		if n.Done && !published[n.ID] {
			w.t.Errorf("notification %s of %s was answered success and is not in its topic", n.ID, n.OutTradeNo)
		}
	}
	trades := map[string]simulator.Trade{} // the first one of each order
	for _, trade := range w.sim.Trades() {
		if _, second := trades[trade.OutTradeNo]; !second {
			trades[trade.OutTradeNo] = trade
			continue
		}
		w.checkWrong(versions[w.account(trade.OutTradeNo)+"/"+trade.OutTradeNo], heard(told[trade.TradeNo]), trade.OutTradeNo)
	}
	for _, l := range w.lives {
		trade, ok := trades[l.no]
		if !ok {
			w.t.Errorf("%s was not created", l.no)
			continue
		}
		if refused[l.no] {
			w.checkWrong(versions[l.account+"/"+l.no], true, l.no) // its answer was lost, and it was closed before the query
			continue
		}
		w.checkLife(l, trade, versions[l.account+"/"+l.no], told[trade.TradeNo])
	}
	for no, trade := range trades {
		if key := "shop/" + no; len(no) > 10 { // foreign
			w.checkWrong(slices.Concat(versions[key], versions["other/"+no]), heard(told[trade.TradeNo]), no)
		}
	}
}

func (w *world) account(no string) string {
	for _, l := range w.lives {
		if l.no == no {
			return l.account
		}
	}
	return ""
}

// heard reports whether one of the notifications was taken and believed.
func heard(all []outbox.Notification) bool {
	return slices.ContainsFunc(all, believed)
}

func believed(n outbox.Notification) bool {
	return n.Done && !slices.Contains(n.Faults, string(outbox.Late))
}

// checkWrong: no version says that the order is paid; and a person is asked once the bridge knows of the payment.
func (w *world) checkWrong(versions []state.Status, known bool, no string) {
	w.t.Helper()
	for _, s := range versions {
		if s.State == state.Paid || s.State == state.PartiallyRefunded || s.State == state.Finished {
			w.t.Errorf("%s: version %d of a wrong payment is %s", no, s.Version, s.State)
		}
	}
	if last := len(versions) - 1; known && (last < 0 || versions[last].State != state.Held) {
		w.t.Errorf("%s: a wrong payment is not held: %+v", no, versions)
	}
}

// checkLife: the order ends as its trade did, as far as Alipay lets anyone know: a query shows no partial refund, and a
// trade that is paid is not asked for.
func (w *world) checkLife(l life, trade simulator.Trade, versions []state.Status, told []outbox.Notification) {
	w.t.Helper()
	if len(versions) == 0 {
		w.t.Errorf("%s has no status", l.no)
		return
	}
	last := versions[len(versions)-1]
	want := stateOf(trade)
	if l.wrong != "" && l.wrong != simulator.ActForeign && l.wrong != simulator.ActPaySecond {
		w.checkWrong(versions, true, l.no)
		return
	}
	if l.wrong == simulator.ActPaySecond && last.State == state.Held {
		return // checked with the second trade
	}
	if last.TradeNo != "" && string(last.TradeNo) != trade.TradeNo {
		w.t.Errorf("%s: trade %s, Alipay has %s", l.no, last.TradeNo, trade.TradeNo)
	}
	allowed := []state.State{want}
	switch end := len(told) - 1; {
	case end >= 0 && believed(told[end]): // it was told the end
	case heard(told): // it was told of a payment, and nothing later; or a query overtook that
		allowed = append(allowed, state.Paid, state.PartiallyRefunded)
	case want == state.PartiallyRefunded: // only queries
		allowed = append(allowed, state.Paid)
	case want == state.Refunded || want == state.Finished: // a query saw the payment, before what came later
		allowed = append(allowed, state.Paid)
	}
	if !slices.Contains(allowed, last.State) {
		w.t.Errorf("%s is %s (%q after %d versions), want %q\nsteps %+v\nfaults %+v\nnotifications %+v", l.no, last.State, last.Anomalies, last.Version, allowed, l.steps, l.faults, told)
	}
	for _, s := range versions {
		if s.State == state.Held && !slices.Equal(s.Anomalies, []string{state.NotCreated}) {
			w.t.Errorf("%s: version %d is held: %q", l.no, s.Version, s.Anomalies)
		}
	}
}

// stateOf is what a trade of Alipay's means.
func stateOf(t simulator.Trade) state.State {
	switch {
	case t.Status == simulator.TradeFinished:
		return state.Finished
	case t.Status == simulator.TradeSuccess && t.Refunded > 0:
		return state.PartiallyRefunded
	case t.Status == simulator.TradeSuccess:
		return state.Paid
	case t.Status == simulator.TradeClosed && t.Refunded > 0:
		return state.Refunded
	case t.Status == simulator.TradeClosed:
		return state.ClosedUnpaid
	}
	return state.Pending
}
