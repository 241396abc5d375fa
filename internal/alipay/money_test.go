package alipay_test

import (
	"errors"
	"fmt"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
)

// TestYuanIsReadExactly: alipay.trade.create, "total_amount".
func TestYuanIsReadExactly(t *testing.T) {
	for _, tt := range []struct {
		text string
		fen  int64 // 0: refused
	}{
		{"0.01", 1}, {"1", 100}, {"1.5", 150}, {"88.88", 8888}, {"0.30", 30}, {"100000000", 10_000_000_000}, {"100000000.00", 10_000_000_000},
		{"0", 0}, {"0.00", 0}, {"0.001", 0}, {"88.888", 0}, {"100000000.01", 0}, {"-1", 0}, {"+1", 0}, {"1e2", 0}, {"1.", 0}, {".5", 0},
		{"", 0}, {" 1", 0}, {"1 ", 0}, {"01", 0}, {"00.10", 0}, {"NaN", 0}, {"1,00", 0}, {"99999999999999999999", 0}, {"0x10", 0},
	} {
		t.Run(fmt.Sprintf("%q", tt.text), func(t *testing.T) {
			got, err := alipay.ParseYuan(tt.text)
			if tt.fen == 0 {
				if !errors.Is(err, alipay.ErrAmount) {
					t.Errorf("ParseYuan(%q) = %v, %v, want ErrAmount", tt.text, got, err)
				}
				return
			}
			if want := (alipay.Money{Minor: tt.fen, Currency: "CNY"}); err != nil || got != want {
				t.Errorf("ParseYuan(%q) = %v, %v, want %v", tt.text, got, err, want)
			}
		})
	}
}

// TestAmountIsReadByItsLiteral: an amount is exact in its currency or not read at all.
func TestAmountIsReadByItsLiteral(t *testing.T) {
	for _, tt := range []struct {
		literal, currency string
		minor             int64
		ok                bool
	}{
		{"88.88", "CNY", 8888, true},
		{"10", "CNY", 1000, true},
		{"10.5", "CNY", 1050, true},
		{"10.500", "CNY", 1050, true},
		{"-0.01", "CNY", -1, true},
		{"0.00", "CNY", 0, true},
		{"8.881", "CNY", 0, false},
		{"100.00", "JPY", 100, true},
		{"100", "KRW", 100, true},
		{"100.50", "JPY", 0, false},
		{"1.00", "XYZ", 0, false},
		{"1.00", "", 0, false},
		{"1e2", "CNY", 0, false},
		{"--1", "CNY", 0, false},
		{"1.", "CNY", 0, false},
		{"", "CNY", 0, false},
		{"92233720368547758.07", "CNY", 9223372036854775807, true},
		{"92233720368547758.08", "CNY", 0, false},
	} {
		t.Run(tt.literal+" "+tt.currency, func(t *testing.T) {
			got, err := alipay.ParseAmount(tt.literal, tt.currency)
			if (err == nil) != tt.ok || tt.ok && got != (alipay.Money{Minor: tt.minor, Currency: tt.currency}) {
				t.Errorf("ParseAmount(%q, %q) = %v, %v", tt.literal, tt.currency, got, err)
			}
			if err != nil && !errors.Is(err, alipay.ErrAmount) {
				t.Errorf("ParseAmount(%q, %q): %v does not wrap ErrAmount", tt.literal, tt.currency, err)
			}
		})
	}
}

func TestAmountTexts(t *testing.T) {
	for _, tt := range []struct {
		money             alipay.Money
		yuan, minor, text string
	}{
		{alipay.Money{Minor: 8888, Currency: "CNY"}, "88.88", "8888", "88.88 CNY"},
		{alipay.Money{Minor: 1, Currency: "CNY"}, "0.01", "1", "0.01 CNY"},
		{alipay.Money{Minor: 50, Currency: "CNY"}, "0.50", "50", "0.50 CNY"},
		{alipay.Money{Minor: 100, Currency: "CNY"}, "1.00", "100", "1.00 CNY"},
		{alipay.Money{Minor: 0, Currency: "CNY"}, "0.00", "0", "0.00 CNY"},
		{alipay.Money{Minor: -5, Currency: "CNY"}, "-0.05", "-5", "-0.05 CNY"},
		{alipay.Money{Minor: 10_000_000_000, Currency: "CNY"}, "100000000.00", "10000000000", "100000000.00 CNY"},
		{alipay.Money{Minor: 100, Currency: "JPY"}, "1.00", "100", "100 JPY"},
		{alipay.Money{Minor: 7, Currency: "XYZ"}, "0.07", "7", "7 minor XYZ"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			if got := tt.money.Yuan(); got != tt.yuan {
				t.Errorf("%+v.Yuan() = %q, want %q", tt.money, got, tt.yuan)
			}
			if got := tt.money.MinorText(); got != tt.minor {
				t.Errorf("%+v.MinorText() = %q, want %q", tt.money, got, tt.minor)
			}
			if got := tt.money.String(); got != tt.text {
				t.Errorf("%+v.String() = %q, want %q", tt.money, got, tt.text)
			}
		})
	}
}
