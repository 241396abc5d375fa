package main

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// TestVectorsRawRequests: the raw requests of the vectors against a running simulator, with its
// default quirks on.
func TestVectorsRawRequests(t *testing.T) {
	var v struct {
		Gateway []struct {
			ID      string
			Request struct {
				Query, Body string
				ContentType string `json:"content_type"`
			}
			Expect struct {
				Code    string
				SubCode *string `json:"sub_code"`
				Signed  *bool   `json:"answer_signed"`
			}
		}
	}
	readVectors(t, "openapi/simulator.json", &v)
	for _, c := range v.Gateway {
		t.Run(c.ID, func(t *testing.T) {
			r := runSimulator(t, vectorSettings(t, strings.HasPrefix(c.ID, "cert_")))
			node, raw, sign := r.answerOf(t, c.Request.Query, c.Request.Body, c.Request.ContentType)
			if node["code"] != c.Expect.Code || (c.Expect.SubCode != nil && node["sub_code"] != *c.Expect.SubCode) {
				t.Errorf("answer %s, want %s %v", raw, c.Expect.Code, c.Expect.SubCode)
			}
			if c.Expect.Signed != nil && (sign != "") != *c.Expect.Signed {
				t.Errorf("signed = %v, want %v", sign != "", *c.Expect.Signed)
			}
			if sign != "" && !strings.Contains(c.Request.Query, "sign_type=RSA&") {
				checkRSA(t, &vectorKey(t, "openapi/keys.json", "alipay", "pkcs8_pem").PublicKey, raw, sign)
			}
		})
	}
}

// vectorStep is one step of a scenario.
type vectorStep struct {
	Op, Method  string
	BizContent  map[string]any `json:"biz_content"`
	OutTradeNo  string         `json:"out_trade_no"`
	As          string         `json:"as_"`
	Amount      string
	Seconds     int
	TradeStatus string `json:"trade_status"`
	RefundFee   string `json:"refund_fee"`
	Status      int
	Body        string
	Value       *bool
	Expect      struct {
		Code    string
		SubCode *string `json:"sub_code"`
		Fields  map[string]string
	}
}

// story is one scenario on its way.
type story struct {
	running
	key     *rsa.PrivateKey
	notify  string // the receiver's address
	answer  atomic.Pointer[vectorStep]
	numbers map[string]string
}

// call signs business content and sends it.
func (s *story) call(t *testing.T, method string, content any) map[string]any {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	p := map[string]string{
		"app_id": standalone.SimulatedApp, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
		"timestamp": "2026-01-01 00:00:00", "version": "1.0", "notify_url": s.notify, "biz_content": string(text),
	}
	form, parts := url.Values{}, []string{}
	for name, value := range p {
		form.Set(name, value)
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	form.Set("sign", signRSA(t, s.key, strings.Join(parts, "&")))
	node, _, _ := s.answerOf(t, form.Encode(), "", "application/x-www-form-urlencoded;charset=utf-8")
	return node
}

// get reads JSON from the admin port.
func (s *story) get(t *testing.T, path string, into any) {
	t.Helper()
	resp, err := http.Get(s.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// notified waits until the last of at least n notifications has been answered.
func (s *story) notified(t *testing.T) outbox.Notification {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		var list []outbox.Notification
		s.get(t, "/notifications", &list)
		if n := len(list); n > 0 && len(list[n-1].Deliveries) > 0 {
			return list[n-1]
		}
	}
	t.Fatal("no notification was sent")
	return outbox.Notification{}
}

// TestVectorsScenarios: the stories of the vectors, with the admin API as buyer and clock.
func TestVectorsScenarios(t *testing.T) {
	var v struct {
		Scenarios []struct {
			ID    string
			Steps []vectorStep
		}
	}
	readVectors(t, "openapi/simulator.json", &v)
	for _, c := range v.Scenarios {
		t.Run(c.ID, func(t *testing.T) {
			s := &story{running: runSimulator(t, vectorSettings(t, false)), key: vectorKey(t, "openapi/keys.json", "app", "pkcs8_pem"), numbers: map[string]string{}}
			s.answer.Store(&vectorStep{Body: "success"})
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if a := s.answer.Load(); a.Status != 0 {
					w.WriteHeader(a.Status)
				}
				_, _ = io.WriteString(w, s.answer.Load().Body)
			}))
			defer receiver.Close()
			s.notify = receiver.URL
			for i, step := range c.Steps {
				s.do(t, i, step)
			}
		})
	}
}

