package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"alipay-kafka-bridge/internal/simulator"
)

// TestJournal: it has every request, refused ones too, and every execution points to its request.
func TestJournal(t *testing.T) {
	b := newHarness(t, simulator.Options{Faults: []simulator.Fault{simulator.Unavailable("alipay.trade.create").Order("o_2")}})
	b.call("alipay.trade.create", order("o_1"), nil)
	b.call("alipay.trade.create", order("o_2"), map[string]string{"app_auth_token": "token-b"})
	b.call("alipay.trade.create", `{"out_trade_no":"o_3"}`, nil)
	trade, _ := b.sim.Trade("o_1")
	b.call("alipay.trade.query", map[string]any{"trade_no": trade.TradeNo}, nil)
	b.send("app_id=nobody&method=alipay.trade.query", "", "")
	b.hk(hkBody("M-1", b.now))

	j := b.sim.Journal()
	var got []string
	for _, r := range j.Requests {
		got = append(got, strings.Join([]string{string(r.Method), r.App, r.Merchant, r.OrderNo, r.Verdict, r.Fault}, "|"))
	}
	want := []string{
		"alipay.trade.create|2021000000000001||o_1|10000|",
		"alipay.trade.create|2021000000000001|shop-b|o_2|20000 isp.unknow-error|unavailable before",
		"alipay.trade.create|2021000000000001||o_3|40004 ACQ.INVALID_PARAMETER|",
		"alipay.trade.query|2021000000000001||o_1|10000|",
		"alipay.trade.query|nobody|||40001 isv.missing-signature|",
		"alipayhk.merchant.order.sync|4Q5Y8W0WSG45P907917||M-1|S SUCCESS|",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("requests:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(j.Executions) != 2 || j.Executions[0].Request != j.Requests[0].Seq || j.Executions[1].Request != j.Requests[5].Seq {
		t.Fatalf("executions = %+v", j.Executions)
	}
	if want := sha256.Sum256([]byte(hkBody("M-1", b.now))); j.Executions[1].Content != want {
		t.Errorf("digest = %s, want %x", j.Executions[1].Content, want)
	}
	text, err := json.Marshal(j)
	if err != nil || !bytes.Contains(text, []byte(`"content":"`+j.Executions[1].Content.String()+`"`)) {
		t.Errorf("JSON = %s, %v", text, err)
	}
}

func TestJournalIsBounded(t *testing.T) {
	b := newHarness(t, simulator.Options{JournalLimit: 2})
	for i := range 5 {
		b.call("alipay.trade.create", order(fmt.Sprintf("o_%d", i)), nil)
	}
	j := b.sim.Journal()
	if len(j.Requests) != 2 || j.Requests[0].OrderNo != "o_3" || j.Requests[1].OrderNo != "o_4" || j.Dropped != 6 {
		t.Errorf("journal = %+v", j)
	}
	if got, want := b.sim.Totals(), (simulator.Tally{Requests: 5, Executions: 5}); got != want {
		t.Errorf("totals = %+v, want %+v", got, want)
	}
}

// TestWhatIsRememberedIsBounded: the entry of a request of a quarter megabyte is small, whether the
// request was refused early, refused by a rule, or accepted.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	long := strings.Repeat("9", 256<<10)
	before := heap()
	for i := range 15 {
		b.send("app_id="+long, "sign="+long, "application/x-www-form-urlencoded")
		content := order("o_1")
		content["out_trade_no"] = long
		b.call("alipay.trade.create", content, nil)
		content = order(fmt.Sprintf("o_%d", i))
		content["further"] = long // no page has this member
		b.call("alipay.trade.create", content, map[string]string{"notify_url": "http://127.0.0.1/"})
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("45 requests of a quarter megabyte left %d KiB behind", grown>>10)
	}
	if got := b.sim.Totals(); got.Requests != 45 || got.Executions != 15 {
		t.Errorf("totals = %+v", got)
	}
}

func heap() int {
	for range 2 { // pools keep their buffers over one collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestReset: a run can be repeated from the trades of the options, with the same numbers.
func TestReset(t *testing.T) {
	b := newHarness(t, simulator.Options{BenchMode: true, Trades: []simulator.Trade{{OutTradeNo: "stock", Total: 1}}})
	first := b.call("alipay.trade.create", order("o_1"), nil)
	firstHK := b.hk(hkBody("M-1", b.now))
	b.sim.Reset()
	if got := b.sim.Totals(); got != (simulator.Tally{}) || len(b.sim.HKOrders()) != 0 {
		t.Errorf("after reset: %+v", got)
	}
	if trades := b.sim.Trades(); len(trades) != 1 || trades[0].OutTradeNo != "stock" {
		t.Errorf("after reset: %+v", trades)
	}
	again := b.call("alipay.trade.create", order("o_1"), nil)
	againHK := b.hk(hkBody("M-1", b.now))
	if again.sign != first.sign || !again.signed || againHK.orderID != firstHK.orderID || !againHK.signed {
		t.Errorf("first %v, again %v", first.fields, again.fields)
	}
	if got := b.sim.Tally("o_1").Executions; got != 1 {
		t.Errorf("executions = %d", got)
	}
}

// TestConcurrentCallers: hundreds of calls at once; each order is created once, although many callers try.
func TestConcurrentCallers(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			query, body := form("alipay.trade.create", string(must(json.Marshal(order(fmt.Sprintf("o_%d", i%20))))), nil, generated().app.MerchantKey)
			if got := b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8"); got.StatusCode != http.StatusOK {
				t.Errorf("status = %d", got.StatusCode)
			}
			b.sim.Trades()
			b.sim.Journal()
		})
	}
	wg.Wait()
	for i := range 20 {
		if got, want := b.sim.Tally(fmt.Sprintf("o_%d", i)), (simulator.Tally{Requests: 10, Executions: 1}); got != want {
			t.Errorf("tally = %+v, want %+v", got, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
