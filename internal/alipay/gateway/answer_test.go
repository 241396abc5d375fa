package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// responses is testdata/openapi/responses.json.
type responses struct {
	About     string
	MadeWith  string `json:"made_with"`
	Verdicts  map[string]string
	Bundle    string            `json:"root_bundle"`
	Known     map[string]string `json:"known_alipay_certs"`
	TrustTime string            `json:"trust_time"`
	AESKey    string            `json:"aes_key_base64"`
	Cases     []responseCase
}

type responseCase struct {
	ID, Note string
	Method   alipay.Method
	Request  struct {
		Mode        string
		Charset     alipay.Charset
		SignType    alipay.SignType `json:"sign_type"`
		EncryptType *string         `json:"encrypt_type"`
	}
	HTTP struct {
		Status      int
		ContentType string `json:"content_type"`
		Body        []byte `json:"body_b64"`
		Text        string `json:"body_text"`
	}
	Expect struct {
		Verdict, Reason string
		SignContent     []byte `json:"sign_content_b64"`
		SignText        string `json:"sign_content_text"`
		Node            json.RawMessage
		Plaintext       string
		Amounts         map[string]string `json:"canonical_amounts"`
		CertVerdict     string            `json:"cert_verdict"`
		CertReason      string            `json:"cert_reason"`
		CertSN          string            `json:"cert_sn"`
		AskedSN         string            `json:"asked_alipay_cert_sn"`
	}
	VerifyWith string `json:"verify_with"`
	NodeSDK    string `json:"official_node_sdk"`
	JavaCut    string `json:"official_java_cut"`
}

// lacksTradeNo are rows about the cut whose answer lacks the trade number: its signature is good, and it is no success.
var lacksTradeNo = map[string]bool{"whitespace": true, "root_name_inside_string": true}

// request builds the request that the answer answers, as far as it can be sent.
func (c responseCase) request(t *testing.T) (r alipay.Request, bound bool) {
	var node struct {
		Out   alipay.OutTradeNo    `json:"out_trade_no"`
		Trade alipay.TradeNo       `json:"trade_no"`
		Order alipay.KoubeiOrderNo `json:"order_no"`
	}
	if c.Expect.Node != nil {
		if err := json.Unmarshal(c.Expect.Node, &node); err != nil {
			t.Fatal(err)
		}
	}
	switch c.Method {
	case alipay.MethodTradeCreate:
		r := alipaytest.Create()
		r.OutTradeNo = node.Out
		if r.Validate() != nil {
			return alipaytest.Create(), false
		}
		return r, true
	case alipay.MethodTradeQuery:
		return &alipay.TradeQuery{OutTradeNo: node.Out}, true
	case alipay.MethodOrderInfoSync:
		r := alipaytest.OrderInfoSync()
		r.TradeNo = node.Trade
		return r, true
	}
	return &alipay.ItemOrderQuery{OrderNo: node.Order}, true
}

// TestResponseVectors: each answer is cut, verified and classed as its row says.
func TestResponseVectors(t *testing.T) {
	v := alipaytest.Load[responses](t, "openapi/responses.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	modes := map[string]int{}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) { c.run(t, keyVectors, v.AESKey) })
		modes[c.Request.Mode]++
	}
	t.Logf("openapi/responses.json: %d cases, by mode %v", len(v.Cases), modes)
}

