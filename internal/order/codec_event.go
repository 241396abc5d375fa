package order

import (
	"cmp"
	"slices"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
)

// eventFrom reads an OrderEvent. A symbol that this version does not know is UNKNOWN.
func eventFrom(r avro.Reader) Event {
	e := Event{
		ID:         EventID(r.Text("event_id")),
		Type:       EventType(r.Text("event_type")),
		OccurredAt: r.Time("occurred_at"),
		OrderNo:    alipay.OutTradeNo(r.Text("order_no")),
		Account:    Account(r.Text("account")),
		Channel:    cmp.Or(Channel(r.Text("channel")), ChannelAccount),
		Version:    r.Long("order_version"),

		TradeNo:       alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo: alipay.KoubeiOrderNo(r.Text("koubei_order_no")),

		Total:          ReadMoney(r, "total"),
		Discountable:   ReadMoney(r, "discountable"),
		Undiscountable: ReadMoney(r, "undiscountable"),
		Discount:       ReadMoney(r, "discount"),
		Payable:        ReadMoney(r, "payable"),
		Refunded:       ReadMoney(r, "refunded"),

		BuyerUserID:   r.Text("buyer_user_id"),
		BuyerOpenID:   r.Text("buyer_open_id"),
		BuyerLogonID:  r.Text("buyer_logon_id"),
		OpAppID:       r.Text("op_app_id"),
		OpBuyerOpenID: r.Text("op_buyer_open_id"),

		SellerID:        r.Text("seller_id"),
		MerchantID:      r.Text("merchant_id"),
		SubMerchantID:   r.Text("sub_merchant_id"),
		SubMerchantType: r.Text("sub_merchant_type"),
		OrgPID:          r.Text("org_pid"),
		OperatorID:      r.Text("operator_id"),
		StoreID:         r.Text("store_id"),
		AlipayStoreID:   r.Text("alipay_store_id"),
		TerminalID:      r.Text("terminal_id"),

		Subject:            r.Text("subject"),
		Body:               r.Text("body"),
		ProductCode:        r.Text("product_code"),
		MerchantOrderNo:    r.Text("merchant_order_no"),
		PassbackParams:     r.Text("passback_params"),
		QueryOptions:       r.Texts("query_options"),
		EnablePayChannels:  r.Texts("enable_pay_channels"),
		DisablePayChannels: r.Texts("disable_pay_channels"),
		SettlePeriodTime:   r.Text("settle_period_time"),
		LogisticsType:      r.Text("logistics_type"),
		BusinessParamsJSON: r.Text("business_params_json"),

		TimeoutExpress: r.Text("timeout_express"),
		ExpiresAt:      r.OptionalTime("expires_at"),
		OrderCreatedAt: r.OptionalTime("order_created_at"),

		Status:           r.Text("status"),
		BizType:          r.Text("biz_type"),
		RequestNo:        alipay.RequestNo(r.Text("request_no")),
		OrigRequestNo:    alipay.RequestNo(r.Text("orig_request_no")),
		OrderBizInfoJSON: r.Text("order_biz_info_json"),
		ExtInfoJSON:      r.Text("ext_info_json"),
		ExtraJSON:        r.Text("extra_json"),
	}
	if !slices.Contains(EventTypes(), e.Type) {
		e.Type = TypeUnknown
	}
	if !slices.Contains(Channels(), e.Channel) {
		e.Channel = ChannelUnknown
	}
	readNested(r, &e)
	return e
}

