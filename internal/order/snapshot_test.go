package order_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// tradeAnswer is the sample of alipay.trade.query, shortened, with a member of tomorrow.
const tradeAnswer = `{"code":"10000","msg":"Success","trade_no":"2013112011001004330000121536","out_trade_no":"o_1",
 "buyer_logon_id":"159****5620","trade_status":"TRADE_SUCCESS","total_amount":88.88,"pay_currency":1,"pay_amount":"8.88",
 "buyer_pay_amount":8.88,"send_pay_date":"2014-11-27 15:45:57","receipt_amount":"15.25",
 "fund_bill_list":[{"fund_channel":"ALIPAYACCOUNT","amount":10,"real_amount":11.21}],
 "buyer_user_id":"2088101117955611","credit_pay_mode":"creditAdvanceV2","tomorrow":{"a":1}}`

// koubeiAnswer is the sample of koubei.trade.itemorder.query, shortened.
const koubeiAnswer = `{"code":"10000","msg":"Success","order_no":"K1","out_order_no":"other","trade_no":"T1","status":"PAID",
 "seller_id":"208810000003401","gmt_payment":"2018-01-12 21:10:10","total_amount":25,"real_pay_amount":20,
 "deliver_seller_real_amount":5,"item_order_vo":[{"item_order_no":"I","sku_id":"S","quantity":2,"price":10,"ext_info":"{x=[A]}"}]}`

func answer(m alipay.Method, body string) alipay.Reply {
	return alipay.Reply{Method: m, Code: "10000", Verified: true, Body: json.RawMessage(body)}
}

