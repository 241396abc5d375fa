package alipay_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
)

// codeRow is a row of testdata/codes.json: the codes of the documents that no vector has.
type codeRow struct {
	Method  alipay.Method // * is any of the classic gateway
	Code    string        // of AlipayHK: resultStatus
	SubCode string        `json:"sub_code"`
	Class   string
	Source  string
}

// TestEveryCodeHasItsClassFromASource: each row maps to its class, and no code in the program's
// tables is without a row here or in the vectors.
func TestEveryCodeHasItsClassFromASource(t *testing.T) {
	rows, vectors := alipaytest.Load[[]codeRow](t, "codes.json"), alipaytest.Load[alipaytest.ErrorTable](t, "openapi/errors.json")
	sourced := map[string]bool{}
	for _, r := range rows {
		sourced[string(r.Method)+" "+strings.TrimPrefix(r.SubCode, "isv.")] = r.Source != ""
		if r.Method == alipay.MethodHKOrderSync {
			if got := alipay.ClassifyHK(r.Code, r.SubCode, true).Class.String(); got != r.Class {
				t.Errorf("%s %s: class %s, want %s (%s)", r.Code, r.SubCode, got, r.Class, r.Source)
			}
			continue
		}
		for _, m := range vectors.Methods(r.Method) {
			if got := alipay.Classify(m, r.Code, r.SubCode).Class.String(); got != r.Class {
				t.Errorf("%s %s %s: class %s, want %s (%s)", m, r.Code, r.SubCode, got, r.Class, r.Source)
			}
		}
	}
	for _, c := range vectors.Codes {
		if c.SubCode != nil {
			sourced[string(c.Method)+" "+strings.TrimPrefix(*c.SubCode, "isv.")] = c.Origin != ""
		}
	}
	known := 0
	for method, codes := range alipay.KnownCodes() {
		for _, code := range codes {
			if known++; !sourced[string(cmp.Or(method, "*"))+" "+code] {
				t.Errorf("%s %s: no row says where its class comes from", method, code)
			}
		}
	}
	t.Logf("codes.json: %d rows; %d codes known, each with its source", len(rows), known)
}

// TestClassNames: the words in results, and the class of an unknown error.
func TestClassNames(t *testing.T) {
	if got := alipay.Untrusted.String(); got != "UNTRUSTED" {
		t.Errorf("String() = %q", got)
	}
	if got := alipay.ClassOf(errors.New("x")); got != alipay.Ambiguous {
		t.Errorf("ClassOf an unknown error = %v, want Ambiguous", got)
	}
	if got := alipay.ClassOf(fmt.Errorf("x: %w", &alipay.Error{Class: alipay.Throttled})); got != alipay.Throttled {
		t.Errorf("ClassOf a wrapped error = %v", got)
	}
}
