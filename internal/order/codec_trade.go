package order

import (
	"cmp"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
)

func snapshotFrom(r avro.Reader) Snapshot {
	s := Snapshot{
		EventID:       EventID(r.Text("event_id")),
		AskedBy:       cmp.Or(AskedBy(r.Text("asked_by")), AskedByUnknown),
		Method:        alipay.Method(r.Text("method")),
		ObservedAt:    r.Time("observed_at"),
		Account:       Account(r.Text("account")),
		Environment:   r.Text("environment"),
		Channel:       Channel(r.Text("channel")),
		OrderNo:       alipay.OutTradeNo(r.Text("order_no")),
		TradeNo:       alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo: alipay.KoubeiOrderNo(r.Text("koubei_order_no")),
		Status:        r.Text("status"),

		BuyerLogonID:  r.Text("buyer_logon_id"),
		BuyerUserID:   r.Text("buyer_user_id"),
		BuyerOpenID:   r.Text("buyer_open_id"),
		BuyerUserName: r.Text("buyer_user_name"),
		BuyerUserType: r.Text("buyer_user_type"),

		SellerID:            r.Text("seller_id"),
		PartnerID:           r.Text("partner_id"),
		BizProduct:          r.Text("biz_product"),
		StoreID:             r.Text("store_id"),
		StoreName:           r.Text("store_name"),
		TerminalID:          r.Text("terminal_id"),
		AlipayStoreID:       r.Text("alipay_store_id"),
		ChargeFlags:         r.Text("charge_flags"),
		SettlementID:        r.Text("settlement_id"),
		AuthTradePayMode:    r.Text("auth_trade_pay_mode"),
		CreditPayMode:       r.Text("credit_pay_mode"),
		CreditBizOrderID:    r.Text("credit_biz_order_id"),
		AdditionalStatus:    r.Text("additional_status"),
		AsyncPayApplyStatus: r.Text("async_pay_apply_status"),
		BizSettleMode:       r.Text("biz_settle_mode"),
		ReceiptCurrencyType: r.Text("receipt_currency_type"),
		PassbackParams:      r.Text("passback_params"),
		Subject:             r.Text("subject"),
		Body:                r.Text("body"),

		More:     r.TextMap("more"),
		Unparsed: r.TextMap("unparsed"),
		BodyJSON: r.Text("body_json"),
	}
	s.readAmounts(r)
	for _, in := range r.Records("fund_bill_list") {
		s.FundBills = append(s.FundBills, alipay.FundBill{
			FundChannel: in.Text("fund_channel"), Amount: ReadMoney(in, "amount"), RealAmount: ReadMoney(in, "real_amount")})
	}
	for _, in := range r.Records("item_order_vo") {
		s.Items = append(s.Items, alipay.ItemOrderLine{
			ItemOrderNo: in.Text("item_order_no"), SKUID: in.Text("sku_id"), Quantity: in.Long("quantity"),
			Price: ReadMoney(in, "price"), ExtInfo: in.Text("ext_info"), Status: in.Text("status"),
			MerchantFund: ReadMoney(in, "merchant_fund"), PlatformFund: ReadMoney(in, "platform_fund"),
		})
	}
	return s
}

func (s *Snapshot) readAmounts(r avro.Reader) {
	s.TotalAmount, s.TransCurrency = ReadMoney(r, "total_amount"), r.Text("trans_currency")
	s.SettleAmount, s.SettleCurrency = ReadMoney(r, "settle_amount"), r.Text("settle_currency")
	s.PayAmount, s.PayCurrency = ReadMoney(r, "pay_amount"), r.Text("pay_currency")
	s.SettleTransRate, s.TransPayRate = r.Text("settle_trans_rate"), r.Text("trans_pay_rate")
	s.BuyerPayAmount = ReadMoney(r, "buyer_pay_amount")
	s.PointAmount = ReadMoney(r, "point_amount")
	s.InvoiceAmount = ReadMoney(r, "invoice_amount")
	s.ReceiptAmount = ReadMoney(r, "receipt_amount")
	s.ChargeAmount = ReadMoney(r, "charge_amount")
	s.MDiscountAmount = ReadMoney(r, "mdiscount_amount")
	s.DiscountAmount = ReadMoney(r, "discount_amount")
	s.RealPayAmount = ReadMoney(r, "real_pay_amount")
	s.DeliverSellerRealAmount = ReadMoney(r, "deliver_seller_real_amount")
	s.PreAuthPayAmount = ReadMoney(r, "pre_auth_pay_amount")
	s.SendPayDate = r.OptionalTime("send_pay_date")
	s.GmtCreate = r.OptionalTime("gmt_create")
	s.GmtPayment = r.OptionalTime("gmt_payment")
	s.GmtModified = r.OptionalTime("gmt_modified")
}