// do plays one step.
func (s *story) do(t *testing.T, i int, step vectorStep) {
	t.Helper()
	admin := ""
	switch step.Op {
	case "call":
		s.expect(t, i, step)
	case "pay":
		admin = "/trades/" + step.OutTradeNo + "/pay"
	case "refund":
		admin = "/trades/" + step.OutTradeNo + "/refund?amount=" + step.Amount
	case "advance_clock":
		admin = fmt.Sprintf("/clock?advance=%ds", step.Seconds)
	case "remember_trade_no":
		var trade simulator.Trade
		s.get(t, "/trades/"+step.OutTradeNo, &trade)
		s.numbers["$"+step.As] = trade.TradeNo
	case "expect_notification":
		if n := s.notified(t); n.Status != step.TradeStatus || n.Params["refund_fee"] != step.RefundFee {
			t.Errorf("step %d: %+v", i, n)
		}
	case "expect_no_notification":
		var list []outbox.Notification
		if s.get(t, "/notifications", &list); len(list) > 0 {
			t.Errorf("step %d: %+v", i, list)
		}
	case "receiver_answers":
		s.answer.Store(&step)
		s.call(t, "alipay.trade.create", map[string]string{"out_trade_no": "S_1", "total_amount": "88.88", "subject": "s", "buyer_id": "2088102146225135"})
		admin = "/trades/S_1/pay"
	case "expect_acknowledged":
		if n, want := s.notified(t), step.Value != nil && *step.Value; n.Done != want {
			t.Errorf("step %d: acknowledged = %v, want %v", i, n.Done, want)
		}
	default:
		t.Fatalf("step %d: unknown operation %q", i, step.Op)
	}
	if admin != "" {
		if got := post(t, s.admin+admin, ""); got != http.StatusOK {
			t.Fatalf("step %d: POST %s = %d", i, admin, got)
		}
	}
}

func (s *story) expect(t *testing.T, i int, step vectorStep) {
	t.Helper()
	for name, value := range step.BizContent {
		if text, ok := value.(string); ok && strings.HasPrefix(text, "$") {
			step.BizContent[name] = s.numbers[text]
		}
	}
	got := s.call(t, step.Method, step.BizContent)
	want, _ := got["sub_code"].(string)
	if got["code"] != step.Expect.Code || (step.Expect.SubCode != nil && want != *step.Expect.SubCode) {
		t.Errorf("step %d: %v, want %+v", i, got, step.Expect)
	}
	for name, value := range step.Expect.Fields {
		if strings.HasPrefix(value, "$") {
			value = s.numbers[value]
		}
		if fmt.Sprint(got[name]) != value {
			t.Errorf("step %d: %s = %v, want %s", i, name, got[name], value)
		}
	}
}

// TestVectorsHKSequence: the sequence of updates of the HK vectors.
func TestVectorsHKSequence(t *testing.T) {
	var v struct {
		Steps []struct {
			Step     int
			ClientID string `json:"client_id"`
			Request  json.RawMessage
			Inject   string
			Expect   struct {
				Result    string
				Processed bool
				OrderIDOf *string `json:"order_id_of"`
			}
		}
	}
	readVectors(t, "alipayhk/order_modify_time_idempotency.json", &v)
	s := &story{running: runSimulator(t, vectorSettings(t, false)), key: vectorKey(t, "alipayhk/keys.json", "merchant_rsa_v1", "private_pkcs8_pem")}
	ids, processed := map[string]string{}, 0
	for _, step := range v.Steps {
		if step.Inject != "" {
			after := strings.Contains(step.Inject, "after commit")
			if got := post(t, s.admin+"/faults", fmt.Sprintf(`[{kind: unavailable, after: %v}]`, after)); got != http.StatusOK {
				t.Fatalf("step %d: fault = %d", step.Step, got)
			}
		}
		result, id := s.callHK(t, step.ClientID, string(step.Request))
		if result != step.Expect.Result {
			t.Errorf("step %d: %s, want %s", step.Step, result, step.Expect.Result)
		}
		if step.Expect.OrderIDOf != nil {
			name := *step.Expect.OrderIDOf
			if old := ids[name]; id == "" || (old != "" && old != id) {
				t.Errorf("step %d: orderId %q, formerly %q", step.Step, id, old)
			}
			ids[name] = id
		}
		if step.Expect.Processed {
			processed++
		}
		var totals simulator.Tally
		if s.get(t, "/totals", &totals); totals.Executions != processed {
			t.Errorf("step %d: %d executions, want %d", step.Step, totals.Executions, processed)
		}
	}
}

// callHK signs a body, sends it, and verifies the answer.
func (s *story) callHK(t *testing.T, client, body string) (result, orderID string) {
	t.Helper()
	at := time.Now().Format(time.RFC3339)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.gateway+simulator.HKPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.Header.Set("Client-Id", client)
	r.Header.Set("Request-Time", at)
	sign := signRSA(t, s.key, "POST "+simulator.HKPath+"\n"+client+"."+at+"."+body)
	r.Header.Set("Signature", "algorithm=RSA256,keyVersion=1,signature="+url.QueryEscape(sign))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, escaped, _ := strings.Cut(resp.Header.Get("Signature"), "signature=")
	text, err := url.QueryUnescape(escaped)
	if err != nil {
		t.Fatal(err)
	}
	content := "POST " + simulator.HKPath + "\n" + client + "." + resp.Header.Get("Response-Time") + "." + string(raw)
	checkRSA(t, &vectorKey(t, "alipayhk/keys.json", "platform_rsa_v1", "private_pkcs8_pem").PublicKey, []byte(content), text)
	var a struct {
		Result struct {
			Code   string `json:"resultCode"`
			Status string `json:"resultStatus"`
		}
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("answer %q: %v", raw, err)
	}
	return a.Result.Code + "/" + a.Result.Status, a.OrderID
}
