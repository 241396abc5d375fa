// Package seeded makes numbers that depend only on their arguments, so that concurrent requests get
// the same numbers in every run.
package seeded

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strconv"
)

// Hash hashes the parts with a separator between them.
func Hash(first string, parts ...string) [32]byte {
	h := sha256.New()
	_, _ = io.WriteString(h, first) // a hash never fails
	for _, p := range parts {
		_, _ = h.Write([]byte{0})
		_, _ = io.WriteString(h, p)
	}
	return [32]byte(h.Sum(nil))
}

// Fraction returns a number in [0, 1).
func Fraction(seed uint64, parts ...string) float64 {
	sum := Hash(strconv.FormatUint(seed, 10), parts...)
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// Digits returns n decimal digits.
func Digits(n int, first string, parts ...string) string {
	out := make([]byte, 0, n)
	for round := 0; len(out) < n; round++ {
		sum := Hash(first, append([]string{strconv.Itoa(round)}, parts...)...)
		for _, b := range sum {
			if len(out) < n {
				out = append(out, '0'+b%10)
			}
		}
	}
	return string(out)
}