func (s Snapshot) record() map[string]any {
	record := map[string]any{
		"event_id":        string(s.EventID),
		"asked_by":        string(cmp.Or(s.AskedBy, AskedByUnknown)),
		"method":          string(s.Method),
		"observed_at":     s.ObservedAt,
		"account":         string(s.Account),
		"environment":     s.Environment,
		"channel":         string(s.Channel),
		"order_no":        string(s.OrderNo),
		"trade_no":        string(s.TradeNo),
		"koubei_order_no": string(s.KoubeiOrderNo),
		"status":          s.Status,

		"buyer_logon_id":  s.BuyerLogonID,
		"buyer_user_id":   s.BuyerUserID,
		"buyer_open_id":   s.BuyerOpenID,
		"buyer_user_name": s.BuyerUserName,
		"buyer_user_type": s.BuyerUserType,

		"seller_id":              s.SellerID,
		"partner_id":             s.PartnerID,
		"biz_product":            s.BizProduct,
		"store_id":               s.StoreID,
		"store_name":             s.StoreName,
		"terminal_id":            s.TerminalID,
		"alipay_store_id":        s.AlipayStoreID,
		"charge_flags":           s.ChargeFlags,
		"settlement_id":          s.SettlementID,
		"auth_trade_pay_mode":    s.AuthTradePayMode,
		"credit_pay_mode":        s.CreditPayMode,
		"credit_biz_order_id":    s.CreditBizOrderID,
		"additional_status":      s.AdditionalStatus,
		"async_pay_apply_status": s.AsyncPayApplyStatus,
		"biz_settle_mode":        s.BizSettleMode,
		"receipt_currency_type":  s.ReceiptCurrencyType,
		"passback_params":        s.PassbackParams,
		"subject":                s.Subject,
		"body":                   s.Body,

		"more":      TextMapValue(s.More),
		"unparsed":  TextMapValue(s.Unparsed),
		"body_json": s.BodyJSON,
	}
	s.writeAmounts(record)
	s.writeLists(record)
	return record
}

func (s Snapshot) writeAmounts(record map[string]any) {
	record["total_amount"], record["trans_currency"] = MoneyValue(s.TotalAmount), s.TransCurrency
	record["settle_amount"], record["settle_currency"] = MoneyValue(s.SettleAmount), s.SettleCurrency
	record["pay_amount"], record["pay_currency"] = MoneyValue(s.PayAmount), s.PayCurrency
	record["settle_trans_rate"], record["trans_pay_rate"] = s.SettleTransRate, s.TransPayRate
	record["buyer_pay_amount"] = MoneyValue(s.BuyerPayAmount)
	record["point_amount"] = MoneyValue(s.PointAmount)
	record["invoice_amount"] = MoneyValue(s.InvoiceAmount)
	record["receipt_amount"] = MoneyValue(s.ReceiptAmount)
	record["charge_amount"] = MoneyValue(s.ChargeAmount)
	record["mdiscount_amount"] = MoneyValue(s.MDiscountAmount)
	record["discount_amount"] = MoneyValue(s.DiscountAmount)
	record["real_pay_amount"] = MoneyValue(s.RealPayAmount)
	record["deliver_seller_real_amount"] = MoneyValue(s.DeliverSellerRealAmount)
	record["pre_auth_pay_amount"] = MoneyValue(s.PreAuthPayAmount)
	record["send_pay_date"] = TimeValue(s.SendPayDate)
	record["gmt_create"] = TimeValue(s.GmtCreate)
	record["gmt_payment"] = TimeValue(s.GmtPayment)
	record["gmt_modified"] = TimeValue(s.GmtModified)
}

func (s Snapshot) writeLists(record map[string]any) {
	bills := make([]any, len(s.FundBills))
	for i, b := range s.FundBills {
		bills[i] = map[string]any{
			"fund_channel": b.FundChannel, "amount": MoneyValue(b.Amount), "real_amount": MoneyValue(b.RealAmount)}
	}
	items := make([]any, len(s.Items))
	for i, it := range s.Items {
		items[i] = map[string]any{
			"item_order_no": it.ItemOrderNo, "sku_id": it.SKUID, "quantity": it.Quantity, "price": MoneyValue(it.Price),
			"ext_info": it.ExtInfo, "status": it.Status,
			"merchant_fund": MoneyValue(it.MerchantFund), "platform_fund": MoneyValue(it.PlatformFund),
		}
	}
	record["fund_bill_list"], record["item_order_vo"] = bills, items
}

