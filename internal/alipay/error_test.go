package alipay_test

import (
	"errors"
	"fmt"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
)

// TestIsTradeNotFound: only a signed refusal with exactly this code means that there is no trade.
func TestIsTradeNotFound(t *testing.T) {
	notFound := &alipay.Error{Class: alipay.Rejected, Code: "40004", SubCode: "ACQ.TRADE_NOT_EXIST"}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"signed", notFound, true},
		{"wrapped", fmt.Errorf("query: %w", notFound), true},
		{"unsigned", &alipay.Error{Class: alipay.Ambiguous, Code: "40004", SubCode: "ACQ.TRADE_NOT_EXIST"}, false},
		{"another refusal", &alipay.Error{Class: alipay.Rejected, Code: "40004", SubCode: "ACQ.INVALID_PARAMETER"}, false},
		{"the code in the message alone", &alipay.Error{Class: alipay.Rejected, Message: "ACQ.TRADE_NOT_EXIST"}, false},
		{"not an error of a call", errors.New("ACQ.TRADE_NOT_EXIST"), false},
		{"no error", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := alipay.IsTradeNotFound(tt.err); got != tt.want {
				t.Errorf("IsTradeNotFound(%v) = %v, want %v", tt.err, got, tt.want)
			}
		})
	}
}

// TestOnlySignedRefusalsProve: an unsigned refusal of a create proves neither other content nor that there may be no trade.
func TestOnlySignedRefusalsProve(t *testing.T) {
	for _, sub := range []string{"ACQ.CONTEXT_INCONSISTENT", "ACQ.SOMETHING_NEW"} {
		for _, signed := range []bool{true, false} {
			c := alipay.Classify(alipay.MethodTradeCreate, "40004", sub)
			if !signed {
				c = alipay.ClassifyUnsigned(alipay.MethodTradeCreate, "40004", sub)
			}
			err := &alipay.Error{Class: c.Class, Code: "40004", SubCode: sub, Healthy: c.Healthy, Alert: c.Alert}
			if got, want := alipay.IsOtherContent(err), signed && sub == "ACQ.CONTEXT_INCONSISTENT"; got != want {
				t.Errorf("IsOtherContent of %s, signed %v: %v", sub, signed, got)
			}
			if got, want := alipay.IsUnknownRefusal(err), signed && sub == "ACQ.SOMETHING_NEW"; got != want {
				t.Errorf("IsUnknownRefusal of %s, signed %v: %v", sub, signed, got)
			}
		}
	}
}
