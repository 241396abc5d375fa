package order_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

func TestCreateBody(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	e.Total = cny(1) // the least, and no float on the way
	got := body(t, mustPlan(t, order.Defaults{}, e))
	want := `{"out_trade_no":"o_1","total_amount":"0.01","subject":"Iphone6 16G","buyer_id":"2088102146225135"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAmounts(t *testing.T) {
	settle := func(amount *alipay.Money) []order.Settlement {
		return []order.Settlement{{TransInType: "userId", TransIn: "2088102146225136", Amount: amount}}
	}
	allowed := order.Defaults{Payees: order.Payees{"settlements.trans_in": {"2088102146225136"}}}
	for _, tt := range []struct {
		name   string
		change func(*order.Event)
		want   string // verdict, or a part of the body
	}{
		{"the largest", func(e *order.Event) { e.Total = cny(10_000_000_000) }, `"total_amount":"100000000.00"`},
		{"beyond the largest", func(e *order.Event) { e.Total = cny(10_000_000_001) }, "invalid total_amount"},
		{"zero is not absent", func(e *order.Event) { e.Total = cny(0) }, "invalid total_amount"},
		{"absent", func(e *order.Event) { e.Total = nil }, "invalid total"},
		{"negative", func(e *order.Event) { e.Total = cny(-1) }, "invalid total_amount"},
		{"another currency", func(e *order.Event) { e.Total = hkd(8888) }, "invalid total_amount"},
		{"parts that add up", func(e *order.Event) { e.Discountable, e.Undiscountable = cny(8000), cny(888) }, `"discountable_amount":"80.00"`},
		{"parts that do not", func(e *order.Event) { e.Discountable, e.Undiscountable = cny(8000), cny(887) }, "invalid total_amount"},
		{"settled in whole", func(e *order.Event) { e.Settlements = settle(cny(8888)) }, `"amount":"88.88"`},
		{"settled without amount: the total", func(e *order.Event) { e.Settlements = settle(nil) }, `"amount":"88.88"`},
		{"settled in part", func(e *order.Event) { e.Settlements = settle(cny(10)) }, "invalid settle_info.settle_detail_infos.amount"},
		{"a price without fen", func(e *order.Event) {
			e.Items = []order.Item{{GoodsID: "g", Name: "n", Quantity: 1, Price: cny(200000)}}
		}, `"price":"2000.00"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(order.ChannelTrade, order.TypeCreated)
			tt.change(&e)
			r, err := planner(allowed).Plan(e)
			if err != nil {
				if got := verdict(r, err); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				return
			}
			if got := body(t, r); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want it to hold %s", got, tt.want)
			}
		})
	}
}

func TestLifeOfATrade(t *testing.T) {
	at := func(d time.Duration) *time.Time { u := occurred.Add(d); return &u }
	for _, tt := range []struct {
		name     string
		event    string     // timeout_express of the event
		expires  *time.Time // expires_at of the event
		defaults order.Defaults
		want     string
	}{
		{"no time limit is given", "", nil, order.Defaults{}, ""},
		{"the account's default", "", nil, order.Defaults{TimeoutExpress: "3h"}, `"timeout_express":"3h"`},
		{"the event's own", "1c", nil, order.Defaults{TimeoutExpress: "3h"}, `"timeout_express":"1c"`},
		{"an instant wins, in Beijing time", "90m", at(time.Hour), order.Defaults{TimeoutExpress: "3h"}, `"time_expire":"2023-11-15 07:13:20"`},
		{"an instant as a span, rounded down", "", at(90*time.Minute + 59*time.Second),
			order.Defaults{ExpiresAsTimeout: true}, `"timeout_express":"90m"`},
		{"a span of less than a minute", "", at(59 * time.Second), order.Defaults{ExpiresAsTimeout: true}, "invalid timeout_express"},
		{"an end before the beginning", "", at(-time.Hour), order.Defaults{ExpiresAsTimeout: true}, "invalid expires_at"},
		{"a span of more than 15 days", "", at(15*24*time.Hour + time.Minute), order.Defaults{ExpiresAsTimeout: true}, "invalid timeout_express"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.TimeoutExpress, e.ExpiresAt = tt.event, tt.expires
			r, err := planner(tt.defaults).Plan(e)
			if err != nil {
				if got := verdict(r, err); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				return
			}
			got := body(t, r)
			if !strings.Contains(got, tt.want) || strings.Count(got, "expire")+strings.Count(got, "timeout") > 1 {
				t.Errorf("got %s, want only %s", got, tt.want)
			}
		})
	}
}