func observationFrom(r avro.Reader) Observation {
	return Observation{
		Account:           Account(r.Text("account")),
		Environment:       r.Text("environment"),
		Channel:           Channel(r.Text("channel")),
		OrderNo:           alipay.OutTradeNo(r.Text("order_no")),
		TradeNo:           alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo:     alipay.KoubeiOrderNo(r.Text("koubei_order_no")),
		Kind:              cmp.Or(ObservationKind(r.Text("kind")), ObservedUnknown),
		CauseID:           r.Text("cause_id"),
		Method:            alipay.Method(r.Text("method")),
		Outcome:           CallOutcome(r.Text("outcome")),
		AlipayStatus:      r.Text("alipay_status"),
		SentStatus:        r.Text("sent_status"),
		SentStatusAt:      r.OptionalTime("sent_status_at"),
		OrderVersion:      r.Long("order_version"),
		Total:             ReadMoney(r, "total"),
		Paid:              ReadMoney(r, "paid"),
		Received:          ReadMoney(r, "received"),
		Refunded:          ReadMoney(r, "refunded"),
		SellerID:          r.Text("seller_id"),
		CreditPayMode:     r.Text("credit_pay_mode"),
		PaidAt:            r.OptionalTime("paid_at"),
		RefundedAt:        r.OptionalTime("refunded_at"),
		ClosedAt:          r.OptionalTime("closed_at"),
		ObservedAt:        r.Time("observed_at"),
		CreateEventID:     EventID(r.Text("create_event_id")),
		CreateTraceparent: r.Text("create_traceparent"),
		Late:              r.Bool("late"),
		Version:           r.Long("version"),
	}
}

func (o Observation) record() map[string]any {
	return map[string]any{
		"account":            string(o.Account),
		"environment":        o.Environment,
		"channel":            string(o.Channel),
		"order_no":           string(o.OrderNo),
		"trade_no":           string(o.TradeNo),
		"koubei_order_no":    string(o.KoubeiOrderNo),
		"kind":               string(cmp.Or(o.Kind, ObservedUnknown)),
		"cause_id":           o.CauseID,
		"method":             string(o.Method),
		"outcome":            string(o.Outcome),
		"alipay_status":      o.AlipayStatus,
		"sent_status":        o.SentStatus,
		"sent_status_at":     TimeValue(o.SentStatusAt),
		"order_version":      o.OrderVersion,
		"total":              MoneyValue(o.Total),
		"paid":               MoneyValue(o.Paid),
		"received":           MoneyValue(o.Received),
		"refunded":           MoneyValue(o.Refunded),
		"seller_id":          o.SellerID,
		"credit_pay_mode":    o.CreditPayMode,
		"paid_at":            TimeValue(o.PaidAt),
		"refunded_at":        TimeValue(o.RefundedAt),
		"closed_at":          TimeValue(o.ClosedAt),
		"observed_at":        o.ObservedAt,
		"create_event_id":    string(o.CreateEventID),
		"create_traceparent": o.CreateTraceparent,
		"late":               o.Late,
		"version":            o.Version,
	}
}

// ReadMoney reads an amount; nil: there is none.
func ReadMoney(r avro.Reader, name string) *alipay.Money {
	m, ok := r.Record(name)
	if !ok {
		return nil
	}
	return &alipay.Money{Minor: m.Long("minor"), Currency: m.Text("currency")}
}

// MoneyValue is an amount as records hold it.
func MoneyValue(m *alipay.Money) any {
	if m == nil {
		return nil
	}
	return map[string]any{"minor": m.Minor, "currency": m.Currency}
}

// TimeValue is a time that may be absent, as records hold it.
func TimeValue(t *time.Time) any {
	if t == nil {
		return nil
	}
	return *t
}

// TextsValue is a list of strings, as records hold it.
func TextsValue(texts []string) any {
	list := make([]any, len(texts))
	for i, s := range texts {
		list[i] = s
	}
	return list
}

// TextMapValue is a map of strings, as records hold it.
func TextMapValue(texts map[string]string) any {
	m := make(map[string]any, len(texts))
	for k, v := range texts {
		m[k] = v
	}
	return m
}