func mustSnapshot(t *testing.T, e order.Event, by order.AskedBy, reply alipay.Reply) order.Snapshot {
	t.Helper()
	s, err := order.SnapshotOf(handling(e, nil), by, reply, finished)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSnapshotOfATrade(t *testing.T) {
	got := mustSnapshot(t, event(order.ChannelTrade, order.TypeQueryRequested), order.AskedByEvent, answer(alipay.MethodTradeQuery, tradeAnswer))
	paid := time.Date(2014, 11, 27, 7, 45, 57, 0, time.UTC)
	want := order.Snapshot{
		EventID: eventID, AskedBy: order.AskedByEvent, Method: alipay.MethodTradeQuery, ObservedAt: finished,
		Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "o_1", TradeNo: "2013112011001004330000121536",
		Status: "TRADE_SUCCESS", TotalAmount: cny(8888), BuyerPayAmount: cny(888), ReceiptAmount: cny(1525), SendPayDate: &paid,
		FundBills:    []alipay.FundBill{{FundChannel: "ALIPAYACCOUNT", Amount: cny(1000), RealAmount: cny(1121)}},
		BuyerLogonID: "159****5620", BuyerUserID: "2088101117955611", CreditPayMode: "creditAdvanceV2",
		More:     map[string]string{"tomorrow": `{"a":1}`},
		Unparsed: map[string]string{"pay_currency": "1", "pay_amount": `"8.88"`},
		BodyJSON: tradeAnswer,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSnapshotOfAKoubeiOrder(t *testing.T) {
	got := mustSnapshot(t, event(order.ChannelKoubei, order.TypePaid), order.AskedByEvent, answer(alipay.MethodItemOrderQuery, koubeiAnswer))
	if got.OrderNo != "o_1" || got.KoubeiOrderNo != "K1" || got.TradeNo != "T1" || got.Status != "PAID" ||
		!reflect.DeepEqual(got.RealPayAmount, cny(2000)) || len(got.Items) != 1 || got.Items[0].Quantity != 2 {
		t.Errorf("got %+v", got)
	}
	if got.More["out_order_no"] != `"other"` {
		t.Errorf("the other number of the order is lost: %v", got.More)
	}
}

func TestNoSnapshot(t *testing.T) {
	h := handling(event(order.ChannelTrade, order.TypeQueryRequested), nil)
	unsigned := answer(alipay.MethodTradeQuery, tradeAnswer)
	unsigned.Verified = false
	for name, reply := range map[string]alipay.Reply{
		"not signed":     unsigned,
		"another call":   answer(alipay.MethodTradeCreate, `{"trade_no":"T"}`),
		"no body":        {Method: alipay.MethodItemOrderQuery, Code: "10000", Verified: true},
		"nothing at all": {},
	} {
		if s, err := order.SnapshotOf(h, order.AskedByEvent, reply, finished); err == nil {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

// What a result says of its trade, and when it says nothing.
func TestObserveResult(t *testing.T) {
	create, sync, hk := event(order.ChannelTrade, order.TypeCreated), event(order.ChannelCredit, order.TypeCompleted), event(order.ChannelHK, order.TypePaid)
	sync.BizType = "CREDIT_AUTH"
	create.Version = 5
	rejected := &alipay.Error{Class: alipay.Rejected}
	lost := &alipay.Error{Class: alipay.Ambiguous}
	for _, tt := range []struct {
		name string
		e    order.Event
		err  error
		said bool
	}{
		{"a create", create, nil, true},
		{"a create that Alipay refused", create, rejected, true},
		{"a create that Alipay does not know", create, lost, false},
		{"a sync", sync, nil, true},
		{"a sync that Alipay refused", sync, rejected, false},
		{"an HK sync", hk, nil, true},
		{"a query: its snapshot says it", event(order.ChannelTrade, order.TypeCancelled), nil, false},
		{"a koubei query", event(order.ChannelKoubei, order.TypePaid), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := handling(tt.e, mustPlan(t, order.Defaults{}, tt.e))
			r := order.ResultOf(h, alipay.Reply{TradeNo: "T"}, tt.err, finished)
			o, said := order.ObserveResult(h, r, "00-trace")
			if said != tt.said {
				t.Fatalf("says something: %v, want %v", said, tt.said)
			}
			if !said {
				return
			}
			creates := tt.e.Type == order.TypeCreated
			if o.Kind != order.ObservedInResult || o.CauseID != eventID || o.TradeNo != "T" || o.Outcome != r.Outcome ||
				creates != (o.Total != nil) || creates != (o.CreateTraceparent == "00-trace") || creates != (o.CreateEventID == eventID) ||
				creates == (o.SentStatusAt != nil) || o.SentStatus != r.SentStatus || o.OrderVersion != tt.e.Version {
				t.Errorf("got %+v", o)
			}
		})
	}
	skipped := handling(event(order.ChannelHK, order.TypeDelivered), nil)
	if _, said := order.ObserveResult(skipped, order.ResultOf(skipped, alipay.Reply{}, &order.SkipError{}, finished), ""); said {
		t.Error("a skip says something")
	}
}

func TestObserveSnapshot(t *testing.T) {
	trade := order.ObserveSnapshot(mustSnapshot(t, event(order.ChannelTrade, order.TypeCancelled), order.AskedByEvent,
		answer(alipay.MethodTradeQuery, tradeAnswer)))
	if trade.Kind != order.ObservedInSnapshot || trade.AlipayStatus != "TRADE_SUCCESS" || !reflect.DeepEqual(trade.Paid, cny(888)) ||
		!reflect.DeepEqual(trade.Received, cny(1525)) || trade.PaidAt == nil || trade.CreditPayMode != "creditAdvanceV2" {
		t.Errorf("trade: %+v", trade)
	}
	koubei := order.ObserveSnapshot(mustSnapshot(t, event(order.ChannelKoubei, order.TypePaid), order.AskedBySweep,
		answer(alipay.MethodItemOrderQuery, koubeiAnswer)))
	if koubei.Kind != order.ObservedInSweep || !reflect.DeepEqual(koubei.Paid, cny(2000)) || !reflect.DeepEqual(koubei.Received, cny(500)) ||
		koubei.PaidAt == nil || koubei.SellerID != "208810000003401" {
		t.Errorf("koubei: %+v", koubei)
	}
}
