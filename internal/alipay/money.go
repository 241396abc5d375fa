package alipay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrAmount marks a text that is not an exact amount of its currency.
var ErrAmount = errors.New("not an exact amount")

// CNY is the currency of every amount that Alipay's pages give in yuan.
const CNY = "CNY"

// The range of an amount that is sent in yuan: 0.01 to 100000000
// (alipay.trade.create, "total_amount").
const (
	minFen = 1
	maxFen = 100_000_000 * 100
)

// Money is an exact amount: a whole number of minor units, never a float.
type Money struct {
	Minor    int64  // fen for CNY, cents for HKD, yen for JPY
	Currency string // ISO 4217, three capitals
}

// exponents holds the decimals of the currencies that alipay.trade.query, "trans_currency",
// lists, after ISO 4217. An amount in any other currency cannot be read exactly.
var exponents = map[string]int{
	"AED": 2, "AUD": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2,
	"HKD": 2, "IDR": 2, "ILS": 2, "JPY": 0, "KRW": 0, "LKR": 2, "MUR": 2, "MYR": 2, "NOK": 2,
	"NZD": 2, "PHP": 2, "RUB": 2, "SEK": 2, "SGD": 2, "THB": 2, "TWD": 2, "USD": 2, "ZAR": 2,
}

// Exponent returns the number of decimals of a currency by ISO 4217; false for a currency
// that Alipay's pages do not list.
func Exponent(currency string) (int, bool) {
	e, ok := exponents[currency]
	return e, ok
}

// ParseYuan reads an amount as it is sent to Alipay: yuan with at most two decimals, a plain
// decimal without sign, exponent or leading zeros ("88.88", "1"). The result is in fen. It
// returns an error wrapping [ErrAmount] when s has another form or lies outside 0.01 to
// 100000000 (alipay.trade.create, "total_amount").
func ParseYuan(s string) (Money, error) {
	whole, frac, point := strings.Cut(s, ".")
	if len(whole) > 1 && whole[0] == '0' || strings.HasPrefix(s, "-") || point && (frac == "" || len(frac) > 2) {
		return Money{}, fmt.Errorf("yuan: %w", ErrAmount)
	}
	m, err := ParseAmount(s, CNY)
	if err != nil {
		return Money{}, err
	}
	if m.Minor < minFen || m.Minor > maxFen {
		return Money{}, fmt.Errorf("yuan outside 0.01 to 100000000: %w", ErrAmount)
	}
	return m, nil
}

// ParseAmount reads the literal of an amount in an answer, of the form -?\d+(\.\d+)?, whether
// it was a JSON number or a string. It returns an error wrapping [ErrAmount]
// when the literal has another form, the currency is not known, or the amount is not a whole
// number of minor units: 100.00 JPY is exact, 100.50 JPY is not. It never rounds.
func ParseAmount(literal, currency string) (Money, error) {
	exp, ok := Exponent(currency)
	if !ok {
		return Money{}, fmt.Errorf("unknown currency: %w", ErrAmount)
	}
	digits := strings.TrimPrefix(literal, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if !allDigits(whole) || point && !allDigits(frac) {
		return Money{}, fmt.Errorf("not a plain decimal: %w", ErrAmount)
	}
	for len(frac) > exp && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if len(frac) > exp {
		return Money{}, fmt.Errorf("finer than the minor unit of %s: %w", currency, ErrAmount)
	}
	minor, err := strconv.ParseInt(whole+frac+strings.Repeat("0", exp-len(frac)), 10, 64)
	if err != nil {
		return Money{}, fmt.Errorf("too large: %w", ErrAmount)
	}
	if len(digits) != len(literal) {
		minor = -minor
	}
	return Money{Minor: minor, Currency: currency}, nil
}

// Yuan writes an amount in CNY as Alipay reads it: yuan, a point, two decimals ("88.88").
func (m Money) Yuan() string { return decimal(m.Minor, 2) }

// MinorText writes the amount in minor units as a decimal text without a point, as AlipayHK
// reads it (AlipayHK Synchronize Order, "amount").
func (m Money) MinorText() string { return strconv.FormatInt(m.Minor, 10) }

// String writes the amount for people: "88.88 CNY", "100 JPY". If the decimals of the currency
// are not known, it writes minor units and says so.
func (m Money) String() string {
	if exp, ok := Exponent(m.Currency); ok {
		return decimal(m.Minor, exp) + " " + m.Currency
	}
	return m.MinorText() + " minor " + m.Currency
}

// decimal writes minor units with exp decimals.
func decimal(minor int64, exp int) string {
	s := strconv.FormatInt(minor, 10)
	if exp == 0 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	if len(s) <= exp {
		s = strings.Repeat("0", exp+1-len(s)) + s
	}
	return sign + s[:len(s)-exp] + "." + s[len(s)-exp:]
}

func allDigits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