func readNested(r avro.Reader, e *Event) {
	for _, in := range r.Records("items") {
		e.Items = append(e.Items, itemFrom(in))
	}
	for _, in := range r.Records("settlements") {
		e.Settlements = append(e.Settlements, Settlement{
			TransInType:      in.Text("trans_in_type"),
			TransIn:          in.Text("trans_in"),
			SummaryDimension: in.Text("summary_dimension"),
			SettleEntityID:   in.Text("settle_entity_id"),
			SettleEntityType: in.Text("settle_entity_type"),
			Amount:           ReadMoney(in, "amount"),
			ActualAmount:     ReadMoney(in, "actual_amount"),
			ExtraJSON:        in.Text("extra_json"),
		})
	}
	if in, ok := r.Record("extend_params"); ok {
		e.ExtendParams = &ExtendParams{
			SysServiceProviderID:  in.Text("sys_service_provider_id"),
			IndustryRefluxInfo:    in.Text("industry_reflux_info"),
			CardType:              in.Text("card_type"),
			HbFqNum:               in.Text("hb_fq_num"),
			HbFqSellerPercent:     in.Text("hb_fq_seller_percent"),
			RoyaltyFreeze:         in.Text("royalty_freeze"),
			SpecifiedSellerName:   in.Text("specified_seller_name"),
			CreditExtInfo:         in.Text("credit_ext_info"),
			TcInstallmentOrderID:  in.Text("tc_installment_order_id"),
			TradeComponentOrderID: in.Text("trade_component_order_id"),
			ExtraJSON:             in.Text("extra_json"),
		}
	}
	if in, ok := r.Record("receiver"); ok {
		e.Receiver = &Receiver{
			Name:         in.Text("name"),
			Address:      in.Text("address"),
			Mobile:       in.Text("mobile"),
			Zip:          in.Text("zip"),
			DivisionCode: in.Text("division_code"),
		}
	}
}

func itemFrom(r avro.Reader) Item {
	it := Item{
		GoodsID:        r.Text("goods_id"),
		Name:           r.Text("name"),
		Quantity:       1, // the schema's default
		Price:          ReadMoney(r, "price"),
		Category:       r.Text("category"),
		CategoriesTree: r.Text("categories_tree"),
		Body:           r.Text("body"),
		ShowURL:        r.Text("show_url"),
		AlipayGoodsID:  r.Text("alipay_goods_id"),
		OutItemID:      r.Text("out_item_id"),
		OutSKUID:       r.Text("out_sku_id"),
		GoodsEANID:     r.Text("goods_ean_id"),
		ExtraJSON:      r.Text("extra_json"),
	}
	if r.Has("quantity") {
		it.Quantity = r.Long("quantity")
	}
	return it
}

func (e Event) write(w *avro.Writer) {
	w.Text("event_id", string(e.ID))
	w.Text("event_type", string(cmp.Or(e.Type, TypeUnknown)))
	w.Time("occurred_at", e.OccurredAt)
	w.Text("order_no", string(e.OrderNo))
	w.Text("account", string(e.Account))
	w.Text("channel", string(cmp.Or(e.Channel, ChannelAccount)))
	w.Long("order_version", e.Version)
	w.Text("trade_no", string(e.TradeNo))
	w.Text("koubei_order_no", string(e.KoubeiOrderNo))
	WriteMoney(w, "total", e.Total)
	WriteMoney(w, "discountable", e.Discountable)
	WriteMoney(w, "undiscountable", e.Undiscountable)
	WriteMoney(w, "discount", e.Discount)
	WriteMoney(w, "payable", e.Payable)
	WriteMoney(w, "refunded", e.Refunded)
	w.Text("buyer_user_id", e.BuyerUserID)
	w.Text("buyer_open_id", e.BuyerOpenID)
	w.Text("buyer_logon_id", e.BuyerLogonID)
	w.Text("op_app_id", e.OpAppID)
	w.Text("op_buyer_open_id", e.OpBuyerOpenID)
	w.Text("seller_id", e.SellerID)
	w.Text("merchant_id", e.MerchantID)
	w.Text("sub_merchant_id", e.SubMerchantID)
	w.Text("sub_merchant_type", e.SubMerchantType)
	w.Text("org_pid", e.OrgPID)
	w.Text("operator_id", e.OperatorID)
	w.Text("store_id", e.StoreID)
	w.Text("alipay_store_id", e.AlipayStoreID)
	w.Text("terminal_id", e.TerminalID)
	w.Text("subject", e.Subject)
	w.Text("body", e.Body)
	w.Text("product_code", e.ProductCode)
	w.Text("merchant_order_no", e.MerchantOrderNo)
	w.Text("passback_params", e.PassbackParams)
	w.Texts("query_options", e.QueryOptions)
	w.Texts("enable_pay_channels", e.EnablePayChannels)
	w.Texts("disable_pay_channels", e.DisablePayChannels)
	w.Records("items", len(e.Items), func(i int, item *avro.Writer) { e.Items[i].write(item) })
	if e.ExtendParams == nil {
		w.Null("extend_params")
	} else {
		w.Record("extend_params", e.ExtendParams.write)
	}
	w.Records("settlements", len(e.Settlements), func(i int, settlement *avro.Writer) { e.Settlements[i].write(settlement) })
	w.Text("settle_period_time", e.SettlePeriodTime)
	w.Text("logistics_type", e.LogisticsType)
	if e.Receiver == nil {
		w.Null("receiver")
	} else {
		w.Record("receiver", e.Receiver.write)
	}
	w.Text("business_params_json", e.BusinessParamsJSON)
	w.Text("timeout_express", e.TimeoutExpress)
	w.OptionalTime("expires_at", e.ExpiresAt)
	w.OptionalTime("order_created_at", e.OrderCreatedAt)
	w.Text("status", e.Status)
	w.Text("biz_type", e.BizType)
	w.Text("request_no", string(e.RequestNo))
	w.Text("orig_request_no", string(e.OrigRequestNo))
	w.Text("order_biz_info_json", e.OrderBizInfoJSON)
	w.Text("ext_info_json", e.ExtInfoJSON)
	w.Text("extra_json", e.ExtraJSON)
}

