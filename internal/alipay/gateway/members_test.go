package gateway_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// successOf are the members of a plain success of a method.
func successOf(t *testing.T, m alipay.Method) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(`{"code":"10000","msg":"Success",`+numbers(m)+`}`), &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func nodeOf(t *testing.T, members map[string]any) string {
	t.Helper()
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// required is, for each method, what its page requires, and a value in another form. It is written apart from the
// table of the program.
var required = map[alipay.Method]map[string]any{
	alipay.MethodTradeCreate:   {"out_trade_no": "ORD_1\n", "trade_no": 2015},
	alipay.MethodTradeQuery:    {"out_trade_no": []any{}, "trade_no": "2015 1", "trade_status": "paid!", "total_amount": "88,88"},
	alipay.MethodOrderInfoSync: {"out_trade_no": 7, "trade_no": "", "buyer_user_id": map[string]any{}},
	alipay.MethodItemOrderQuery: {
		"order_no": 5, "out_order_no": "", "partner_id": true, "status": "", "buyer_id": "a b", "biz_product": "x y", "gmt_create": "yesterday",
		"gmt_modified": "2016-09-29", "total_amount": "-", "real_pay_amount": "1e2", "deliver_seller_real_amount": "0x1", "item_order_vo": "none",
	},
}

// TestSuccessHasWhatItsPageRequires: a signed success that lacks a member, or has it in another form, is not believed.
func TestSuccessHasWhatItsPageRequires(t *testing.T) {
	for _, r := range alipaytest.Classic() {
		for name, wrong := range required[r.Method()] {
			for how, change := range map[string]func(map[string]any){
				"absent":       func(m map[string]any) { delete(m, name) },
				"null":         func(m map[string]any) { m[name] = nil },
				"empty":        func(m map[string]any) { m[name] = "" },
				"another form": func(m map[string]any) { m[name] = wrong },
				"an object":    func(m map[string]any) { m[name] = map[string]any{"a": "b", "c": "d"} },
			} {
				if how == "an object" && name == "item_order_vo" { // one object stands for a list of one
					continue
				}
				t.Run(string(r.Method())+" "+name+" "+how, func(t *testing.T) {
					members := successOf(t, r.Method())
					change(members)
					rep, err := call(t, answering(200, signedAnswer(t, r.Method(), nodeOf(t, members))), r)
					if got := alipay.ClassOf(err); got != alipay.Untrusted || rep.TradeNo != "" {
						t.Errorf("class %v, trade number %q, want Untrusted", got, rep.TradeNo)
					}
				})
			}
		}
	}
}

// TestSuccessMayLackTheRest: what official documents call absent at times does not have to be there.
func TestSuccessMayLackTheRest(t *testing.T) {
	open := successOf(t, alipay.MethodOrderInfoSync)
	open["buyer_open_id"] = open["buyer_user_id"]
	delete(open, "buyer_user_id")
	wrapped := successOf(t, alipay.MethodItemOrderQuery)
	wrapped["item_order_v_o"] = map[string]any{"item": wrapped["item_order_vo"]}
	delete(wrapped, "item_order_vo")
	unknown := successOf(t, alipay.MethodTradeCreate)
	unknown["new_in_2027"], unknown["seller_id"] = map[string]any{"a": 1}, "2088102146225135"
	number := successOf(t, alipay.MethodTradeQuery)
	number["total_amount"] = json.RawMessage("88.8")
	for _, tt := range []struct {
		name    string
		r       alipay.Request
		members map[string]any
	}{
		{"a buyer by open id", alipaytest.OrderInfoSync(), open},
		{"a wrapped list", alipaytest.ItemOrderQuery(), wrapped},
		{"members that no document names", alipaytest.Create(), unknown},
		{"an amount as a number", alipaytest.Query(), number},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := call(t, answering(200, signedAnswer(t, tt.r.Method(), nodeOf(t, tt.members))), tt.r); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAnswerOfAnotherMethod: the name of the node is not signed. A genuine answer of one method under the name of
// another one is not believed, even if its numbers fit: neither a success nor a refusal that shows a trade.
func TestAnswerOfAnotherMethod(t *testing.T) {
	answers := map[string]map[string]any{}
	for _, r := range alipaytest.Classic() {
		answers[string(r.Method())] = successOf(t, r.Method())
	}
	for name, more := range map[string]string{
		"alipay.trade.pay":       `"buyer_logon_id":"159****5620","total_amount":"88.88","receipt_amount":"88.88"`,
		"alipay.trade.precreate": `"qr_code":"https://qr.alipay.com/bax03431ljhokirwl38f00a7"`,
		"alipay.trade.cancel":    `"retry_flag":"N","action":"close"`,
		"alipay.trade.refund":    `"fund_change":"Y","refund_fee":"88.88","buyer_user_id":"2088101117955611"`,
		"a refused query":        `"buyer_pay_amount":"0.00","receipt_amount":"0.00"`,
	} {
		members := map[string]any{"code": "10000", "msg": "Success"}
		if err := json.Unmarshal([]byte(`{`+more+`}`), &members); err != nil {
			t.Fatal(err)
		}
		if name == "a refused query" {
			members["code"], members["sub_code"] = "40004", "ACQ.INVALID_PARAMETER"
		}
		answers[name] = members
	}
	for _, r := range alipaytest.Classic() {
		for of, members := range answers {
			if of == string(r.Method()) || of == "a refused query" && r.Method() == alipay.MethodTradeQuery {
				continue
			}
			t.Run(of+" as "+string(r.Method()), func(t *testing.T) {
				members := maps.Clone(members)
				own := successOf(t, r.Method())
				for _, number := range []string{"out_trade_no", "trade_no", "order_no"} { // those of the request
					if own[number] != nil && (number != "order_no" || members[number] != nil) {
						members[number] = own[number]
					}
				}
				rep, err := call(t, answering(200, signedAnswer(t, r.Method(), nodeOf(t, members))), r)
				if got := alipay.ClassOf(err); got != alipay.Untrusted || rep.TradeNo != "" {
					t.Errorf("class %v (%v), want Untrusted", got, err)
				}
			})
		}
	}
}

// TestAnswersAreNotSentAgain: a signature belongs to one method and order, and a state of a trade that is over does not
// come back. The same answer to the same question is no replay.
func TestAnswersAreNotSentAgain(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	body := ""
	app := openAPI(t, func(w http.ResponseWriter, r *http.Request) { answering(200, body)(w, r) },
		func(o *gateway.OpenAPIOptions) { o.Now = func() time.Time { at = at.Add(time.Second); return at } })
	client := app.Client(alipay.Merchant{})
	query := func(status, more string) string {
		members := successOf(t, alipay.MethodTradeQuery)
		members["trade_status"], members["unpaid_reason"] = status, more
		return signedAnswer(t, alipay.MethodTradeQuery, nodeOf(t, members))
	}
	byOurs, byTheirs := alipaytest.Query(), &alipay.TradeQuery{TradeNo: "2015042321001004720200028594"}
	create := signedAnswer(t, alipay.MethodTradeCreate, `{"code":"10000","msg":"Success",`+numbers(alipay.MethodTradeCreate)+`}`)
	for i, tt := range []struct {
		r    alipay.Request
		body string
		want alipay.Class
	}{
		{alipaytest.Create(), create, alipay.Done},
		{alipaytest.Create(), create, alipay.Done}, // the same content again
		{byOurs, query("WAIT_BUYER_PAY", ""), alipay.Done},
		{byOurs, query("WAIT_BUYER_PAY", ""), alipay.Done},
		{byOurs, query("WAIT_BUYER_PAY", "LIMIT"), alipay.Done},
		{byOurs, query("WAIT_BUYER_PAY", ""), alipay.Done}, // a detail may change back
		{byOurs, query("TRADE_SUCCESS", ""), alipay.Done},
		{byOurs, query("WAIT_BUYER_PAY", ""), alipay.Untrusted}, // it was paid before
		{byOurs, query("WAIT_BUYER_PAY", "LIMIT"), alipay.Untrusted},
		{byOurs, query("TRADE_SUCCESS", ""), alipay.Done},
		{byTheirs, query("TRADE_SUCCESS", ""), alipay.Untrusted}, // an answer to another question
		{byTheirs, query("TRADE_FINISHED", ""), alipay.Done},
	} {
		body = tt.body
		if i == 7 { // new keys forget nothing
			if err := app.UseKeys(openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.Now = func() time.Time { at = at.Add(time.Second); return at } })); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Do(t.Context(), tt.r); alipay.ClassOf(err) != tt.want {
			t.Errorf("call %d, %s: %v, want %v", i+1, tt.r.Method(), err, tt.want)
		}
	}
}

// TestAnswersOfOverlappingCalls: of two calls that were under way together, neither answer is the newer one.
func TestAnswersOfOverlappingCalls(t *testing.T) {
	answers := []string{}
	for _, status := range []string{"TRADE_SUCCESS", "WAIT_BUYER_PAY", "TRADE_SUCCESS"} {
		members := successOf(t, alipay.MethodTradeQuery)
		members["trade_status"] = status
		answers = append(answers, signedAnswer(t, alipay.MethodTradeQuery, nodeOf(t, members)))
	}
	at := time.Unix(1_700_000_000, 0)
	n := 0
	app := openAPI(t, func(w http.ResponseWriter, r *http.Request) { n++; answering(200, answers[n-1])(w, r) },
		func(o *gateway.OpenAPIOptions) { o.Now = func() time.Time { at = at.Add(time.Second); return at } })
	client := app.Client(alipay.Merchant{})
	first, second := client.Seal(t.Context(), alipaytest.Query()), client.Seal(t.Context(), alipaytest.Query())
	for i, send := range []alipay.Send{first, second, client.Seal(t.Context(), alipaytest.Query())} {
		if _, err := send(t.Context())(); err != nil {
			t.Errorf("answer %d: %v", i+1, err)
		}
	}
}

// TestMemberErrorsHoldNoValue: an error of an answer goes to logs and topics.
func TestMemberErrorsHoldNoValue(t *testing.T) {
	members := successOf(t, alipay.MethodTradeCreate)
	members["buyer_logon_id"] = "secret@example.com"
	if _, err := call(t, answering(200, signedAnswer(t, alipay.MethodTradeCreate, nodeOf(t, members))), alipaytest.Create()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// TestSuccessUnderAnotherNode: error_response names no method and holds errors, so a signed success in it is not believed.
func TestSuccessUnderAnotherNode(t *testing.T) {
	for _, r := range alipaytest.Classic() {
		for node, want := range map[string]alipay.Class{
			nodeOf(t, successOf(t, r.Method())):                         alipay.Untrusted,
			`{"code":"40004","sub_code":"ACQ.INVALID_PARAMETER"}`:       alipay.Rejected,
			`{"code":"40002","sub_code":"isv.invalid-app-id","msg":""}`: alipay.Misconfigured,
		} {
			body := strings.Replace(signedAnswer(t, r.Method(), node), nodeName(r.Method()), "error_response", 1)
			if _, err := call(t, answering(200, body), r); alipay.ClassOf(err) != want {
				t.Errorf("%s: %v, want %v", r.Method(), err, want)
			}
		}
	}
}