// options are those of the client that asked.
func (c responseCase) options(t testing.TB, keyVectors alipaytest.OpenAPIKeys, aesKey string) gateway.OpenAPIOptions {
	o := gateway.OpenAPIOptions{
		AppID: "2021000000000001", Signer: alipaytest.Signer(t, keyVectors, "app"),
		Charset: c.Request.Charset, SignType: c.Request.SignType, AllowWeak: c.Request.SignType == alipay.SignRSA,
	}
	if c.Request.Mode == "cert" {
		o.Certificates = alipaytest.Certificates(t)
	} else {
		o.AlipayKey = alipaytest.PublicKey(t, keyVectors, c.VerifyWith)
	}
	if c.Request.EncryptType != nil {
		var err error
		if o.AES, err = encryption.ParseAESKey([]byte(aesKey)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (c responseCase) run(t *testing.T, keyVectors alipaytest.OpenAPIKeys, aesKey string) {
	if node, _, err := gateway.CutAnswer(c.HTTP.Body, c.Method, c.Request.Charset); c.Expect.SignContent != nil && c.ID != "duplicate_key_in_node" {
		if err != nil || !bytes.Equal(node, c.Expect.SignContent) {
			t.Errorf("cut %q (%v), want %q", node, err, c.Expect.SignText)
		}
	}
	o := c.options(t, keyVectors, aesKey)
	if c.Expect.Verdict == "unsigned_allowed" {
		err := gateway.TrustDownload(o, c.Expect.AskedSN, c.HTTP.Body)
		if (err == nil) != (c.Expect.CertVerdict == "trusted") {
			t.Errorf("%v, want %s (%s)", err, c.Expect.CertVerdict, c.Expect.CertReason)
		}
		if c.Expect.CertVerdict == "trusted" && c.Expect.CertSN != c.Expect.AskedSN {
			t.Errorf("the row trusts another certificate than it asked for")
		}
		return
	}
	r, bound := c.request(t)
	o.URL, o.DialContext = "http://gateway.test", serve(t, answering(c.HTTP.Status, string(c.HTTP.Body))).dial
	app, err := gateway.NewOpenAPI(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), r)
	class := alipay.ClassOf(err)
	switch c.Expect.Verdict {
	case "verified":
		c.checkVerified(t, rep, class, bound)
	case "unsigned_error": // nothing unsigned is final
		if rep.Verified || rep.Body != nil || class == alipay.Done || class == alipay.Accepted || class == alipay.Rejected {
			t.Errorf("verified %v, class %v", rep.Verified, class)
		}
		if !bytes.Contains(c.Expect.Node, []byte(`"`+rep.Code+`"`)) {
			t.Errorf("code = %q", rep.Code)
		}
	case "reject":
		if rep.Verified || class != alipay.Untrusted {
			t.Errorf("verified %v, class %v (%v), want Untrusted", rep.Verified, class, err)
		}
	case "transport_error":
		if rep.Verified || class != alipay.Ambiguous {
			t.Errorf("verified %v, class %v (%v), want Ambiguous", rep.Verified, class, err)
		}
	default:
		t.Fatalf("verdict %q is not known", c.Expect.Verdict)
	}
}

func (c responseCase) checkVerified(t *testing.T, rep alipay.Reply, class alipay.Class, bound bool) {
	if !rep.Verified {
		t.Fatalf("not verified, class %v", class)
	}
	switch {
	case c.ID == "err_invalid_signature": // it echoes what was signed: the design withholds it
		if rep.Body != nil || rep.SubMessage != "withheld" {
			t.Errorf("body %s, sub_msg %q", rep.Body, rep.SubMessage)
		}
	case !alipaytest.SameJSON(t, rep.Body, c.Expect.Node):
		t.Errorf("body = %s, want %s", rep.Body, c.Expect.Node)
	}
	bound = bound && !lacksTradeNo[c.ID]
	if rep.Code == "10000" && bound && class != alipay.Done {
		t.Errorf("class = %v, want Done", class)
	}
	if rep.Code == "10000" && !bound && class != alipay.Untrusted { // the number of another order
		t.Errorf("class = %v, want Untrusted", class)
	}
	if c.Expect.Amounts != nil {
		checkAmounts(t, rep, c.Expect.Amounts)
	}
}

// checkAmounts compares amounts as decimals. The row's pay_amount has no currency: pay_currency
// is the number 1, so the design calls it unparsed.
func checkAmounts(t *testing.T, rep alipay.Reply, want map[string]string) {
	trade, err := rep.Trade()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*alipay.Money{
		"total_amount": trade.TotalAmount, "settle_amount": trade.SettleAmount, "buyer_pay_amount": trade.BuyerPayAmount,
		"point_amount": trade.PointAmount, "invoice_amount": trade.InvoiceAmount, "receipt_amount": trade.ReceiptAmount,
		"fund_bill_list[0].amount": trade.FundBills[0].Amount, "fund_bill_list[0].real_amount": trade.FundBills[0].RealAmount,
	}
	for name, text := range want {
		if name == "pay_amount" {
			if trade.PayAmount != nil || trade.Unparsed["pay_amount"] != `"8.88"` || trade.Unparsed["pay_currency"] != "1" {
				t.Errorf("pay_amount = %v, unparsed %v", trade.PayAmount, trade.Unparsed)
			}
			continue
		}
		if got[name] == nil || got[name].Yuan() != text {
			t.Errorf("%s = %v, want %s", name, got[name], text)
		}
	}
	if trade.TotalAmount.Currency != "TWD" || trade.SettleAmount.Currency != "USD" {
		t.Errorf("total in %s, settled in %s", trade.TotalAmount.Currency, trade.SettleAmount.Currency)
	}
}

// TestOnlySignedAnswersCount: an answer without signature is never final, for all methods.
func TestOnlySignedAnswersCount(t *testing.T) {
	for _, r := range alipaytest.Classic() {
		for _, tt := range []struct {
			node string
			want alipay.Class
		}{
			{`{"code":"10000","msg":"Success",` + numbers(r.Method()) + `}`, alipay.Untrusted},
			{`{"code":"10003","msg":"",` + numbers(r.Method()) + `}`, alipay.Untrusted},
			{`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`, alipay.Ambiguous},
			{`{"code":"40004","sub_code":"ACQ.INVALID_PARAMETER"}`, alipay.Ambiguous},
			{`{"code":"40004","sub_code":"ACQ.NEVER_HEARD_OF"}`, alipay.Ambiguous},
			{`{"code":"40004","sub_code":"ACQ.PARTNER_ERROR"}`, alipay.Ambiguous},
			{`{"code":"40002","sub_code":"isv.suspected-attack"}`, alipay.Ambiguous},
			{`{"code":"40002","sub_code":"isv.invalid-app-id"}`, alipay.Misconfigured},
			{`{"code":"40005","sub_code":"isv.app-call-limited"}`, alipay.Throttled},
		} {
			for _, name := range []string{nodeName(r.Method()), "error_response"} {
				for _, noSign := range []string{``, `,"sign":""`, `,"sign":null`} {
					t.Run(string(r.Method())+" "+tt.node+noSign, func(t *testing.T) {
						rep, err := call(t, answering(200, `{"`+name+`":`+tt.node+noSign+`}`), r)
						var e *alipay.Error
						if !errors.As(err, &e) || e.Class != tt.want || rep.Verified || rep.Body != nil {
							t.Fatalf("%v, verified %v, want %v", err, rep.Verified, tt.want)
						}
						if e.Class == alipay.Misconfigured && e.Proof != alipay.ProofCanary {
							t.Error("an unsigned answer alone stops the app")
						}
						if e.Class == alipay.Untrusted && e.Message != "success without signature" {
							t.Errorf("message %q", e.Message)
						}
					})
				}
			}
		}
	}
}

// TestEachNumberTiesAnAnswer: an answer that is right in all but one number is another request's.
func TestEachNumberTiesAnAnswer(t *testing.T) {
	both := alipaytest.Query()
	both.TradeNo = "2015042321001004720200028594"
	for _, tt := range []struct {
		r      alipay.Request
		number string // that ties it
	}{
		{alipaytest.Create(), "ORD_1"}, {alipaytest.Query(), "ORD_1"}, {both, "ORD_1"}, {both, string(both.TradeNo)},
		{alipaytest.OrderInfoSync(), "2018061021001004680073956707"}, {alipaytest.ItemOrderQuery(), "20170427000000001000000001"},
	} {
		node := `{"code":"10000",` + numbers(tt.r.Method()) + `}`
		if _, err := call(t, answering(200, signedAnswer(t, tt.r.Method(), node)), tt.r); err != nil {
			t.Errorf("%s: %v", tt.r.Method(), err)
		}
		other := strings.Replace(node, `"`+tt.number+`"`, `"`+tt.number+`0"`, 1)
		if _, err := call(t, answering(200, signedAnswer(t, tt.r.Method(), other)), tt.r); other == node || alipay.ClassOf(err) != alipay.Untrusted {
			t.Errorf("%s with another number than %s: %v", tt.r.Method(), tt.number, err)
		}
	}
}

// TestAnswerOfAnotherRequest: a genuine answer to another order is not believed.
func TestAnswerOfAnotherRequest(t *testing.T) {
	for _, r := range alipaytest.Classic() {
		for name, node := range map[string]string{
			"another order": `{"code":"10000","out_trade_no":"ORD_2","trade_no":"2","order_no":"3"}`,
			"no number":     `{"code":"10000","msg":"Success"}`,
			"empty numbers": `{"code":"10000","out_trade_no":"","trade_no":"","order_no":""}`,
			"not existing":  `{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","out_trade_no":"ORD_2","trade_no":"2","order_no":"3"}`,
			"refused":       `{"code":"40004","sub_code":"ACQ.INVALID_PARAMETER","out_trade_no":"ORD_2","trade_no":"2","order_no":"3"}`,
		} {
			t.Run(string(r.Method())+" "+name, func(t *testing.T) {
				rep, err := call(t, answering(200, signedAnswer(t, r.Method(), node)), r)
				if got := alipay.ClassOf(err); got != alipay.Untrusted {
					t.Errorf("class = %v, want Untrusted", got)
				}
				if rep.OutTradeNo != "" || rep.TradeNo != "" {
					t.Errorf("the reply has numbers %q %q", rep.OutTradeNo, rep.TradeNo)
				}
			})
		}
	}
	// Both numbers asked for, one of them another's.
	q := alipaytest.Query()
	q.TradeNo = "2"
	node := `{"code":"10000","out_trade_no":"ORD_1","trade_no":"3"}`
	if _, err := call(t, answering(200, signedAnswer(t, q.Method(), node)), q); alipay.ClassOf(err) != alipay.Untrusted {
		t.Errorf("trade number of another trade: %v", err)
	}
	// A refusal without numbers, or with empty ones, belongs.
	for _, node := range []string{
		`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`,
		`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","out_trade_no":"ORD_1","total_amount":"0.00"}`,
		`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","out_trade_no":null,"trade_no":""}`,
	} {
		rep, err := call(t, answering(200, signedAnswer(t, alipaytest.Query().Method(), node)), alipaytest.Query())
		if alipay.ClassOf(err) != alipay.Rejected || !rep.Verified || rep.OutTradeNo != "" {
			t.Errorf("%s: %v, %+v", node, err, rep)
		}
	}
}

// TestReplyIsFilled: what a success says of the numbers and the buyer.
func TestReplyIsFilled(t *testing.T) {
	for _, r := range alipaytest.Classic() {
		h := func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("trace_id", "0a1b\u202e")
			answering(200, signedAnswer(t, r.Method(), `{"code":10000,"msg":"Success",`+numbers(r.Method())+`}`))(w, req)
		}
		rep, err := call(t, h, r)
		if err != nil || !rep.Verified || rep.Code != "10000" || rep.OutTradeNo != "ORD_1" {
			t.Errorf("%s: %+v, %v", r.Method(), rep, err)
		}
		if rep.TraceID != `0a1b\u202e` {
			t.Errorf("trace id %q", rep.TraceID)
		}
	}
}

// FuzzAnswer: of all changes to a genuine answer, only the signed bytes verify.
func FuzzAnswer(f *testing.F) {
	v := alipaytest.Load[responses](f, "openapi/responses.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](f, "openapi/keys.json")
	key, err := keys.ParsePublic([]byte(keyVectors.Keys["alipay"].SPKIBase64))
	if err != nil {
		f.Fatal(err)
	}
	genuine := map[string]bool{}
	for _, c := range v.Cases {
		f.Add(c.HTTP.Body)
		genuine[strings.ReplaceAll(string(c.Expect.SignContent), `\/`, "/")] = true
	}
	o := gateway.OpenAPIOptions{AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: key}
	f.Fuzz(func(t *testing.T, body []byte) {
		rep, err := gateway.OpenAnswer(o, alipaytest.Create(), body)
		if rep.Verified && rep.Body != nil && !genuine[strings.ReplaceAll(string(rep.Body), `\/`, "/")] {
			t.Errorf("verified: %q", body)
		}
		if err == nil {
			t.Errorf("a success for an order that no vector names: %q", body)
		}
	})
}
