package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
)

// maybeOurs are refusals of create that may be about our own earlier attempt: by the design
// they are asked for and compared, where the vectors say that the number is spent.
var maybeOurs = map[string]bool{
	"ACQ.CONTEXT_INCONSISTENT": true, "ACQ.TRADE_HAS_SUCCESS": true, "ACQ.TRADE_HAS_CLOSE": true,
}

// classOf turns a reaction of the vectors into a class.
func classOf(t *testing.T, reaction, subCode string) alipay.Class {
	t.Helper()
	switch reaction {
	case "ok":
		return alipay.Done
	case "retry_same":
		return alipay.Transient
	case "back_off":
		return alipay.Throttled
	case "query_first":
		return alipay.Ambiguous
	case "new_out_trade_no":
		if maybeOurs[subCode] {
			return alipay.Ambiguous
		}
		return alipay.Rejected
	case "terminal_input", "terminal_buyer", "not_found":
		return alipay.Rejected
	case "human":
		return alipay.Misconfigured
	}
	t.Fatalf("reaction %q is not known", reaction)
	return 0
}

func breakerFailure(err error) bool { return alipay.HealthOf(err) == alipay.Failing }

// answered makes a call that is answered with this code, signed.
func answered(t *testing.T, m alipay.Method, code, subCode string) *alipay.Error {
	t.Helper()
	node := fmt.Sprintf(`{"code":%q,"msg":"m","sub_code":%q,"sub_msg":"s",%s}`, code, subCode, numbers(m))
	_, err := call(t, answering(200, signedAnswer(t, m, node)), ofMethod(t, m))
	var e *alipay.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return e
}

// TestCodeTable: every code and sub_code of the vectors maps to the class of its reaction.
func TestCodeTable(t *testing.T) {
	v := alipaytest.Load[alipaytest.ErrorTable](t, "openapi/errors.json")
	calls := 0
	for _, c := range v.Codes {
		sub := ""
		if c.SubCode != nil {
			sub = *c.SubCode
		}
		for _, m := range v.Methods(c.Method) {
			e := answered(t, m, c.Code, sub)
			calls++
			got := alipay.Done
			if e != nil {
				got = e.Class
			}
			if want := classOf(t, c.Reaction, sub); got != want {
				t.Errorf("%s %s %s: class = %v, want %v (%s, %s)", m, c.Code, sub, got, want, c.Reaction, c.Origin)
			}
			if counts := e != nil && breakerFailure(e); counts != c.Breaker {
				t.Errorf("%s %s: breaker counts %v, vector %v", m, sub, counts, c.Breaker)
			}
			if got == alipay.Misconfigured && e.Scope == alipay.ScopeNone {
				t.Errorf("%s %s names no scope", m, sub)
			}
		}
	}
	t.Logf("openapi/errors.json: %d rows, %d calls", len(v.Codes), calls)
}

// TestUnknownCodes: the defaults of the vectors. An unknown refusal of a business (40004) is by
// the design Rejected with an alert, where the vectors say human.
func TestUnknownCodes(t *testing.T) {
	v := alipaytest.Load[alipaytest.ErrorTable](t, "openapi/errors.json")
	for _, d := range v.Defaults {
		code := d.Code
		if code == "*" {
			code = "59999"
		}
		for _, m := range v.Methods("*") {
			e := answered(t, m, code, "isv.never-heard-of")
			want := classOf(t, reactionFor(t, d.Reaction, m), "")
			if code == "40004" {
				want = alipay.Rejected
				if m == alipay.MethodTradeCreate { // a query decides first
					want = alipay.Ambiguous
				}
			}
			if e.Class != want {
				t.Errorf("%s %s: class = %v, want %v", m, code, e.Class, want)
			}
			if breakerFailure(e) != d.Breaker {
				t.Errorf("%s %s: breaker counts %v, vector %v", m, code, breakerFailure(e), d.Breaker)
			}
			if (want == alipay.Rejected || want == alipay.Misconfigured || code == "40004") && !e.Alert {
				t.Errorf("%s %s: an unknown code raises no alert", m, code)
			}
			if want == alipay.Misconfigured && e.Proof != alipay.ProofCanary {
				t.Errorf("%s %s: an unknown code stops something without a canary", m, code)
			}
		}
	}
	t.Logf("openapi/errors.json: %d defaults", len(v.Defaults))
}

func reactionFor(t *testing.T, raw json.RawMessage, m alipay.Method) string {
	t.Helper()
	var word string
	if json.Unmarshal(raw, &word) == nil {
		return word
	}
	var byMethod map[alipay.Method]string
	if err := json.Unmarshal(raw, &byMethod); err != nil {
		t.Fatal(err)
	}
	if w, ok := byMethod[m]; ok {
		return w
	}
	return byMethod["*"]
}

// TestOneEventStopsNothing: codes that the content of an order can provoke need more than one
// order before they stop anything.
func TestOneEventStopsNothing(t *testing.T) {
	for _, tt := range []struct {
		code, sub string
		class     alipay.Class
		scope     alipay.Scope
		proof     alipay.Proof
	}{
		{"40002", "isv.invalid-signature", alipay.Misconfigured, alipay.ScopeApp, alipay.ProofCanary},
		{"40002", "isv.suspected-attack", alipay.Rejected, alipay.ScopeApp, alipay.ProofCanary},
		{"40003", "isv.decryption-error-unknown", alipay.Misconfigured, alipay.ScopeApp, alipay.ProofCanary},
		{"40002", "isv.invalid-encrypt", alipay.Misconfigured, alipay.ScopeApp, alipay.ProofCanary},
		{"40004", "ACQ.ACCESS_FORBIDDEN", alipay.Misconfigured, alipay.ScopeMethod, alipay.ProofOrders},
		{"40004", "ACQ.SECONDARY_MERCHANT_STATUS_ERROR", alipay.Misconfigured, alipay.ScopeAccount, alipay.ProofOrders},
		{"40004", "ACQ.SELLER_BEEN_BLOCKED", alipay.Misconfigured, alipay.ScopeAccount, alipay.ProofOrders},
		{"40004", "ACQ.PARTNER_ERROR", alipay.Misconfigured, alipay.ScopeApp, alipay.ProofNone},
		{"40002", "isv.invalid-app-id", alipay.Misconfigured, alipay.ScopeApp, alipay.ProofNone},
		{"20001", "aop.app-auth-token-time-out", alipay.Misconfigured, alipay.ScopeAccount, alipay.ProofNone},
		{"20001", "aop.never-heard-of", alipay.Misconfigured, alipay.ScopeAccount, alipay.ProofCanary},
		{"40006", "isv.insufficient-isv-permissions", alipay.Misconfigured, alipay.ScopeMethod, alipay.ProofNone},
	} {
		t.Run(tt.code+" "+tt.sub, func(t *testing.T) {
			e := answered(t, alipay.MethodTradeCreate, tt.code, tt.sub)
			if e.Class != tt.class || e.Scope != tt.scope || e.Proof != tt.proof {
				t.Errorf("%s: %v, scope %v, proof %v", tt.sub, e.Class, e.Scope, e.Proof)
			}
		})
	}
}