func TestAccountsDefaults(t *testing.T) {
	d := order.Defaults{ProductCode: "JSAPI_PAY", StoreID: "NJ_001", Payees: order.Payees{"store_id": {"NJ_002"}}}
	e := event(order.ChannelTrade, order.TypeCreated)
	got := mustPlan(t, d, e).(*alipay.TradeCreate)
	e.ProductCode, e.StoreID = "FACE_TO_FACE_PAYMENT", "NJ_002"
	own := mustPlan(t, d, e).(*alipay.TradeCreate)
	if got.ProductCode != "JSAPI_PAY" || got.StoreID != "NJ_001" || own.ProductCode != "FACE_TO_FACE_PAYMENT" || own.StoreID != "NJ_002" {
		t.Errorf("default %s %s, own %s %s", got.ProductCode, got.StoreID, own.ProductCode, own.StoreID)
	}
}

func TestBusinessParamsInBothForms(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	e.BusinessParamsJSON = `{"data": "123"}`
	for asObject, want := range map[bool]string{
		false: `"business_params":"{\"data\": \"123\"}"`,
		true:  `"business_params":{"data":"123"}`,
	} {
		if got := body(t, mustPlan(t, order.Defaults{BusinessParamsObject: asObject}, e)); !strings.Contains(got, want) {
			t.Errorf("got %s, want it to hold %s", got, want)
		}
	}
}

// sentNowhere are the fields of an event that decide what is sent, or say who is meant, but
// have no place on the wire.
var sentNowhere = map[string]bool{
	"Type": true, "Account": true, "Channel": true, "Version": true, "Refunded": true,
	"Settlements.Amount": true, // must be the total, and is when it is absent
}

