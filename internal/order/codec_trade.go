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
			FundChannel: in.Text("fund_channel"), Amount: readMoney(in, "amount"), RealAmount: readMoney(in, "real_amount")})
	}
	for _, in := range r.Records("item_order_vo") {
		s.Items = append(s.Items, alipay.ItemOrderLine{
			ItemOrderNo: in.Text("item_order_no"), SKUID: in.Text("sku_id"), Quantity: in.Long("quantity"),
			Price: readMoney(in, "price"), ExtInfo: in.Text("ext_info"), Status: in.Text("status"),
			MerchantFund: readMoney(in, "merchant_fund"), PlatformFund: readMoney(in, "platform_fund"),
		})
	}
	return s
}

func (s *Snapshot) readAmounts(r avro.Reader) {
	s.TotalAmount, s.TransCurrency = readMoney(r, "total_amount"), r.Text("trans_currency")
	s.SettleAmount, s.SettleCurrency = readMoney(r, "settle_amount"), r.Text("settle_currency")
	s.PayAmount, s.PayCurrency = readMoney(r, "pay_amount"), r.Text("pay_currency")
	s.SettleTransRate, s.TransPayRate = r.Text("settle_trans_rate"), r.Text("trans_pay_rate")
	s.BuyerPayAmount = readMoney(r, "buyer_pay_amount")
	s.PointAmount = readMoney(r, "point_amount")
	s.InvoiceAmount = readMoney(r, "invoice_amount")
	s.ReceiptAmount = readMoney(r, "receipt_amount")
	s.ChargeAmount = readMoney(r, "charge_amount")
	s.MDiscountAmount = readMoney(r, "mdiscount_amount")
	s.DiscountAmount = readMoney(r, "discount_amount")
	s.RealPayAmount = readMoney(r, "real_pay_amount")
	s.DeliverSellerRealAmount = readMoney(r, "deliver_seller_real_amount")
	s.PreAuthPayAmount = readMoney(r, "pre_auth_pay_amount")
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

		"more":      textMapValue(s.More),
		"unparsed":  textMapValue(s.Unparsed),
		"body_json": s.BodyJSON,
	}
	s.writeAmounts(record)
	s.writeLists(record)
	return record
}

func (s Snapshot) writeAmounts(record map[string]any) {
	record["total_amount"], record["trans_currency"] = moneyValue(s.TotalAmount), s.TransCurrency
	record["settle_amount"], record["settle_currency"] = moneyValue(s.SettleAmount), s.SettleCurrency
	record["pay_amount"], record["pay_currency"] = moneyValue(s.PayAmount), s.PayCurrency
	record["settle_trans_rate"], record["trans_pay_rate"] = s.SettleTransRate, s.TransPayRate
	record["buyer_pay_amount"] = moneyValue(s.BuyerPayAmount)
	record["point_amount"] = moneyValue(s.PointAmount)
	record["invoice_amount"] = moneyValue(s.InvoiceAmount)
	record["receipt_amount"] = moneyValue(s.ReceiptAmount)
	record["charge_amount"] = moneyValue(s.ChargeAmount)
	record["mdiscount_amount"] = moneyValue(s.MDiscountAmount)
	record["discount_amount"] = moneyValue(s.DiscountAmount)
	record["real_pay_amount"] = moneyValue(s.RealPayAmount)
	record["deliver_seller_real_amount"] = moneyValue(s.DeliverSellerRealAmount)
	record["pre_auth_pay_amount"] = moneyValue(s.PreAuthPayAmount)
	record["send_pay_date"] = timeValue(s.SendPayDate)
	record["gmt_create"] = timeValue(s.GmtCreate)
	record["gmt_payment"] = timeValue(s.GmtPayment)
	record["gmt_modified"] = timeValue(s.GmtModified)
}

func (s Snapshot) writeLists(record map[string]any) {
	bills := make([]any, len(s.FundBills))
	for i, b := range s.FundBills {
		bills[i] = map[string]any{
			"fund_channel": b.FundChannel, "amount": moneyValue(b.Amount), "real_amount": moneyValue(b.RealAmount)}
	}
	items := make([]any, len(s.Items))
	for i, it := range s.Items {
		items[i] = map[string]any{
			"item_order_no": it.ItemOrderNo, "sku_id": it.SKUID, "quantity": it.Quantity, "price": moneyValue(it.Price),
			"ext_info": it.ExtInfo, "status": it.Status,
			"merchant_fund": moneyValue(it.MerchantFund), "platform_fund": moneyValue(it.PlatformFund),
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
		Total:             readMoney(r, "total"),
		Paid:              readMoney(r, "paid"),
		Received:          readMoney(r, "received"),
		Refunded:          readMoney(r, "refunded"),
		SellerID:          r.Text("seller_id"),
		CreditPayMode:     r.Text("credit_pay_mode"),
		PaidAt:            r.OptionalTime("paid_at"),
		RefundedAt:        r.OptionalTime("refunded_at"),
		ClosedAt:          r.OptionalTime("closed_at"),
		ObservedAt:        r.Time("observed_at"),
		CreateEventID:     EventID(r.Text("create_event_id")),
		CreateTraceparent: r.Text("create_traceparent"),
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
		"sent_status_at":     timeValue(o.SentStatusAt),
		"order_version":      o.OrderVersion,
		"total":              moneyValue(o.Total),
		"paid":               moneyValue(o.Paid),
		"received":           moneyValue(o.Received),
		"refunded":           moneyValue(o.Refunded),
		"seller_id":          o.SellerID,
		"credit_pay_mode":    o.CreditPayMode,
		"paid_at":            timeValue(o.PaidAt),
		"refunded_at":        timeValue(o.RefundedAt),
		"closed_at":          timeValue(o.ClosedAt),
		"observed_at":        o.ObservedAt,
		"create_event_id":    string(o.CreateEventID),
		"create_traceparent": o.CreateTraceparent,
	}
}

func readMoney(r avro.Reader, name string) *alipay.Money {
	m, ok := r.Record(name)
	if !ok {
		return nil
	}
	return &alipay.Money{Minor: m.Long("minor"), Currency: m.Text("currency")}
}

func moneyValue(m *alipay.Money) any {
	if m == nil {
		return nil
	}
	return map[string]any{"minor": m.Minor, "currency": m.Currency}
}

func timeValue(t *time.Time) any {
	if t == nil {
		return nil
	}
	return *t
}

func textsValue(texts []string) any {
	list := make([]any, len(texts))
	for i, s := range texts {
		list[i] = s
	}
	return list
}

func textMapValue(texts map[string]string) any {
	m := make(map[string]any, len(texts))
	for k, v := range texts {
		m[k] = v
	}
	return m
}
