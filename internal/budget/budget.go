// Package budget bounds the memory that short pieces of work need at the same time: decoding and
// planning, in all pipelines of the process together. A record of a few kilobytes may need many
// megabytes while it is read, and hundreds are read at once.
package budget

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Working is the memory that all work of the process may need at the same time, in bytes.
const Working = 32 << 20

// Bytes is an amount of memory that work takes from and gives back.
type Bytes struct {
	size int64
	left *semaphore.Weighted
}

// New returns a budget of that many bytes.
func New(size int) *Bytes {
	return &Bytes{size: int64(size), left: semaphore.NewWeighted(int64(size))}
}

var process = New(Working)

// Use is [Bytes.Use] of the budget of the process.
func Use(ctx context.Context, n int, work func()) error { return process.Use(ctx, n, work) }

// Use waits until n bytes are free and runs work with them. Who waits is served in turn, so that
// much is not kept waiting by little. What needs more than there is runs alone. Work must not
// wait for anything, not even for another Use: the others wait for it. The error is that of ctx.
func (b *Bytes) Use(ctx context.Context, n int, work func()) error {
	want := min(max(int64(n), 1), b.size)
	if err := b.left.Acquire(ctx, want); err != nil {
		return context.Cause(ctx)
	}
	defer b.left.Release(want)
	work()
	return nil
}
