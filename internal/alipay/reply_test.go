package alipay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// trade reads a node as the verified answer of alipay.trade.query.
func trade(t *testing.T, node string) alipay.Trade {
	t.Helper()
	tr, err := alipay.Reply{Method: alipay.MethodTradeQuery, Code: "10000", Verified: true, Body: json.RawMessage(node)}.Trade()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func itemOrder(t *testing.T, node string) alipay.ItemOrder {
	t.Helper()
	o, err := alipay.Reply{Method: alipay.MethodItemOrderQuery, Code: "10000", Verified: true, Body: json.RawMessage(node)}.ItemOrder()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func cny(fen int64) *alipay.Money { return &alipay.Money{Minor: fen, Currency: "CNY"} }

// TestTradeReadsThePage: the sample answer of alipay.trade.query, field by field.
func TestTradeReadsThePage(t *testing.T) {
	got := trade(t, `{"code":"10000","msg":"Success","trade_no":"2013112011001004330000121536","out_trade_no":"6823789339978248",
		"buyer_logon_id":"159****5620","trade_status":"TRADE_CLOSED","total_amount":"88.88","trans_currency":"TWD","settle_currency":"USD",
		"settle_amount":2.96,"pay_currency":"CNY","pay_amount":"8.88","settle_trans_rate":"30.025","trans_pay_rate":"0.264",
		"buyer_pay_amount":8.88,"point_amount":10,"invoice_amount":12.11,"send_pay_date":"2014-11-27 15:45:57","receipt_amount":"15.25",
		"store_id":"NJ_S_001","terminal_id":"NJ_T_001","fund_bill_list":[{"fund_channel":"ALIPAYACCOUNT","amount":10,"real_amount":11.21}],
		"store_name":"shop","buyer_user_id":"2088101117955611","charge_amount":"8.88","charge_flags":"bluesea_1",
		"settlement_id":"2018101610032004620239146945","auth_trade_pay_mode":"CREDIT_PREAUTH_PAY","buyer_user_type":"PRIVATE",
		"mdiscount_amount":"88.88","discount_amount":"88.88","buyer_user_name":"somebody"}`)
	paid := time.Date(2014, 11, 27, 7, 45, 57, 0, time.UTC)
	want := alipay.Trade{
		TradeNo: "2013112011001004330000121536", OutTradeNo: "6823789339978248", Status: alipay.TradeClosed,
		TotalAmount: &alipay.Money{Minor: 8888, Currency: "TWD"}, TransCurrency: "TWD",
		SettleCurrency: "USD", SettleAmount: &alipay.Money{Minor: 296, Currency: "USD"},
		PayCurrency: "CNY", PayAmount: cny(888), SettleTransRate: "30.025", TransPayRate: "0.264",
		BuyerPayAmount: cny(888), PointAmount: cny(1000), InvoiceAmount: cny(1211), ReceiptAmount: cny(1525),
		ChargeAmount: cny(888), MDiscountAmount: cny(8888), DiscountAmount: cny(8888), SendPayDate: &paid,
		FundBills: []alipay.FundBill{{FundChannel: "ALIPAYACCOUNT", Amount: cny(1000), RealAmount: cny(1121)}},
		StoreID:   "NJ_S_001", StoreName: "shop", TerminalID: "NJ_T_001", BuyerLogonID: "159****5620", BuyerUserID: "2088101117955611",
		BuyerUserName: "somebody", BuyerUserType: "PRIVATE", ChargeFlags: "bluesea_1", SettlementID: "2018101610032004620239146945",
		AuthTradePayMode: "CREDIT_PREAUTH_PAY",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("trade = %+v\nwant %+v", got, want)
	}
}

// TestTradeKeepsWhatItCannotRead: one bad member never fails a snapshot.
func TestTradeKeepsWhatItCannotRead(t *testing.T) {
	got := trade(t, `{"code":"10000","trade_status":"TRADE_SUCCESS","total_amount":"100.50","trans_currency":"JPY","pay_currency":1,
		"pay_amount":"8.88","settle_amount":"1.00","receipt_amount":"1e2","invoice_amount":{"v":1},"point_amount":"","buyer_pay_amount":null,
		"send_pay_date":"2014-11-27T15:45:57Z","settle_trans_rate":"1/3","fund_bill_list":[{"fund_channel":"PCREDIT","amount":"0.001","bank":"x"},7],
		"store_id":["a"],"later":{"x":[1]},"voucher_detail_list":[]}`)
	unparsed := map[string]string{
		"total_amount": `"100.50"`, "pay_currency": "1", "pay_amount": `"8.88"`, "settle_amount": `"1.00"`, "receipt_amount": `"1e2"`,
		"invoice_amount": `{"v":1}`, "send_pay_date": `"2014-11-27T15:45:57Z"`, "settle_trans_rate": `"1/3"`,
		"fund_bill_list[0].amount": `"0.001"`, "fund_bill_list[1]": "7", "store_id": `["a"]`,
	}
	if !maps.Equal(got.Unparsed, unparsed) {
		t.Errorf("unparsed = %v, want %v", got.Unparsed, unparsed)
	}
	more := map[string]string{"later": `{"x":[1]}`, "voucher_detail_list": "[]", "fund_bill_list[0].bank": `"x"`}
	if !maps.Equal(got.More, more) {
		t.Errorf("more = %v, want %v", got.More, more)
	}
	if got.Status != alipay.TradeSuccess || got.TotalAmount != nil || got.PointAmount != nil || len(got.FundBills) != 1 {
		t.Errorf("trade = %+v", got)
	}
}

// TestAmountWithoutKnownCurrencyIsNotGuessed: total_amount is CNY only if no currency is named.
func TestAmountWithoutKnownCurrencyIsNotGuessed(t *testing.T) {
	if got := trade(t, `{"total_amount":"1.00"}`); !reflect.DeepEqual(got.TotalAmount, cny(100)) {
		t.Errorf("total = %v", got.TotalAmount)
	}
	for _, currency := range []string{`"XXX"`, `"cny"`, `156`, `["CNY"]`} {
		got := trade(t, `{"total_amount":"1.00","trans_currency":`+currency+`}`)
		if got.TotalAmount != nil || got.Unparsed["total_amount"] != `"1.00"` {
			t.Errorf("%s: total = %v, unparsed %v", currency, got.TotalAmount, got.Unparsed)
		}
	}
}

// TestNewerFieldsAreTyped: members of the official models of May 2026.
func TestNewerFieldsAreTyped(t *testing.T) {
	fields := strings.Fields(`buyer_open_id alipay_store_id credit_pay_mode credit_biz_order_id additional_status async_pay_apply_status
		biz_settle_mode receipt_currency_type passback_params subject body`)
	node := map[string]string{"pre_auth_pay_amount": "1.00"}
	for _, f := range fields {
		node[f] = "v-" + f
	}
	text, _ := json.Marshal(node)
	got := trade(t, string(text))
	values := []string{got.BuyerOpenID, got.AlipayStoreID, got.CreditPayMode, got.CreditBizOrderID, got.AdditionalStatus, got.AsyncPayApplyStatus,
		got.BizSettleMode, got.ReceiptCurrencyType, got.PassbackParams, got.Subject, got.Body}
	for i, f := range fields {
		if values[i] != "v-"+f {
			t.Errorf("%s = %q", f, values[i])
		}
	}
	if len(got.More) != 0 || got.PreAuthPayAmount == nil {
		t.Errorf("more = %v", got.More)
	}
}

// TestListsComeInThreeForms: plain, wrapped in an object, or a single entry in its place.
func TestListsComeInThreeForms(t *testing.T) {
	for _, list := range []string{
		`[{"fund_channel":"A"},{"fund_channel":"B"}]`,
		`{"trade_fund_bill":[{"fund_channel":"A"},{"fund_channel":"B"}]}`,
	} {
		got := trade(t, `{"fund_bill_list":`+list+`}`)
		if len(got.FundBills) != 2 || got.FundBills[1].FundChannel != "B" {
			t.Errorf("%s: %+v", list, got.FundBills)
		}
	}
	for _, member := range []string{
		`"item_order_vo":[{"sku_id":"1"}]`, `"item_order_vo":{"sku_id":"1","quantity":2}`, `"item_order_v_o":{"item_order_v_o":[{"sku_id":"1"}]}`,
	} {
		got := itemOrder(t, `{`+member+`}`)
		if len(got.Items) != 1 || got.Items[0].SKUID != "1" || len(got.More) != 0 {
			t.Errorf("%s: %+v", member, got)
		}
	}
	for _, none := range []string{`""`, `null`, `[]`} {
		if got := trade(t, `{"fund_bill_list":`+none+`}`); got.FundBills != nil || len(got.Unparsed) != 0 {
			t.Errorf("%s: %+v", none, got)
		}
	}
}

// TestItemOrderReadsThePage: the sample answer of koubei.trade.itemorder.query.
func TestItemOrderReadsThePage(t *testing.T) {
	got := itemOrder(t, `{"code":"10000","msg":"Success","order_no":"1","out_order_no":"2","partner_id":"3","trade_no":"4","status":"CLOSE",
		"buyer_id":"5","biz_product":"ONLINE_TRADE_PAY","gmt_create":"2016-09-29 00:00:00","seller_id":"6","gmt_payment":"2018-01-12 21:10:10",
		"gmt_modified":"2016-09-29 00:00:00","total_amount":25,"real_pay_amount":20,"discount_amount":5,"deliver_seller_real_amount":"5.00",
		"item_order_vo":[{"item_order_no":"7","sku_id":"8","quantity":2,"price":10,"ext_info":"{externalVoucherCode=[A12345,B98765]}",
		"status":"PAID","merchant_fund":"1.00","platform_fund":"0.50"}]}`)
	made := time.Date(2016, 9, 28, 16, 0, 0, 0, time.UTC)
	paid := time.Date(2018, 1, 12, 13, 10, 10, 0, time.UTC)
	want := alipay.ItemOrder{
		OrderNo: "1", OutOrderNo: "2", PartnerID: "3", TradeNo: "4", Status: "CLOSE", BuyerID: "5", BizProduct: "ONLINE_TRADE_PAY", SellerID: "6",
		GmtCreate: &made, GmtModified: &made, GmtPayment: &paid,
		TotalAmount: cny(2500), RealPayAmount: cny(2000), DiscountAmount: cny(500), DeliverSellerRealAmount: cny(500),
		Items: []alipay.ItemOrderLine{{
			ItemOrderNo: "7", SKUID: "8", Quantity: 2, Price: cny(1000), ExtInfo: "{externalVoucherCode=[A12345,B98765]}",
			Status: "PAID", MerchantFund: cny(100), PlatformFund: cny(50),
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("order = %+v\nwant %+v", got, want)
	}
	half := itemOrder(t, `{"item_order_vo":[{"quantity":1.5}]}`)
	if half.Items[0].Quantity != 0 || half.Unparsed["item_order_vo[0].quantity"] != "1.5" {
		t.Errorf("half a piece: %+v", half)
	}
}

// TestOnlyVerifiedSuccessIsRead: anything else has no trade.
func TestOnlyVerifiedSuccessIsRead(t *testing.T) {
	good := alipay.Reply{Method: alipay.MethodTradeQuery, Code: "10000", Verified: true, Body: json.RawMessage(`{}`)}
	if _, err := good.Trade(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*alipay.Reply){
		"not verified":   func(r *alipay.Reply) { r.Verified = false },
		"another method": func(r *alipay.Reply) { r.Method = alipay.MethodItemOrderQuery },
		"refused":        func(r *alipay.Reply) { r.Code = "40004" },
		"no body":        func(r *alipay.Reply) { r.Body = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			if _, err := r.Trade(); !errors.Is(err, alipay.ErrNoBody) {
				t.Errorf("%v, want ErrNoBody", err)
			}
		})
	}
}

// FuzzTrade: no answer makes reading panic, and nothing is lost in it.
func FuzzTrade(f *testing.F) {
	f.Add(`{"total_amount":"1.00","fund_bill_list":[{"amount":1}],"x":{}}`)
	f.Add(`{"fund_bill_list":{"a":[{"b":[]}]},"send_pay_date":"2014-11-27 15:45:57.123"}`)
	f.Fuzz(func(t *testing.T, node string) {
		r := alipay.Reply{Method: alipay.MethodTradeQuery, Code: "10000", Verified: true, Body: json.RawMessage(node)}
		_, errTrade := r.Trade()
		r.Method = alipay.MethodItemOrderQuery
		if _, err := r.ItemOrder(); (err == nil) != (errTrade == nil) {
			t.Errorf("%q: %v, %v", node, errTrade, err)
		}
	})
}

// TestHostileAnswersStaySmall: an answer of a megabyte that unfolds is not kept whole; what is left out is said.
func TestHostileAnswersStaySmall(t *testing.T) {
	repeat := func(element string) string {
		return strings.TrimSuffix(strings.Repeat(element+",", 900_000/(len(element)+1)), ",")
	}
	var members strings.Builder
	for i := range 80_000 {
		fmt.Fprintf(&members, `"a%d":1,`, i)
	}
	for _, tt := range []struct{ name, fill, unparsed, said string }{
		{"many bills", `"fund_bill_list":[` + repeat(`{"a":1}`) + `],`, "fund_bill_list", `"left out: `},
		{"empty bills", `"fund_bill_list":{"bill":[` + repeat(`{}`) + `]},`, "fund_bill_list", `"left out: `},
		{"bills of many members", `"fund_bill_list":[` + strings.Repeat(`{`+strings.TrimSuffix(members.String()[:7000], ",")+`},`, 100) + `{}],`, "*", `"left out: the further`},
		{"many members", members.String(), "*", `"left out: 80000 further members"`},
		{"a long amount", `"receipt_amount":"` + strings.Repeat("9", 900_000) + `",`, "receipt_amount", `"left out: 900002 bytes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := trade(t, `{"code":"10000",`+tt.fill+`"out_trade_no":"1","trade_no":"2","trade_status":"TRADE_SUCCESS","total_amount":1}`)
			if len(got.FundBills) > 1000 || len(got.More) > 1000 || !strings.HasPrefix(got.Unparsed[tt.unparsed], tt.said) || len(got.Unparsed[tt.unparsed]) > 64<<10 {
				t.Errorf("%d bills, %d further members, unparsed %.100s", len(got.FundBills), len(got.More), got.Unparsed[tt.unparsed])
			}
			if got.TotalAmount == nil || got.TotalAmount.Minor != 100 || got.OutTradeNo != "1" {
				t.Errorf("the rest is not read: %+v", got.TotalAmount)
			}
		})
	}
}
