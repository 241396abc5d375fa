package order_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

// TestO7_ParametersOfANotification: what no document names is hidden, also in JSON texts, unless a topic shows it.
func TestO7_ParametersOfANotification(t *testing.T) {
	vouchers := `[{"name":"Zhang San's","amount":"1.00"}]`
	params := map[string]string{
		"buyer_id": buyerID, "total_amount": "88.88", "out_trade_no": "o_1", "subject": "tea [green]", "new_in_2027": buyerName, "account": buyerID, "receiver": `{"name":"Zhang San"}`, "empty": "",
		"voucher_detail_list": vouchers, "fund_bill_list": `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT","who":"Zhang San"}]`,
	}
	write := func(w *avro.Writer) {
		w.Text("notify_id", "n")
		w.Time("received_at", time.Now())
		w.Text("account", "shop")
		w.Text("order_no", "o_1")
		w.Text("buyer_id", buyerID)
		w.Text("buyer_logon_id", buyerLogon)
		w.Text("voucher_detail_list", vouchers)
		w.Text("passback_params", buyerName)
		w.TextMap("params", params)
	}
	schema := avro.MustCodec(schemas.TradeNotification)
	key := bytes.Repeat([]byte{7}, 32)
	for name, tt := range map[string]struct {
		o    order.MaskOptions
		want map[string]string // of params
	}{
		"dropped": {order.MaskOptions{}, map[string]string{
			"buyer_id": "", "new_in_2027": "", "account": "", "receiver": `{"name":"masked"}`, "voucher_detail_list": `[{"name":"masked","amount":"masked"}]`,
			"fund_bill_list": `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT","who":"masked"}]`,
		}},
		"one field is shown": {order.MaskOptions{Clear: map[string][]string{"notifications": {"buyer_id", "voucher_detail_list"}}}, map[string]string{
			"buyer_id": buyerID, "new_in_2027": "", "account": "", "receiver": `{"name":"masked"}`, "voucher_detail_list": vouchers,
			"fund_bill_list": `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT","who":"masked"}]`,
		}},
		"all are shown": {order.MaskOptions{Clear: map[string][]string{"notifications": {"params"}}}, map[string]string{
			"buyer_id": buyerID, "new_in_2027": buyerName, "account": buyerID, "receiver": `{"name":"Zhang San"}`, "voucher_detail_list": vouchers,
			"fund_bill_list": `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT","who":"Zhang San"}]`,
		}},
		"keyed": {order.MaskOptions{Key: key}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := codec(t).WithMasker(maskerOf(t, tt.o))
			value, err := c.Encode(t.Context(), "notifications", schema, write)
			if err != nil {
				t.Fatal(err)
			}
			_, text, err := c.JSON(t.Context(), "notifications", value)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				BuyerID string `json:"buyer_id"`
				Params  map[string]string
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				if got.BuyerID != got.Params["buyer_id"] || !strings.HasPrefix(got.BuyerID, "hmac:") || strings.Contains(string(text), buyerName) {
					t.Errorf("the same person has one mask: %s", text)
				}
				return
			}
			want := maps.Clone(tt.want)
			want["total_amount"], want["out_trade_no"], want["subject"], want["empty"] = "88.88", "o_1", "tea [green]", ""
			if !maps.Equal(got.Params, want) {
				t.Errorf("params = %v\nwant     %v", got.Params, want)
			}
			if strings.Contains(string(text), buyerLogon) {
				t.Errorf("a field is shown: %s", text)
			}
		})
	}
}
