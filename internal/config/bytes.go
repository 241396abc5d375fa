package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size, written as 16MiB, 64KiB or a number of bytes.
type Bytes int64

// String writes the size in the largest unit that gives a whole number.
func (b Bytes) String() string {
	switch {
	case b != 0 && b%(1<<20) == 0:
		return strconv.FormatInt(int64(b>>20), 10) + "MiB"
	case b != 0 && b%(1<<10) == 0:
		return strconv.FormatInt(int64(b>>10), 10) + "KiB"
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalYAML prints the size as String does.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }

func parseBytes(s string) (Bytes, error) {
	digits, shift := s, 0
	if d, ok := strings.CutSuffix(s, "MiB"); ok {
		digits, shift = d, 20
	} else if d, ok := strings.CutSuffix(s, "KiB"); ok {
		digits, shift = d, 10
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, errors.New("use a size such as 16MiB, 64KiB or 1048576")
	}
	return Bytes(n << shift), nil
}
