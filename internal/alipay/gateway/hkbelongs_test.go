package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// hkBody is an answer of AlipayHK.
func hkBody(status, code, orderID string) string {
	return fmt.Sprintf(`{"result":{"resultCode":%q,"resultStatus":%q},"orderId":%q}`, code, status, orderID)
}

// TestHKFinalAnswersMustBeFresh: whatever would end an event must be new: a failure and an acceptance, too.
func TestHKFinalAnswersMustBeFresh(t *testing.T) {
	for _, tt := range []struct {
		status, code string
		fresh, old   alipay.Class
	}{
		{"S", "SUCCESS", alipay.Done, alipay.Untrusted},
		{"F", "PROCESS_FAIL", alipay.Rejected, alipay.Untrusted},
		{"F", "ACCESS_DENIED", alipay.Misconfigured, alipay.Untrusted},
		{"A", "ACCEPT", alipay.Accepted, alipay.Untrusted},
		{"U", "UNKNOWN_EXCEPTION", alipay.Transient, alipay.Transient}, // ends nothing
	} {
		for age, want := range map[time.Duration]alipay.Class{4 * time.Minute: tt.fresh, 6 * time.Minute: tt.old, -6 * time.Minute: tt.old} {
			t.Run(fmt.Sprint(tt.status, " ", tt.code, " ", age), func(t *testing.T) {
				_, err := hkApp(t, hkSigned(t, 200, hkBody(tt.status, tt.code, "1"), "valid", hkNow.Add(-age))).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
				if got := alipay.ClassOf(err); got != want {
					t.Errorf("class = %v, want %v (%v)", got, want, err)
				}
			})
		}
	}
}

// TestHKFinalAnswersBelong: what names another order than ours is not believed.
func TestHKFinalAnswersBelong(t *testing.T) {
	for _, tt := range []struct {
		status, code string
		want         alipay.Class
	}{{"S", "SUCCESS", alipay.Untrusted}, {"F", "PROCESS_FAIL", alipay.Untrusted}, {"A", "ACCEPT", alipay.Untrusted}} {
		t.Run(tt.status, func(t *testing.T) {
			body := hkBody("S", "SUCCESS", "77")
			app := hkApp(t, func(w http.ResponseWriter, r *http.Request) { hkSigned(t, 200, body, "valid", hkNow)(w, r) })
			client := app.Client(alipay.Merchant{})
			if _, err := client.Do(t.Context(), alipaytest.HKOrderSync()); err != nil {
				t.Fatal(err)
			}
			body = strings.Replace(hkBody(tt.status, tt.code, "77"), "}}", "}} ", 1)
			other := alipaytest.HKOrderSync()
			other.MerchantBizNo, other.RequestID = "20240522000002", "d1c221e159934162bdbff06f33389473"
			if _, err := client.Do(t.Context(), other); alipay.ClassOf(err) != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// TestHKAnswersAreNotSentAgain: the answer to one event is not that to the next one of the same order. What AlipayHK
// signs covers no number of the request, so two genuine answers of one second may be the same bytes.
func TestHKAnswersAreNotSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name         string
		status, code string
		later        time.Duration // of the second event's call
		same         bool          // event
		want         alipay.Class
	}{
		{"a success, a minute later", "S", "SUCCESS", time.Minute, false, alipay.Untrusted},
		{"a success, four minutes later", "S", "SUCCESS", 4 * time.Minute, false, alipay.Untrusted},
		{"a success in the same second", "S", "SUCCESS", time.Second, false, alipay.Done},
		{"a failure, a minute later", "F", "PROCESS_FAIL", time.Minute, false, alipay.Untrusted},
		{"a failure in the same second", "F", "PROCESS_FAIL", time.Second, false, alipay.Rejected},
		{"an acceptance, a minute later", "A", "ACCEPT", time.Minute, false, alipay.Untrusted},
		{"an unknown result, a minute later", "U", "UNKNOWN_EXCEPTION", time.Minute, false, alipay.Transient},
		{"the same event", "S", "SUCCESS", time.Minute, true, alipay.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := hkNow
			app := hkApp(t, hkSigned(t, 200, hkBody(tt.status, tt.code, "1"), "valid", hkNow), func(o *gateway.HKOptions) { o.Now = func() time.Time { return now } })
			client, r := app.Client(alipay.Merchant{}), alipaytest.HKOrderSync()
			_, first := client.Do(t.Context(), r)
			now = now.Add(tt.later)
			if err := app.UseKeys(hkApp(t, silent, func(o *gateway.HKOptions) { o.Now = func() time.Time { return now } })); err != nil {
				t.Fatal(err)
			}
			if !tt.same {
				r.RequestID = "d1c221e159934162bdbff06f33389473"
			}
			_, err := client.Do(t.Context(), r)
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("first %v, then %v, want %v", first, err, tt.want)
			}
		})
	}
}

