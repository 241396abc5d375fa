package state

import (
	"slices"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// clone copies a status, with times and lists in the one form that a decoded value has.
func (s Status) clone() Status {
	s.Anomalies, s.Accepted = list(s.Anomalies), list(s.Accepted)
	s.SentStatusAt, s.PaidAt = instant(s.SentStatusAt), instant(s.PaidAt)
	s.RefundedAt, s.ClosedAt = instant(s.RefundedAt), instant(s.ClosedAt)
	return s
}

// list copies a list; an empty one is nil.
func list(texts []string) []string {
	if len(texts) == 0 {
		return nil
	}
	return slices.Clone(texts)
}

// instant copies a time, in UTC and milliseconds as schemas have it.
func instant(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := time.UnixMilli(t.UnixMilli()).UTC()
	return &u
}

func sameTime(a, b *time.Time) bool {
	return a != nil && b != nil && a.UnixMilli() == b.UnixMilli()
}

// fill sets a text that is empty, replace one that is given.
func fill[T ~string](to *T, text T) {
	if *to == "" {
		*to = text
	}
}

func replace[T ~string](to *T, text T) {
	if text != "" {
		*to = text
	}
}

// differ compares two texts that are both known.
func differ[T ~string](a, b T) bool { return a != "" && b != "" && a != b }

func positive(m *alipay.Money) bool { return m != nil && m.Minor > 0 }

// larger compares amounts of one currency; the first known currency stays.
func larger(a, b *alipay.Money) *alipay.Money {
	if a == nil || b != nil && a.Currency == b.Currency && b.Minor > a.Minor {
		return b
	}
	return a
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return instant(b)
	}
	return a
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return instant(b)
	}
	return a
}

func positiveOnly(m *alipay.Money) *alipay.Money {
	if positive(m) {
		return m
	}
	return nil
}

// equals reports whether nothing differs. Times are compared as schemas have them, in milliseconds.
func (s *Status) equals(o Status) bool {
	return s.Account == o.Account && s.Environment == o.Environment && s.Channel == o.Channel &&
		s.OrderNo == o.OrderNo && s.TradeNo == o.TradeNo && s.KoubeiOrderNo == o.KoubeiOrderNo &&
		s.Version == o.Version && s.State == o.State && s.AlipayStatus == o.AlipayStatus &&
		s.SentStatus == o.SentStatus && equalTime(s.SentStatusAt, o.SentStatusAt) && s.OrderVersion == o.OrderVersion &&
		s.Cause == o.Cause && s.CauseID == o.CauseID && s.CreateEventID == o.CreateEventID && s.CreateTraceparent == o.CreateTraceparent &&
		s.ObservedAt.UnixMilli() == o.ObservedAt.UnixMilli() &&
		equalTime(s.PaidAt, o.PaidAt) && equalTime(s.RefundedAt, o.RefundedAt) && equalTime(s.ClosedAt, o.ClosedAt) &&
		equal(s.Total, o.Total) && equal(s.Paid, o.Paid) && equal(s.Received, o.Received) && equal(s.Refunded, o.Refunded) &&
		s.SellerID == o.SellerID && slices.Equal(s.Anomalies, o.Anomalies) && slices.Equal(s.Accepted, o.Accepted)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func equalTime(a, b *time.Time) bool { return a == b || sameTime(a, b) }
