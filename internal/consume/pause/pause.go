// Package pause is how long what failed waits before it is tried again.
package pause

import (
	"context"
	"time"
)

// Sleep waits and reports whether ctx is still alive.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Retry calls f until it returns nil, and reports false when ctx ended before. It calls warn
// with the first error only.
func Retry(ctx context.Context, pause time.Duration, f func() error, warn func(error)) bool {
	for warned := false; ; warned = true {
		err := f()
		if err == nil {
			return true
		}
		if !warned && ctx.Err() == nil {
			warn(err)
		}
		if !Sleep(ctx, pause) {
			return false
		}
	}
}

// The pauses of a [BackOff].
const (
	Min = 5 * time.Second
	Max = time.Minute
)

// BackOff is one thing that is held back and tried again with growing pauses. Nil is nothing.
type BackOff struct {
	Since time.Time
	Read  bool // of a partition: its position was read back since the last try

	pause time.Duration
	next  time.Time // when it is tried again
}

// Due reports whether it is time to try.
func (b *BackOff) Due() bool { return b != nil && !time.Now().Before(b.next) }

// Again begins a pause, unless one lasts: then it is another part of the same try.
func (b *BackOff) Again(now time.Time) *BackOff {
	if b == nil {
		b = &BackOff{Since: now}
	}
	if now.Before(b.next) {
		return b
	}
	b.pause = min(max(Min, 2*b.pause), Max)
	b.next, b.Read = now.Add(b.pause), false
	return b
}
