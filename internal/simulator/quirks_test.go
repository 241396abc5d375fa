package simulator_test

import (
	"crypto"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// quirkMarks detect a quirk in an answer.
var quirkMarks = map[wire.Quirk]func(body, contentType string) bool{
	wire.MemberOrder:    func(body, _ string) bool { return !strings.Contains(body, `_response":{"code":"10000","msg"`) },
	wire.WhiteSpace:     func(body, _ string) bool { return strings.Contains(body, "\n") },
	wire.EscapedSlash:   func(body, _ string) bool { return strings.Contains(body, `\/`) },
	wire.UnknownMembers: func(body, _ string) bool { return strings.Contains(body, "simulated_member") },
	wire.LooseNumbers:   func(body, _ string) bool { return strings.Contains(body, `"total_amount":1.00`) },
	wire.WrappedLists:   func(body, _ string) bool { return strings.Contains(body, `{"trade_fund_bill":[`) },
	wire.ContentTypes:   func(_, contentType string) bool { return contentType != "text/html;charset=utf-8" },
	wire.SignFirst:      func(body, _ string) bool { return strings.HasPrefix(body, `{"sign"`) },
}

// TestEachQuirkAlone: with one quirk on, some answers show it and some do not, all verify, and the
// same seed gives the same answers; with none on, no answer shows any.
func TestEachQuirkAlone(t *testing.T) {
	key := &generated().app.App.SigningKey.PublicKey
	answers := func(t *testing.T, quirks []wire.Quirk) (all []string, types []string) {
		b := newHarness(t, simulator.Options{Seed: 7, Quirks: quirks, Trades: []simulator.Trade{{
			OutTradeNo: "o_1", Total: 100, Status: simulator.TradeSuccess, More: map[string]any{"store_name": "a/b"},
		}}})
		for range 20 {
			query, body := form("alipay.trade.query", `{"out_trade_no":"o_1"}`, nil, generated().app.MerchantKey)
			r := b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8")
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := readClassic(t, raw, key, crypto.SHA256); !got.signed || got.code != "10000" {
				t.Errorf("%v: answer %q", quirks, raw)
			}
			all, types = append(all, string(raw)), append(types, r.Header.Get("Content-Type"))
		}
		return all, types
	}
	plain, plainTypes := answers(t, []wire.Quirk{})
	for q, shows := range quirkMarks {
		t.Run(string(q), func(t *testing.T) {
			if shows(plain[0], plainTypes[0]) {
				t.Errorf("it shows although it is off: %s", plain[0])
			}
			got, types := answers(t, []wire.Quirk{q})
			n := 0
			for i := range got {
				if shows(got[i], types[i]) {
					n++
				}
			}
			if n < 2 || n > 18 {
				t.Errorf("it shows in %d of 20 answers", n)
			}
			if again, _ := answers(t, []wire.Quirk{q}); !slices.Equal(again, got) {
				t.Error("the same seed gave other answers")
			}
		})
	}
}

// TestGBKErrorText: with this quirk 20000 comes unsigned and in GBK, although the request is in UTF-8.
func TestGBKErrorText(t *testing.T) {
	b := newHarness(t, simulator.Options{
		Quirks: []wire.Quirk{wire.GBKErrorText},
		Faults: []simulator.Fault{simulator.Unavailable("").Always()},
	})
	gbk := 0
	for i := range 20 {
		query, body := form("alipay.trade.query", fmt.Sprintf(`{"out_trade_no":"o_%d"}`, i), nil, generated().app.MerchantKey)
		raw, err := io.ReadAll(b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8").Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "\xcf\xb5\xcd\xb3") && !strings.Contains(string(raw), `"sign"`) {
			gbk++
		}
	}
	if gbk < 3 || gbk > 17 {
		t.Errorf("%d of 20 answers are in GBK and unsigned", gbk)
	}
}

// TestRotatedCertificate: the answer is signed with a certificate that the client does not know yet.
func TestRotatedCertificate(t *testing.T) {
	b := vectorHarness(t, true)
	var v capturedVectors
	load(t, "openapi/requests-cert-mode.json", &v)
	create := v.Cases[0].Wire
	before := b.readVector(t, create.Query, create.Body, create.ContentType)
	b.sim.AddFault(simulator.Rotated(""))
	after := b.readVector(t, create.Query, create.Body, create.ContentType)
	certs := vectorCerts(t).Certificates
	if before.certSN != certs["alipay_leaf"].SN || !before.signed || after.certSN != certs["alipay_next_leaf"].SN || after.signed {
		t.Errorf("SN %s (signed %v), then %s (signed %v)", before.certSN, before.signed, after.certSN, after.signed)
	}
}

// TestUnreadableHTTP: a request that is not a call of a gateway does not crash the simulator.
func TestUnreadableHTTP(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	if got := b.send("%zz", "=", "a;b=c;d"); got.StatusCode != http.StatusOK {
		t.Errorf("status %d", got.StatusCode)
	}
}
