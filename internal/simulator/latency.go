package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strconv"
	"time"
)

// Latency is how long an answer takes. Half of it passes before the effect and half after,
// so that a caller who gives up meets both cases.
type Latency struct {
	Fixed  time.Duration `yaml:"fixed"`
	Jitter time.Duration `yaml:"jitter"` // spread evenly on top of Fixed, by the seed, order and attempt
}

// of returns the latency of one request.
func (l Latency) of(seed uint64, e *RequestEntry, attempt int) time.Duration {
	if l.Jitter <= 0 {
		return l.Fixed
	}
	share := roll(seed, "latency", string(e.Method), e.OrderNo, strconv.Itoa(attempt))
	return l.Fixed + time.Duration(share*float64(l.Jitter))
}

// sleep waits; it returns false if the caller went away first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// roll returns a number in [0, 1) that depends on its arguments only: concurrent requests get
// the same luck in every run.
func roll(seed uint64, parts ...string) float64 {
	sum := hash(strconv.FormatUint(seed, 10), parts...)
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// digits returns n decimal digits that depend on the parts only.
func digits(n int, first string, parts ...string) string {
	out := make([]byte, 0, n)
	for round := 0; len(out) < n; round++ {
		sum := hash(first, append([]string{strconv.Itoa(round)}, parts...)...)
		for _, b := range sum {
			if len(out) < n {
				out = append(out, '0'+b%10)
			}
		}
	}
	return string(out)
}

func hash(first string, parts ...string) [32]byte {
	h := sha256.New()
	_, _ = io.WriteString(h, first) // a hash never fails
	for _, p := range parts {
		_, _ = h.Write([]byte{0})
		_, _ = io.WriteString(h, p)
	}
	return [32]byte(h.Sum(nil))
}