// TestHKOurClockIsToBlame: AlipayHK refuses a Request-Time that is off by minutes as it refuses a wrong field. Its own time
// in the answer shows that the clock of this host is wrong: the event waits for a person, and is not refused.
func TestHKOurClockIsToBlame(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		ahead      time.Duration // our clock
		signature  string
		want       alipay.Class
		text       string
	}{
		{"right", "PARAM_ILLEGAL", 0, "valid", alipay.Rejected, ""},
		{"almost right", "PARAM_ILLEGAL", 50 * time.Second, "valid", alipay.Rejected, ""},
		{"two minutes ahead", "PARAM_ILLEGAL", 2 * time.Minute, "valid", alipay.Misconfigured, "ahead of AlipayHK's by 2m0s"},
		{"ten minutes ahead", "PARAM_ILLEGAL", 10 * time.Minute, "valid", alipay.Misconfigured, "ahead of AlipayHK's by 10m0s"},
		{"ten minutes behind", "PARAM_ILLEGAL", -10 * time.Minute, "valid", alipay.Misconfigured, "behind AlipayHK's by 10m0s"},
		{"another failure", "PROCESS_FAIL", 2 * time.Minute, "valid", alipay.Rejected, ""},
		{"not signed", "PARAM_ILLEGAL", 10 * time.Minute, "absent", alipay.Untrusted, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hkApp(t, hkSigned(t, 200, hkBody("F", tt.code, ""), tt.signature, hkNow.Add(-tt.ahead))).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if alipay.ClassOf(err) != tt.want || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %v, %q", err, tt.want, tt.text)
			}
		})
	}
}

// TestHKSuccessNamesItsOrder: a success has an orderId, which is a text. A repeat is harmless, so it is simply made again.
func TestHKSuccessNamesItsOrder(t *testing.T) {
	for orderID, want := range map[string]alipay.Class{
		`"2024052219074"`: alipay.Done, `""`: alipay.Ambiguous, `null`: alipay.Ambiguous, `2024052219074`: alipay.Ambiguous, `"a b"`: alipay.Ambiguous, `{}`: alipay.Ambiguous,
	} {
		t.Run(orderID, func(t *testing.T) {
			body := `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"status":"of the merchant","orderId":` + orderID + `}`
			_, err := hkApp(t, hkSigned(t, 200, body, "valid", hkNow)).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if got := alipay.ClassOf(err); got != want {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}

// TestHKClassesOfSettings: a setting never makes an answer final that is not signed.
func TestHKClassesOfSettings(t *testing.T) {
	for _, tt := range []struct {
		status, code, signature string
		setting, want           alipay.Class
	}{
		{"U", "UNKNOWN_EXCEPTION", "valid", alipay.Rejected, alipay.Rejected},
		{"U", "UNKNOWN_EXCEPTION", "absent", alipay.Rejected, alipay.Transient},
		{"U", "UNKNOWN_EXCEPTION", "absent", alipay.Throttled, alipay.Throttled},
		{"F", "INVALID_SIGNATURE", "absent", alipay.Rejected, alipay.Misconfigured},
		{"F", "KEY_NOT_FOUND", "absent", alipay.Transient, alipay.Transient},
		{"F", "PROCESS_FAIL", "absent", alipay.Misconfigured, alipay.Untrusted},
		{"S", "SUCCESS", "valid", alipay.Rejected, alipay.Done},
	} {
		t.Run(tt.status+" "+tt.code+" "+tt.signature, func(t *testing.T) {
			_, err := hkApp(t, hkSigned(t, 200, hkBody(tt.status, tt.code, "1"), tt.signature, hkNow), func(o *gateway.HKOptions) {
				o.Classes = map[string]alipay.Class{tt.code: tt.setting}
			}).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("%v as %v, want %v", err, tt.setting, tt.want)
			}
		})
	}
}
