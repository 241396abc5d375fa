package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Fen is an amount of the classic gateway in fen, a hundredth of a yuan.
type Fen int64

// The limits of a trade's total.
const (
	MinTotal Fen = 1              // 0.01 yuan (alipay.trade.create, "total_amount")
	MaxTotal Fen = 10_000_000_000 // 100000000 yuan
)

var errYuan = errors.New("is not an amount in yuan with at most two decimals")

// ParseYuan reads an amount of a request: digits without leading zeros, and at most two decimals
// ("88.88", "1.5", "10").
func ParseYuan(text string) (Fen, error) {
	whole, part, point := strings.Cut(text, ".")
	if !IsDigits(whole) || len(whole) > 12 || (len(whole) > 1 && whole[0] == '0') {
		return 0, errYuan
	}
	if point && (!IsDigits(part) || len(part) > 2) {
		return 0, errYuan
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if err != nil {
		return 0, errYuan
	}
	return Fen(n), nil
}

// String returns the amount as in answers: yuan with two decimals.
func (f Fen) String() string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	return fmt.Sprintf("%s%d.%02d", sign, f/100, f%100)
}

// MarshalText writes the amount like [Fen.String].
func (f Fen) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the amount like [ParseYuan].
func (f *Fen) UnmarshalText(text []byte) error {
	v, err := ParseYuan(string(text))
	*f = v
	return err
}

// IsDigits reports whether text is one or more ASCII digits.
func IsDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// Yuan returns an amount that was checked before; ok is false if it is absent.
func (f Fields) Yuan(name string) (a Fen, ok bool) {
	a, err := ParseYuan(Literal(f[name]))
	return a, err == nil
}
