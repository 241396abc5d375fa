package state

import (
	"slices"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Rules are the account's settings that the merge depends on.
type Rules struct {
	AcceptForeign bool // trades that the bridge did not create are not an anomaly
}

// Change is what an observation leads to. The zero Change: it is no news.
type Change struct {
	Published bool     // the next status has to be published
	Forgotten bool     // the order ends with a tombstone
	Ask       bool     // Alipay has to be asked: the observation alone decides nothing
	Anomalies []string // that are new
}

// Merge returns the status of an order after an observation. s is nil for an order that is not
// known yet. A status that is not published is s itself.
func Merge(s *Status, o order.Observation, rules Rules) (Status, Change) {
	var before Status
	if s != nil {
		before = *s
	}
	switch {
	case o.Late:
		return before, Change{Ask: true}
	case s != nil && o.Kind == order.Forgotten && o.Version == before.Version: // not any version: the same decision may come again
		return Status{}, Change{Forgotten: true}
	}
	m := merge{Status: before.clone(), o: o, foreign: rules.AcceptForeign}
	m.observe()
	if m.equals(before) {
		return before, Change{}
	}
	m.State = m.state()
	return m.publish(before)
}

// concerns reports whether a decision is about this version of the status.
func concerns(o order.Observation, s Status) bool { return o.Version == 0 || o.Version == s.Version }

// merge is a status while an observation changes it.
type merge struct {
	Status

	o       order.Observation
	foreign bool
	ask     bool
}

// publish gives a changed status its version and cause.
func (m *merge) publish(before Status) (Status, Change) {
	m.Version = before.Version + 1
	m.Cause, m.CauseID = m.o.Kind, m.o.CauseID
	if m.o.ObservedAt.After(m.ObservedAt) { // records may overtake one another; the time of a change does not go back
		m.ObservedAt = *instant(&m.o.ObservedAt)
	}
	m.Anomalies, m.Accepted = list(m.Anomalies), list(m.Accepted)
	added := slices.DeleteFunc(slices.Clone(m.Anomalies), func(a string) bool { return slices.Contains(before.Anomalies, a) })
	return m.Status, Change{Published: true, Ask: m.ask, Anomalies: added}
}

// observe takes over what the observation says.
func (m *merge) observe() {
	known := m.Version > 0
	switch m.o.Kind {
	case order.ObservedInResult:
		m.result()
	case order.ObservedInSnapshot, order.ObservedInSweep, order.ObservedInNotification:
		if m.o.AlipayStatus != "" {
			m.identify()
			m.trade()
		}
	case order.Unresolved:
		if known && concerns(m.o, m.Status) && m.State == Pending {
			m.mark(Unresolved)
		}
	case order.Accepted:
		if known && concerns(m.o, m.Status) {
			m.Accepted = slices.Clone(m.Anomalies)
		}
	}
}

// identify names a status that is new, or whose channel was not known.
func (m *merge) identify() {
	m.Account, m.OrderNo = m.o.Account, m.o.OrderNo
	fill(&m.Environment, m.o.Environment)
	fill(&m.Channel, m.o.Channel)
}

// result takes over the result of a create or a sync.
func (m *merge) result() {
	taken := m.o.Outcome == order.OutcomeApplied || m.o.Outcome == order.OutcomeAccepted
	switch {
	case m.o.CreateEventID != "" && taken:
		m.created()
	case m.o.CreateEventID != "" && m.o.Outcome == order.OutcomeRejected:
		m.refused()
	case m.o.CreateEventID == "" && taken && m.o.SentStatus != "":
		m.sent()
	}
}

// created takes over a create. What was created is what all else is compared with, also what was
// seen before.
func (m *merge) created() {
	m.identify()
	if m.State == Failed { // an earlier create was refused; this one was not
		m.dropRefused()
	}
	m.compare()
	m.end(NotCreated)
	if m.CreateEventID != "" {
		fill(&m.TradeNo, m.o.TradeNo)
		return
	}
	m.CreateEventID, m.CreateTraceparent = m.o.CreateEventID, m.o.CreateTraceparent
	replace(&m.TradeNo, m.o.TradeNo)
	replace(&m.SellerID, m.o.SellerID)
	if m.o.Total != nil {
		m.Total = m.o.Total
	}
}

// refused takes over a refused create, unless there is a trade: that is not what was refused.
func (m *merge) refused() {
	if m.CreateEventID != "" || m.AlipayStatus != "" {
		return
	}
	m.identify()
	m.CreateEventID, m.CreateTraceparent = m.o.CreateEventID, m.o.CreateTraceparent
	m.Total, m.SellerID, m.State = m.o.Total, m.o.SellerID, Failed
}

// dropRefused forgets what a refused create asked for.
func (m *merge) dropRefused() {
	m.CreateEventID, m.CreateTraceparent, m.Total, m.SellerID, m.State = "", "", nil, "", Unknown
}

// sent takes over a sync that Alipay accepted. order_version decides which of two is newer, then
// the time.
func (m *merge) sent() {
	m.identify()
	o, first := m.o, m.SentStatusAt == nil
	if !first && o.SentStatus == m.SentStatus && o.OrderVersion == m.OrderVersion && sameTime(o.SentStatusAt, m.SentStatusAt) {
		return
	}
	later := first || o.SentStatusAt != nil && o.SentStatusAt.After(*m.SentStatusAt)
	if !later && m.rules().clock {
		m.mark(ClockNotGrowing)
	}
	newer := later
	if o.OrderVersion != 0 && m.OrderVersion != 0 && o.OrderVersion != m.OrderVersion {
		newer = o.OrderVersion > m.OrderVersion
	}
	if newer {
		m.SentStatus, m.SentStatusAt, m.OrderVersion = o.SentStatus, instant(o.SentStatusAt), o.OrderVersion
	}
	fill(&m.TradeNo, o.TradeNo)
}

// trade takes over what Alipay shows of a trade.
func (m *merge) trade() {
	if m.State == Failed {
		m.dropRefused() // there is a trade, which is not the refused one
	}
	if m.CreateEventID == "" && m.rules().creates && !m.foreign {
		m.mark(NotCreated)
	}
	m.compare()
	m.credit()
	m.move()
	fill(&m.TradeNo, m.o.TradeNo)
	fill(&m.KoubeiOrderNo, m.o.KoubeiOrderNo)
	fill(&m.SellerID, m.o.SellerID)
	if m.Total == nil {
		m.Total = m.o.Total
	}
	m.amounts()
}

// compare marks what differs from what is known of the trade (security N6).
func (m *merge) compare() {
	if differ(m.TradeNo, m.o.TradeNo) || differ(m.KoubeiOrderNo, m.o.KoubeiOrderNo) {
		m.mark(SecondTradeNo)
	}
	if differ(m.SellerID, m.o.SellerID) {
		m.mark(SellerMismatch)
	}
	if m.o.Total == nil && m.rules().words[m.o.AlipayStatus].paid() {
		m.mark(AmountMismatch) // an amount that cannot be read may be any
	}
	if m.Total == nil || m.o.Total == nil {
		return
	}
	if differ(m.Total.Currency, m.o.Total.Currency) {
		m.mark(CurrencyMismatch)
	} else if m.Total.Minor != m.o.Total.Minor {
		m.mark(AmountMismatch)
	}
}

// credit marks a payment that is not charged yet, and ends that when a query shows the charge: a
// notification does not say. A query from before the last one that changed the status is old.
func (m *merge) credit() {
	w, ok := m.rules().words[m.o.AlipayStatus]
	if !ok || !w.paid() || m.o.Kind == order.ObservedInNotification {
		return
	}
	asked := m.Cause == order.ObservedInSnapshot || m.Cause == order.ObservedInSweep
	if asked && m.o.ObservedAt.Before(m.ObservedAt) {
		return
	}
	if m.o.CreditPayMode != "" {
		m.mark(UnsettledCredit)
	} else {
		m.end(UnsettledCredit)
	}
}

// move takes over Alipay's status word, unless its rank is not higher or it contradicts the known
// one. A word that is new to the bridge is only shown, and only before any other.
func (m *merge) move() {
	next, ok := m.rules().words[m.o.AlipayStatus]
	now, known := m.word()
	switch {
	case !ok:
		fill(&m.AlipayStatus, m.o.AlipayStatus)
	case !known, !m.contradicts(now, next) && next.rank > now.rank:
		m.AlipayStatus = m.o.AlipayStatus
	}
}

// contradicts marks a payment of a closed trade, and an end that is not the known one.
func (m *merge) contradicts(now, next word) bool {
	over := now.state == Closed || now.state == Refunded
	switch {
	case next.paid() && m.neverPaid(now):
		m.mark(PaidAfterClosed)
	case now.rank < ended || next.rank < ended || now.state == next.state:
		return false
	case now.state == Finished || over && next.state == Finished:
		m.mark(FinishedThenClosed)
	}
	return true
}

// neverPaid reports whether the trade was closed without a payment, as far as is known before
// this observation.
func (m *merge) neverPaid(now word) bool {
	if now.split {
		return m.closed() == ClosedUnpaid
	}
	return now.state == Closed && m.o.ObservedAt.After(m.ObservedAt) // Koubei: only a later payment is odd
}

// amounts takes over amounts and times. None of them shrinks or is lost, so that the order of the
// observations does not matter.
func (m *merge) amounts() {
	m.Paid, m.Received = larger(m.Paid, m.paid()), larger(m.Received, m.o.Received)
	if m.o.Kind == order.ObservedInNotification { // no one else knows it
		m.Refunded = larger(m.Refunded, m.o.Refunded)
	}
	m.PaidAt, m.ClosedAt = earlier(m.PaidAt, m.o.PaidAt), earlier(m.ClosedAt, m.o.ClosedAt)
	m.RefundedAt = later(m.RefundedAt, m.o.RefundedAt)
}

// paid is the paid amount that the observation shows. Nothing paid counts only of a closed trade:
// it was never paid then. A query shows the date of a payment, so that without date and amount there
// was none; a notification leaves it open, and the bridge asks.
func (m *merge) paid() *alipay.Money {
	o := m.o
	if w := m.rules().words[o.AlipayStatus]; positive(o.Paid) || !w.split {
		return positiveOnly(o.Paid)
	}
	switch {
	case o.PaidAt != nil || m.PaidAt != nil || o.Paid != nil:
		return o.Paid
	case o.Kind == order.ObservedInNotification:
		m.ask = m.Paid == nil
		return nil
	}
	zero := alipay.Money{Currency: "CNY"}
	if m.Total != nil {
		zero.Currency = m.Total.Currency
	}
	return &zero
}

// state reads the state off the merged status.
func (m *merge) state() State {
	for _, a := range m.Anomalies {
		if holding[a] && !slices.Contains(m.Accepted, a) {
			return Held
		}
	}
	w, ok := m.word()
	switch {
	case ok && w.split:
		return m.closed()
	case ok && w.paid():
		return m.refundedSoFar(w.state)
	case ok:
		return w.state
	case m.State == Failed:
		return Failed
	case m.CreateEventID != "":
		return Pending
	case m.SentStatus != "" && m.rules().synced:
		return Synced
	}
	return Unknown
}

// closed splits TRADE_CLOSED: Alipay has one word for trades that were refunded and for trades
// that were never paid.
func (m *merge) closed() State {
	paid := m.PaidAt != nil || positive(m.Paid)
	switch {
	case m.RefundedAt != nil || positive(m.Refunded):
		return Refunded
	case slices.Contains(m.Anomalies, PaidAfterClosed):
		return ClosedUnpaid
	case paid:
		return Refunded
	case m.Paid != nil:
		return ClosedUnpaid
	}
	return Closed
}

func (m *merge) refundedSoFar(s State) State {
	switch {
	case !positive(m.Refunded):
		return s
	case m.Total != nil && m.Total.Currency == m.Refunded.Currency && m.Refunded.Minor >= m.Total.Minor:
		return Refunded
	case s == Paid:
		return PartiallyRefunded
	}
	return s
}

func (m *merge) mark(anomaly string) {
	if !slices.Contains(m.Anomalies, anomaly) {
		m.Anomalies = append(m.Anomalies, anomaly)
	}
}

func (m *merge) end(anomaly string) {
	is := func(a string) bool { return a == anomaly }
	m.Anomalies, m.Accepted = slices.DeleteFunc(m.Anomalies, is), slices.DeleteFunc(m.Accepted, is)
}
