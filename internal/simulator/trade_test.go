package simulator_test

import (
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/simulator"
)

// TestFieldRules: the gateway refuses what a careful client does not send.
func TestFieldRules(t *testing.T) {
	var v struct {
		About    string            `json:"about"`
		MadeWith string            `json:"made_with"`
		Patterns map[string]string `json:"regular_expressions"`
		Cases    []struct {
			ID         string         `json:"id"`
			Why        string         `json:"why"`
			Origin     string         `json:"origin"`
			Method     string         `json:"method"`
			NotifyURL  string         `json:"notify_url"`
			BizContent map[string]any `json:"biz_content"`
			Valid      bool           `json:"valid"`
		} `json:"cases"`
	}
	load(t, "openapi/validation.json", &v)
	// One vector contradicts itself: its text has 2018 characters, which the page allows.
	const mislabelled = "sync_info_2019"
	refusals := []string{"ACQ.INVALID_PARAMETER", "ACQ.BUYER_SELLER_EQUAL", "INVALID_PARAMETER", "isv.invalid-parameter"}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			// All trades and orders that a valid query or sync names exist.
			b := newHarness(t, simulator.Options{
				Trades: []simulator.Trade{
					{OutTradeNo: "1", TradeNo: "2015042321001004720200028594", Total: 1},
					{OutTradeNo: "2", TradeNo: "2018061021001004680073956707", Total: 1},
				},
				ItemOrders: []simulator.ItemOrder{{OrderNo: "20170427000000001000000001", Status: "PAID"}},
			})
			more := map[string]string{}
			if c.NotifyURL != "" {
				more["notify_url"] = c.NotifyURL
			}
			got := b.call(c.Method, c.BizContent, more)
			if c.ID == mislabelled {
				c.Valid = utf8.RuneCountInString(c.BizContent["order_biz_info"].(string)) <= 2018
			}
			if c.Valid && got.code != "10000" {
				t.Errorf("a valid request got %v", got.fields)
			}
			if !c.Valid && !slices.Contains(refusals, got.sub) {
				t.Errorf("an invalid request got %v (%s)", got.fields, c.Why)
			}
		})
	}
}

// TestLifeCycle: the documented transitions are possible; all others are refused.
func TestLifeCycle(t *testing.T) {
	var v struct {
		About    string         `json:"about"`
		MadeWith string         `json:"made_with"`
		Rank     map[string]int `json:"rank"`
		Legal    []struct {
			From   string `json:"from"`
			To     string `json:"to"`
			Cause  string `json:"cause"`
			Origin string `json:"origin"`
		} `json:"legal_transitions"`
		Koubei map[string]string `json:"koubei_statuses"`
		Cases  []struct {        // they are about readers of observations, not about the gateway
			ID           string              `json:"id"`
			Note         string              `json:"note"`
			Origin       string              `json:"origin"`
			Observations []map[string]string `json:"observations"`
			Expect       struct {
				FinalState string   `json:"final_state"`
				Published  []string `json:"published"`
				Anomalies  []string `json:"anomalies"`
			} `json:"expect"`
		} `json:"cases"`
	}
	load(t, "openapi/lifecycle.json", &v)
	steps := map[string]func(*simulator.Simulator) error{
		"pay":         func(s *simulator.Simulator) error { return s.Pay("t") },
		"close":       func(s *simulator.Simulator) error { return s.Close("t") },
		"finish":      func(s *simulator.Simulator) error { return s.Finish("t") },
		"part refund": func(s *simulator.Simulator) error { return s.Refund("t", 40) },
		"full refund": func(s *simulator.Simulator) error { return s.Refund("t", 100) },
	}
	legal, reached := map[[2]string]bool{}, map[[2]string]bool{}
	for _, l := range v.Legal {
		legal[[2]string{l.From, l.To}] = true
	}
	for from := range v.Rank {
		for name, step := range steps {
			b := newHarness(t, simulator.Options{Trades: []simulator.Trade{{OutTradeNo: "t", Total: 100, Status: simulator.TradeStatus(from)}}})
			if step(b.sim) != nil {
				continue
			}
			after, _ := b.sim.Trade("t")
			edge := [2]string{from, string(after.Status)}
			if !legal[edge] {
				t.Errorf("%s leads from %s to %s", name, edge[0], edge[1])
			}
			reached[edge] = true
		}
	}
	for edge := range legal {
		if !reached[edge] {
			t.Errorf("nothing leads from %s to %s", edge[0], edge[1])
		}
	}
	for status := range v.Koubei {
		if err := newHarness(t, simulator.Options{}).sim.AddItemOrder(simulator.ItemOrder{OrderNo: "k", Status: status}); err != nil {
			t.Error(err)
		}
	}
}

