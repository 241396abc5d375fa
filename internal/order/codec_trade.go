package order

import (
	"cmp"

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

func (s Snapshot) write(w *avro.Writer) {
	w.Text("event_id", string(s.EventID))
	w.Text("asked_by", string(cmp.Or(s.AskedBy, AskedByUnknown)))
	w.Text("method", string(s.Method))
	w.Time("observed_at", s.ObservedAt)
	w.Text("account", string(s.Account))
	w.Text("environment", s.Environment)
	w.Text("channel", string(s.Channel))
	w.Text("order_no", string(s.OrderNo))
	w.Text("trade_no", string(s.TradeNo))
	w.Text("koubei_order_no", string(s.KoubeiOrderNo))
	w.Text("status", s.Status)
	WriteMoney(w, "total_amount", s.TotalAmount)
	w.Text("trans_currency", s.TransCurrency)
	w.Text("settle_currency", s.SettleCurrency)
	WriteMoney(w, "settle_amount", s.SettleAmount)
	w.Text("pay_currency", s.PayCurrency)
	WriteMoney(w, "pay_amount", s.PayAmount)
	w.Text("settle_trans_rate", s.SettleTransRate)
	w.Text("trans_pay_rate", s.TransPayRate)
	WriteMoney(w, "buyer_pay_amount", s.BuyerPayAmount)
	WriteMoney(w, "point_amount", s.PointAmount)
	WriteMoney(w, "invoice_amount", s.InvoiceAmount)
	WriteMoney(w, "receipt_amount", s.ReceiptAmount)
	WriteMoney(w, "charge_amount", s.ChargeAmount)
	WriteMoney(w, "mdiscount_amount", s.MDiscountAmount)
	WriteMoney(w, "discount_amount", s.DiscountAmount)
	WriteMoney(w, "real_pay_amount", s.RealPayAmount)
	WriteMoney(w, "deliver_seller_real_amount", s.DeliverSellerRealAmount)
	WriteMoney(w, "pre_auth_pay_amount", s.PreAuthPayAmount)
	w.OptionalTime("send_pay_date", s.SendPayDate)
	w.OptionalTime("gmt_create", s.GmtCreate)
	w.OptionalTime("gmt_payment", s.GmtPayment)
	w.OptionalTime("gmt_modified", s.GmtModified)
	w.Records("fund_bill_list", len(s.FundBills), func(i int, bill *avro.Writer) {
		b := s.FundBills[i]
		bill.Text("fund_channel", b.FundChannel)
		WriteMoney(bill, "amount", b.Amount)
		WriteMoney(bill, "real_amount", b.RealAmount)
	})
	w.Records("item_order_vo", len(s.Items), func(i int, item *avro.Writer) {
		it := s.Items[i]
		item.Text("item_order_no", it.ItemOrderNo)
		item.Text("sku_id", it.SKUID)
		item.Long("quantity", it.Quantity)
		WriteMoney(item, "price", it.Price)
		item.Text("ext_info", it.ExtInfo)
		item.Text("status", it.Status)
		WriteMoney(item, "merchant_fund", it.MerchantFund)
		WriteMoney(item, "platform_fund", it.PlatformFund)
	})
	w.Text("buyer_logon_id", s.BuyerLogonID)
	w.Text("buyer_user_id", s.BuyerUserID)
	w.Text("buyer_open_id", s.BuyerOpenID)
	w.Text("buyer_user_name", s.BuyerUserName)
	w.Text("buyer_user_type", s.BuyerUserType)
	w.Text("seller_id", s.SellerID)
	w.Text("partner_id", s.PartnerID)
	w.Text("biz_product", s.BizProduct)
	w.Text("store_id", s.StoreID)
	w.Text("store_name", s.StoreName)
	w.Text("terminal_id", s.TerminalID)
	w.Text("alipay_store_id", s.AlipayStoreID)
	w.Text("charge_flags", s.ChargeFlags)
	w.Text("settlement_id", s.SettlementID)
	w.Text("auth_trade_pay_mode", s.AuthTradePayMode)
	w.Text("credit_pay_mode", s.CreditPayMode)
	w.Text("credit_biz_order_id", s.CreditBizOrderID)
	w.Text("additional_status", s.AdditionalStatus)
	w.Text("async_pay_apply_status", s.AsyncPayApplyStatus)
	w.Text("biz_settle_mode", s.BizSettleMode)
	w.Text("receipt_currency_type", s.ReceiptCurrencyType)
	w.Text("passback_params", s.PassbackParams)
	w.Text("subject", s.Subject)
	w.Text("body", s.Body)
	w.TextMap("more", s.More)
	w.TextMap("unparsed", s.Unparsed)
	w.Text("body_json", s.BodyJSON)
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

func (o Observation) write(w *avro.Writer) {
	w.Text("account", string(o.Account))
	w.Text("environment", o.Environment)
	w.Text("channel", string(o.Channel))
	w.Text("order_no", string(o.OrderNo))
	w.Text("trade_no", string(o.TradeNo))
	w.Text("koubei_order_no", string(o.KoubeiOrderNo))
	w.Text("kind", string(cmp.Or(o.Kind, ObservedUnknown)))
	w.Text("cause_id", o.CauseID)
	w.Text("method", string(o.Method))
	w.Text("outcome", string(o.Outcome))
	w.Text("alipay_status", o.AlipayStatus)
	w.Text("sent_status", o.SentStatus)
	w.OptionalTime("sent_status_at", o.SentStatusAt)
	w.Long("order_version", o.OrderVersion)
	WriteMoney(w, "total", o.Total)
	WriteMoney(w, "paid", o.Paid)
	WriteMoney(w, "received", o.Received)
	WriteMoney(w, "refunded", o.Refunded)
	w.Text("seller_id", o.SellerID)
	w.Text("credit_pay_mode", o.CreditPayMode)
	w.OptionalTime("paid_at", o.PaidAt)
	w.OptionalTime("refunded_at", o.RefundedAt)
	w.OptionalTime("closed_at", o.ClosedAt)
	w.Time("observed_at", o.ObservedAt)
	w.Text("create_event_id", string(o.CreateEventID))
	w.Text("create_traceparent", o.CreateTraceparent)
	w.Bool("late", o.Late)
	w.Long("version", o.Version)
}

// ReadMoney reads an amount; nil: there is none.
func ReadMoney(r avro.Reader, name string) *alipay.Money {
	m, ok := r.Record(name)
	if !ok {
		return nil
	}
	return &alipay.Money{Minor: m.Long("minor"), Currency: m.Text("currency")}
}

// WriteMoney writes an amount; nil: there is none.
func WriteMoney(w *avro.Writer, name string, m *alipay.Money) {
	if m == nil {
		w.Null(name)
		return
	}
	w.Record(name, func(in *avro.Writer) {
		in.Long("minor", m.Minor)
		in.Text("currency", m.Currency)
	})
}
