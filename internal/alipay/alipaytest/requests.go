package alipaytest

import (
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// The plainest request of each method.
func Create() *alipay.TradeCreate {
	return &alipay.TradeCreate{
		OutTradeNo: "ORD_1", TotalAmount: alipay.Money{Minor: 8888, Currency: "CNY"},
		Subject: "Iphone6 16G", BuyerID: "2088102146225135",
	}
}

func Query() *alipay.TradeQuery { return &alipay.TradeQuery{OutTradeNo: "ORD_1"} }

func OrderInfoSync() *alipay.OrderInfoSync {
	return &alipay.OrderInfoSync{
		TradeNo: "2018061021001004680073956707", OutRequestNo: "HZ01RF001", BizType: "CREDIT_AUTH",
		OrderBizInfo: `{"status":"COMPLETE"}`,
	}
}

func ItemOrderQuery() *alipay.ItemOrderQuery {
	return &alipay.ItemOrderQuery{OrderNo: "20170427000000001000000001"}
}

func HKOrderSync() *alipay.HKOrderSync {
	return &alipay.HKOrderSync{
		RequestID: "d1c221e159934162bdbff06f33389472", TradeNo: "2024052222001412345678901234",
		MerchantBizNo: "20240522000001", MerchantBizType: "TRADE_ORDER", OrderStatus: "PAID",
		CreateTime: time.UnixMilli(1716340300000), ModifyTime: time.UnixMilli(1716340341000),
		UserID: "2160120051483575",
	}
}

// Classic are the four requests of the classic gateway.
func Classic() []alipay.Request {
	return []alipay.Request{Create(), Query(), OrderInfoSync(), ItemOrderQuery()}
}

// FullCreate has every field, so that its content names every typed member.
func FullCreate() *alipay.TradeCreate {
	money := func(fen int64) *alipay.Money { return &alipay.Money{Minor: fen, Currency: "CNY"} }
	at := time.Unix(1800000000, 0)
	r := Create()
	r.SellerID, r.DiscountableAmount, r.UndiscountableAmount = "2088102146225136", money(888), money(8000)
	r.Body, r.BuyerOpenID, r.BuyerLogonID, r.OpAppID, r.OpBuyerOpenID = "b", "o", "l", "a", "p"
	r.GoodsDetail = []alipay.GoodsDetail{{
		GoodsID: "g", GoodsName: "n", Quantity: 1, Price: money(1), GoodsCategory: "c", CategoriesTree: "t", Body: "b",
		ShowURL: "http://x", AlipayGoodsID: "a", OutItemID: "i", OutSKUID: "s", GoodsEANID: "e",
	}}
	r.OperatorID, r.StoreID, r.AlipayStoreID, r.TerminalID = "o", "s", "a", "t"
	r.ExtendParams = &alipay.ExtendParams{
		SysServiceProviderID: "s", IndustryRefluxInfo: "{}", CardType: "c", HbFqNum: "3", HbFqSellerPercent: "0", RoyaltyFreeze: "true",
		SpecifiedSellerName: "n", CreditExtInfo: "{}", TcInstallmentOrderID: "t", TradeComponentOrderID: "c",
	}
	r.TimeoutExpress, r.TimeExpire = "90m", &at
	r.SettleInfo = &alipay.SettleInfo{SettlePeriodTime: "7d", Details: []alipay.SettleDetail{{
		TransInType: "cardSerialNo", TransIn: "A", SummaryDimension: "A", SettleEntityID: "1", SettleEntityType: "Store",
		Amount: money(8888), ActualAmount: money(8888),
	}}}
	r.MerchantType, r.SubMerchant = "alipay", &alipay.SubMerchant{MerchantID: "m", MerchantType: "alipay"}
	r.LogisticsType, r.BusinessParams = "EXPRESS", `{"data":"123"}`
	r.ReceiverAddressInfo = &alipay.ReceiverAddressInfo{Name: "n", Address: "a", Mobile: "m", Zip: "z", DivisionCode: "d"}
	r.ProductCode, r.MerchantOrderNo, r.PassbackParams = "JSAPI_PAY", "m", "a b"
	r.QueryOptions, r.EnablePayChannels = []string{"hyb_amount"}, []string{"pcredit"}
	return r
}