// TestTimeLimits: the limit runs from creation; time_expire wins; 1c is midnight in Beijing.
func TestTimeLimits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		extra map[string]any
		life  time.Duration
	}{
		{"default", nil, 3 * time.Hour},
		{"minutes", map[string]any{"timeout_express": "90m"}, 90 * time.Minute},
		{"days", map[string]any{"timeout_express": "15d"}, 15 * 24 * time.Hour},
		{"today", map[string]any{"timeout_express": "1c"}, 6 * time.Hour}, // the clock says 18:00 in Beijing
		{"absolute", map[string]any{"timeout_express": "1m", "time_expire": "2026-01-01 18:30:00"}, 30 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newHarness(t, simulator.Options{})
			content := order("o_1")
			for k, v := range tt.extra {
				content[k] = v
			}
			b.call("alipay.trade.create", content, nil)
			status := func() any {
				return b.call("alipay.trade.query", map[string]any{"out_trade_no": "o_1"}, nil).fields["trade_status"]
			}
			b.now = start.Add(tt.life - time.Second)
			if got := status(); got != "WAIT_BUYER_PAY" {
				t.Errorf("before the limit: %v", got)
			}
			b.now = start.Add(tt.life)
			if got := status(); got != "TRADE_CLOSED" {
				t.Errorf("at the limit: %v", got)
			}
			if err := b.sim.Pay("o_1"); err == nil {
				t.Error("a closed trade was paid")
			}
		})
	}
}

func TestCreateTooLate(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	content := order("o_1")
	content["time_expire"] = "2026-01-01 18:00:00"
	if got := b.call("alipay.trade.create", content, nil); got.sub != "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR" {
		t.Errorf("answer = %v", got.fields)
	}
	if got := b.sim.Tally("o_1").Executions; got != 0 {
		t.Errorf("executions = %d", got)
	}
}

func TestPaidTradeShowsItsPayment(t *testing.T) {
	b := newHarness(t, simulator.Options{Trades: []simulator.Trade{{OutTradeNo: "o_1", Total: 8888, More: map[string]any{"trans_currency": "HKD", "point_amount": "1.00"}}}})
	query := func() map[string]any {
		return b.call("alipay.trade.query", map[string]any{"out_trade_no": "o_1"}, nil).fields
	}
	if got := query(); got["buyer_pay_amount"] != "0.00" || got["send_pay_date"] != nil || got["trans_currency"] != "HKD" || got["point_amount"] != "1.00" {
		t.Errorf("unpaid: %v", got)
	}
	b.now = start.Add(time.Minute)
	if err := b.sim.Pay("o_1"); err != nil {
		t.Fatal(err)
	}
	if got := query(); got["buyer_pay_amount"] != "88.88" || got["send_pay_date"] != "2026-01-01 18:01:00" || got["fund_bill_list"] == nil {
		t.Errorf("paid: %v", got)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	g := generated()
	for name, o := range map[string]simulator.Options{
		"trade of an unknown app": {Apps: []simulator.App{g.app.App}, Trades: []simulator.Trade{{App: "x", OutTradeNo: "t", Total: 1}}},
		"trade without total":     {Apps: []simulator.App{g.app.App}, Trades: []simulator.Trade{{OutTradeNo: "t"}}},
		"trade of odd status":     {Apps: []simulator.App{g.app.App}, Trades: []simulator.Trade{{OutTradeNo: "t", Total: 1, Status: "PAID"}}},
		"two trades of one name":  {Apps: []simulator.App{g.app.App}, Trades: []simulator.Trade{{OutTradeNo: "t", Total: 1}, {OutTradeNo: "t", Total: 1}}},
		"item order, odd status":  {Apps: []simulator.App{g.app.App}, ItemOrders: []simulator.ItemOrder{{OrderNo: "k", Status: "DONE"}}},
		"app without keys":        {Apps: []simulator.App{{ID: "x"}}},
		"app given twice":         {Apps: []simulator.App{g.app.App, g.app.App}},
		"client without keys":     {HKApps: []simulator.HKApp{{ClientID: "x"}}},
		"client given twice":      {HKApps: []simulator.HKApp{g.hk.App, g.hk.App}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := simulator.New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
