package standalone_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

const settings = `
seed: 7
latency: {fixed: 50ms, jitter: 10ms}
apps:
  - id: "2021000000000001"
    seller_id: "2088000000000001"
    keys: {merchant_public_file: merchant.pem, signing_file: alipay.pem}
    merchants: [{name: shop-b, seller_id: "2088000000000002", app_auth_token: token-b}]
  - id: "2021000000000002"
hk_apps:
  - {client_id: C1, key_version: "2"}
hk: {skew: 1m, long_request_id: true}
faults:
  - {kind: cut, method: alipay.trade.create, order: o_1, times: 2, after: true}
  - {kind: throttled, probability: 0.25}
  - {kind: outage, from: 2026-01-01T10:00:00Z, to: 2026-01-01T10:00:05Z}
buyers:
  - {share: 0.02, steps: [{after: 5s, do: pay, amount: "0.01", seller: "2088000000000666", currency: HKD}]}
notifications: {keep: 5, senders: 2, faults: [{kind: doubled, probability: 0.2, delay: 1m}]}
trades:
  - {app: "2021000000000001", out_trade_no: c-1, trade_no: "2018061021001004680073956707", total: "88.88", status: TRADE_SUCCESS}
item_orders:
  - app: "2021000000000002"
    order_no: "20170427000000001000000001"
    status: PAID
    total: "25.00"
    items: [{item_order_no: i1, sku_id: s1, quantity: 2, price: "10.00"}]
`

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	g, err := standalone.GenerateApp("2021000000000001")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"merchant.pem": g.MerchantPublic, "alipay.pem": g.AlipayPrivate} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := standalone.LoadConfig(strings.NewReader(settings))
	if err != nil {
		t.Fatal(err)
	}
	o, made, err := c.Options(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Apps) != 1 || made.Apps[0].App.ID != "2021000000000002" || made.Apps[0].MerchantPrivate == "" || len(made.HKApps) != 1 {
		t.Errorf("made = %d apps, %d clients", len(made.Apps), len(made.HKApps))
	}
	if o.Seed != 7 || o.Latency.Fixed != 50*time.Millisecond || o.HK.Skew != time.Minute || !o.HK.LongRequestID || o.HKApps[0].MerchantKeys["2"] == nil {
		t.Errorf("options = %+v", o)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if trade, ok := s.Trade("2018061021001004680073956707"); !ok || trade.Total != 8888 {
		t.Errorf("trade = %+v", trade)
	}
	if want := simulator.CutAfter("alipay.trade.create").Order("o_1").Times(2); o.Faults[0] != want {
		t.Errorf("fault = %v, want %v", o.Faults[0], want)
	}
	if n := o.Notifications; n.Keep != 5 || n.Senders != 2 || n.Faults[0] != (outbox.Fault{Kind: outbox.Doubled, Probability: 0.2, Delay: time.Minute}) {
		t.Errorf("notifications = %+v", n)
	}
	if b := o.Buyers[0]; b.Share != 0.02 || b.Steps[0].Amount != 1 || b.Steps[0].Seller != "2088000000000666" || b.Steps[0].Currency != "HKD" {
		t.Errorf("buyer = %+v", b)
	}
}

// TestBadSettings: each file has one fault.
func TestBadSettings(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key":        "sead: 7",
		"duplicate key":      "seed: 7\nseed: 8",
		"two documents":      "seed: 7\n---\nseed: 8",
		"unknown fault":      "faults: [{kind: earthquake}]",
		"unknown method":     "faults: [{kind: cut, method: alipay.trade.pay}]",
		"refusal of nothing": "faults: [{kind: refuse}]",
		"delay of nothing":   "faults: [{kind: delay}]",
		"odd probability":    "faults: [{kind: cut, probability: 2}]",
		"half a pair":        "apps: [{id: a, keys: {signing: x}}]",
		"no PEM":             "apps: [{id: a, keys: {signing: x, merchant_public: y}}]",
		"text and file":      "hk_apps: [{client_id: a, keys: {signing: x, signing_file: x, merchant_public: y}}]",
		"missing file":       "hk_apps: [{client_id: a, keys: {signing_file: nowhere, merchant_public_file: nowhere}}]",
		"amount of a float":  "trades: [{out_trade_no: a, total: 1.005}]",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := standalone.LoadConfig(strings.NewReader(text))
			if err == nil {
				_, _, err = c.Options(t.TempDir())
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := standalone.LoadConfig(strings.NewReader("")); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}
