package state

import (
	"crypto/sha1" //nolint:gosec // a version 5 UUID is defined with SHA-1 (RFC 9562, 5.5); it protects nothing
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"alipay-kafka-bridge/internal/order"
)

// Schedule is when the bridge asks for an order of which it heard nothing: First after its last
// change, then always Factor times as long after it, until Until. Every time is a function of the
// order's age, so that an owner of the order needs to remember nothing.
type Schedule struct {
	First  time.Duration
	Factor int
	Until  time.Duration
}

// DefaultSchedule asks after 2, 6, 18, 54 minutes and so on for 7 days.
var DefaultSchedule = Schedule{First: 2 * time.Minute, Factor: 3, Until: 7 * 24 * time.Hour}

// askable reports whether there is an answer to wait for, and a query that shows it.
func askable(s Status) bool {
	if s.State != Pending || slices.Contains(s.Anomalies, Unresolved) {
		return false
	}
	switch s.Channel {
	case order.ChannelTrade, order.ChannelCredit:
		return s.TradeNo != "" || s.OrderNo != ""
	case order.ChannelKoubei:
		return s.KoubeiOrderNo != ""
	}
	return false
}

// rounds calls f for each round with its time, until f returns false.
func (c Schedule) rounds(s Status, f func(round int, at time.Time) bool) {
	for round, age := 1, c.First; age > 0 && age < c.Until; round, age = round+1, age*time.Duration(max(c.Factor, 2)) {
		if !f(round, s.ObservedAt.Add(age)) {
			return
		}
	}
}

// NextAsk is the time of the first round after now; rounds that were missed are not made up. After
// the last round it is the time to give up, also when that is past. False: the order needs no
// asking.
func (c Schedule) NextAsk(s Status, now time.Time) (due time.Time, ok bool) {
	if !askable(s) {
		return time.Time{}, false
	}
	due = s.ObservedAt.Add(c.Until)
	c.rounds(s, func(_ int, at time.Time) bool {
		if at.After(now) {
			due = at
		}
		return !at.After(now)
	})
	return due, true
}

// Round is the last round that began until now, from 1; 0: none has.
func (c Schedule) Round(s Status, now time.Time) (last int) {
	c.rounds(s, func(round int, at time.Time) bool {
		if !at.After(now) {
			last = round
		}
		return !at.After(now)
	})
	return last
}

// GaveUp reports whether an order is past its last round, and not yet published as unresolved.
func (c Schedule) GaveUp(s Status, now time.Time) bool {
	return askable(s) && !now.Before(s.ObservedAt.Add(c.Until))
}

// idNamespace is the project's namespace of version 5 UUIDs, as in package order.
var idNamespace = [16]byte{
	0x8a, 0x43, 0x54, 0xca, 0xe9, 0xf8, 0x49, 0x6c, 0xa9, 0xd5, 0x58, 0x49, 0xeb, 0x17, 0x75, 0x8c,
}

// AskID is the event id of a round's query: the same for every owner that asks it.
func AskID(s Status, round int) order.EventID {
	text := "sweep " + s.Key() + " " + strconv.Itoa(round)
	sum := sha1.Sum(append(idNamespace[:], text...)) //nolint:gosec // see above
	sum[6] = sum[6]&0x0f | 0x50                      // version 5
	sum[8] = sum[8]&0x3f | 0x80                      // variant of RFC 9562
	h := hex.EncodeToString(sum[:16])
	return order.EventID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// Retention is how long a status is kept after its last change.
type Retention struct {
	Failed time.Duration // refused creates without a trade number: there is nothing to come (security K12)
	Rest   time.Duration // longer than refunds are possible: a tombstone restarts version
}

// DefaultRetention is 7 days for refused creates and 13 months for all others.
var DefaultRetention = Retention{Failed: 7 * 24 * time.Hour, Rest: 396 * 24 * time.Hour}

// Expires is when an order may be forgotten.
func (r Retention) Expires(s Status) time.Time {
	if s.State == Failed && s.TradeNo == "" {
		return s.ObservedAt.Add(r.Failed)
	}
	return s.ObservedAt.Add(r.Rest)
}
