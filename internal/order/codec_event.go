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

func (e Event) record() map[string]any {
	record := map[string]any{
		"event_id":      string(e.ID),
		"event_type":    string(cmp.Or(e.Type, TypeUnknown)),
		"occurred_at":   e.OccurredAt,
		"order_no":      string(e.OrderNo),
		"account":       string(e.Account),
		"channel":       string(cmp.Or(e.Channel, ChannelAccount)),
		"order_version": e.Version,

		"trade_no":        string(e.TradeNo),
		"koubei_order_no": string(e.KoubeiOrderNo),

		"total":          MoneyValue(e.Total),
		"discountable":   MoneyValue(e.Discountable),
		"undiscountable": MoneyValue(e.Undiscountable),
		"discount":       MoneyValue(e.Discount),
		"payable":        MoneyValue(e.Payable),
		"refunded":       MoneyValue(e.Refunded),

		"buyer_user_id":    e.BuyerUserID,
		"buyer_open_id":    e.BuyerOpenID,
		"buyer_logon_id":   e.BuyerLogonID,
		"op_app_id":        e.OpAppID,
		"op_buyer_open_id": e.OpBuyerOpenID,

		"seller_id":         e.SellerID,
		"merchant_id":       e.MerchantID,
		"sub_merchant_id":   e.SubMerchantID,
		"sub_merchant_type": e.SubMerchantType,
		"org_pid":           e.OrgPID,
		"operator_id":       e.OperatorID,
		"store_id":          e.StoreID,
		"alipay_store_id":   e.AlipayStoreID,
		"terminal_id":       e.TerminalID,

		"subject":              e.Subject,
		"body":                 e.Body,
		"product_code":         e.ProductCode,
		"merchant_order_no":    e.MerchantOrderNo,
		"passback_params":      e.PassbackParams,
		"query_options":        TextsValue(e.QueryOptions),
		"enable_pay_channels":  TextsValue(e.EnablePayChannels),
		"disable_pay_channels": TextsValue(e.DisablePayChannels),
		"settle_period_time":   e.SettlePeriodTime,
		"logistics_type":       e.LogisticsType,
		"business_params_json": e.BusinessParamsJSON,

		"timeout_express":  e.TimeoutExpress,
		"expires_at":       TimeValue(e.ExpiresAt),
		"order_created_at": TimeValue(e.OrderCreatedAt),

		"status":              e.Status,
		"biz_type":            e.BizType,
		"request_no":          string(e.RequestNo),
		"orig_request_no":     string(e.OrigRequestNo),
		"order_biz_info_json": e.OrderBizInfoJSON,
		"ext_info_json":       e.ExtInfoJSON,
		"extra_json":          e.ExtraJSON,
	}
	e.writeNested(record)
	return record
}

func (e Event) writeNested(record map[string]any) {
	items := make([]any, len(e.Items))
	for i, it := range e.Items {
		items[i] = it.record()
	}
	settlements := make([]any, len(e.Settlements))
	for i, s := range e.Settlements {
		settlements[i] = map[string]any{
			"trans_in_type":      s.TransInType,
			"trans_in":           s.TransIn,
			"summary_dimension":  s.SummaryDimension,
			"settle_entity_id":   s.SettleEntityID,
			"settle_entity_type": s.SettleEntityType,
			"amount":             MoneyValue(s.Amount),
			"actual_amount":      MoneyValue(s.ActualAmount),
			"extra_json":         s.ExtraJSON,
		}
	}
	record["items"], record["settlements"] = items, settlements
	if x := e.ExtendParams; x != nil {
		record["extend_params"] = map[string]any{
			"sys_service_provider_id":  x.SysServiceProviderID,
			"industry_reflux_info":     x.IndustryRefluxInfo,
			"card_type":                x.CardType,
			"hb_fq_num":                x.HbFqNum,
			"hb_fq_seller_percent":     x.HbFqSellerPercent,
			"royalty_freeze":           x.RoyaltyFreeze,
			"specified_seller_name":    x.SpecifiedSellerName,
			"credit_ext_info":          x.CreditExtInfo,
			"tc_installment_order_id":  x.TcInstallmentOrderID,
			"trade_component_order_id": x.TradeComponentOrderID,
			"extra_json":               x.ExtraJSON,
		}
	}
	if a := e.Receiver; a != nil {
		record["receiver"] = map[string]any{
			"name": a.Name, "address": a.Address, "mobile": a.Mobile, "zip": a.Zip, "division_code": a.DivisionCode,
		}
	}
}

func (it Item) record() map[string]any {
	return map[string]any{
		"goods_id":        it.GoodsID,
		"name":            it.Name,
		"quantity":        it.Quantity,
		"price":           MoneyValue(it.Price),
		"category":        it.Category,
		"categories_tree": it.CategoriesTree,
		"body":            it.Body,
		"show_url":        it.ShowURL,
		"alipay_goods_id": it.AlipayGoodsID,
		"out_item_id":     it.OutItemID,
		"out_sku_id":      it.OutSKUID,
		"goods_ean_id":    it.GoodsEANID,
		"extra_json":      it.ExtraJSON,
	}
}