// richEvents are valid events that together use every field.
func richEvents() []order.Event {
	at := occurred.Add(time.Hour)
	price := cny(100)
	trade := event(order.ChannelTrade, order.TypeCreated)
	trade.Discountable, trade.Undiscountable = cny(8000), cny(888)
	trade.BuyerOpenID, trade.BuyerLogonID, trade.OpAppID, trade.OpBuyerOpenID = "open", "logon", "op", "opopen"
	trade.SellerID, trade.SubMerchantID, trade.SubMerchantType = "2088102146225136", "sub", "alipay"
	trade.OperatorID, trade.StoreID, trade.AlipayStoreID, trade.TerminalID = "Yx_001", "NJ_001", "astore", "NJ_T_001"
	trade.Body, trade.ProductCode, trade.MerchantOrderNo, trade.PassbackParams = "body", "JSAPI_PAY", "mo", "pass=1"
	trade.QueryOptions, trade.EnablePayChannels = []string{"hyb_amount"}, []string{"balance"}
	trade.Items = []order.Item{filled[order.Item]()}
	trade.Items[0].Price, trade.Items[0].ExtraJSON = price, `{"listed":1}`
	x := filled[order.ExtendParams]()
	x.IndustryRefluxInfo, x.CreditExtInfo, x.ExtraJSON = `{"a":"b"}`, `{"c":"d"}`, `{"listed":1}`
	trade.ExtendParams = &x
	trade.Settlements = []order.Settlement{{
		TransInType: "cardAliasNo", TransIn: "A0001", SummaryDimension: "dim", SettleEntityID: "ent", SettleEntityType: "Store",
		Amount: cny(8888), ActualAmount: cny(8800), ExtraJSON: `{"listed":1}`}}
	trade.SettlePeriodTime, trade.LogisticsType = "7d", "EXPRESS"
	receiver := filled[order.Receiver]()
	trade.Receiver = &receiver
	trade.BusinessParamsJSON, trade.TimeoutExpress, trade.ExtraJSON = `{"data":"123"}`, "90m", `{"listed":1}`

	expiring, forbidding := trade, trade
	expiring.ExpiresAt = &at
	forbidding.EnablePayChannels, forbidding.DisablePayChannels = nil, []string{"credit"}

	query := event(order.ChannelTrade, order.TypeQueryRequested)
	query.TradeNo, query.OrgPID, query.QueryOptions, query.ExtraJSON = "T", "2088", []string{"fund_bill_list"}, `{"listed":1}`
	sync := event(order.ChannelCredit, order.TypeSettledElsewhere)
	sync.BizType, sync.RequestNo, sync.OrigRequestNo = "CREDIT_AUTH", "HZ01", "HZ00"
	sync.OrderBizInfoJSON, sync.ExtraJSON = `{"status":"CLOSED"}`, `{"listed":1}`
	hk := event(order.ChannelHK, order.TypePaid)
	hk.Payable, hk.Discount, hk.BuyerOpenID, hk.MerchantID = hkd(10000), hkd(800), "open", "M"
	hk.Status, hk.BizType, hk.ExtInfoJSON, hk.ExtraJSON = "COOKING", "OTHER", `{"a":1}`, `{"listed":1}`
	return []order.Event{trade, expiring, forbidding, query, sync, hk, event(order.ChannelKoubei, order.TypePaid)}
}

// generous allows all that richEvents name.
func generous() order.Defaults {
	return order.Defaults{ExtraNames: []string{"listed"}, Payees: order.Payees{
		"seller_id": {"2088102146225136"}, "sub_merchant_id": {"sub"}, "org_pid": {"2088"}, "merchant_id": {"M"},
		"store_id": {"NJ_001"}, "alipay_store_id": {"astore"}, "extend_params.sys_service_provider_id": {"text2"}, "settlements.trans_in": {"A0001"}, "settlements.settle_entity_id": {"ent"},
	}}
}

// Each field is taken away from events that have it: a request must change, or be refused.
func TestEveryFieldOfAnEventReachesARequest(t *testing.T) {
	reaches := map[string]bool{} // by path: whether a request changed without it
	for _, e := range richEvents() {
		r, err := planner(generous()).Plan(e)
		if err != nil {
			t.Fatalf("%s %s: %v", e.Channel, e.Type, err)
		}
		before := body(t, r)
		forEachField(reflect.ValueOf(&e).Elem(), "", func(path string) {
			after, err := planner(generous()).Plan(e)
			reaches[path] = reaches[path] || err != nil || body(t, after) != before
		})
	}
	for path, ok := range reaches {
		if !ok && !sentNowhere[path] {
			t.Errorf("%s reaches no request", path)
		}
	}
	if len(reaches) < 85 {
		t.Errorf("only %d fields were looked at", len(reaches))
	}
}

// forEachField calls see for every field at every depth while that field is zero.
func forEachField(v reflect.Value, path string, see func(path string)) {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		old := reflect.New(field.Type()).Elem()
		old.Set(field)
		field.SetZero()
		see(path + name)
		field.Set(old)
		inside := field
		switch {
		case field.Type() == reflect.TypeFor[time.Time](), field.Type() == reflect.TypeFor[*time.Time]():
			continue
		case field.Kind() == reflect.Pointer && !field.IsNil():
			inside = field.Elem()
		case field.Kind() == reflect.Slice && field.Len() > 0:
			inside = field.Index(0)
		}
		if inside.Kind() == reflect.Struct && inside.Type() != reflect.TypeFor[alipay.Money]() {
			forEachField(inside, path+name+".", see)
		}
	}
}
