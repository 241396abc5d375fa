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