func (x *ExtendParams) write(w *avro.Writer) {
	w.Text("sys_service_provider_id", x.SysServiceProviderID)
	w.Text("industry_reflux_info", x.IndustryRefluxInfo)
	w.Text("card_type", x.CardType)
	w.Text("hb_fq_num", x.HbFqNum)
	w.Text("hb_fq_seller_percent", x.HbFqSellerPercent)
	w.Text("royalty_freeze", x.RoyaltyFreeze)
	w.Text("specified_seller_name", x.SpecifiedSellerName)
	w.Text("credit_ext_info", x.CreditExtInfo)
	w.Text("tc_installment_order_id", x.TcInstallmentOrderID)
	w.Text("trade_component_order_id", x.TradeComponentOrderID)
	w.Text("extra_json", x.ExtraJSON)
}

func (a *Receiver) write(w *avro.Writer) {
	w.Text("name", a.Name)
	w.Text("address", a.Address)
	w.Text("mobile", a.Mobile)
	w.Text("zip", a.Zip)
	w.Text("division_code", a.DivisionCode)
}

func (s Settlement) write(w *avro.Writer) {
	w.Text("trans_in_type", s.TransInType)
	w.Text("trans_in", s.TransIn)
	w.Text("summary_dimension", s.SummaryDimension)
	w.Text("settle_entity_id", s.SettleEntityID)
	w.Text("settle_entity_type", s.SettleEntityType)
	WriteMoney(w, "amount", s.Amount)
	WriteMoney(w, "actual_amount", s.ActualAmount)
	w.Text("extra_json", s.ExtraJSON)
}

func (it Item) write(w *avro.Writer) {
	w.Text("goods_id", it.GoodsID)
	w.Text("name", it.Name)
	w.Long("quantity", it.Quantity)
	WriteMoney(w, "price", it.Price)
	w.Text("category", it.Category)
	w.Text("categories_tree", it.CategoriesTree)
	w.Text("body", it.Body)
	w.Text("show_url", it.ShowURL)
	w.Text("alipay_goods_id", it.AlipayGoodsID)
	w.Text("out_item_id", it.OutItemID)
	w.Text("out_sku_id", it.OutSKUID)
	w.Text("goods_ean_id", it.GoodsEANID)
	w.Text("extra_json", it.ExtraJSON)
}
