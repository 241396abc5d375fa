package order

import (
	"cmp"

	"alipay-kafka-bridge/internal/alipay"
)

func (p *Planner) create(e Event) (alipay.Request, error) {
	if e.Total == nil {
		return nil, invalid("total", "is missing")
	}
	if e.ExpiresAt != nil && e.ExpiresAt.Before(e.OccurredAt) {
		return nil, invalid("expires_at", "is before occurred_at; are both in milliseconds (logical type timestamp-millis)?")
	}
	r := &alipay.TradeCreate{
		OutTradeNo:           e.OrderNo,
		SellerID:             e.SellerID,
		TotalAmount:          *e.Total,
		DiscountableAmount:   e.Discountable,
		UndiscountableAmount: e.Undiscountable,
		Subject:              e.Subject,
		Body:                 e.Body,
		BuyerID:              e.BuyerUserID,
		BuyerOpenID:          e.BuyerOpenID,
		BuyerLogonID:         e.BuyerLogonID,
		OpAppID:              e.OpAppID,
		OpBuyerOpenID:        e.OpBuyerOpenID,
		OperatorID:           e.OperatorID,
		StoreID:              cmp.Or(e.StoreID, p.defaults.StoreID),
		AlipayStoreID:        e.AlipayStoreID,
		TerminalID:           e.TerminalID,
		LogisticsType:        e.LogisticsType,
		BusinessParams:       e.BusinessParamsJSON,
		BusinessParamsObject: p.defaults.BusinessParamsObject,
		ProductCode:          cmp.Or(e.ProductCode, p.defaults.ProductCode),
		MerchantOrderNo:      e.MerchantOrderNo,
		PassbackParams:       e.PassbackParams,
		QueryOptions:         e.QueryOptions,
		EnablePayChannels:    e.EnablePayChannels,
		DisablePayChannels:   e.DisablePayChannels,
	}
	p.setTimeLimit(e, r)
	setSubMerchant(e, r)
	if e.Receiver != nil {
		r.ReceiverAddressInfo = &alipay.ReceiverAddressInfo{
			Name: e.Receiver.Name, Address: e.Receiver.Address, Mobile: e.Receiver.Mobile,
			Zip: e.Receiver.Zip, DivisionCode: e.Receiver.DivisionCode,
		}
	}
	return r, p.setNestedParts(e, r)
}

// setTimeLimit sets until when the trade can be paid: an instant wins over a span, and the event
// over the account.
func (p *Planner) setTimeLimit(e Event, r *alipay.TradeCreate) {
	switch {
	case e.ExpiresAt == nil:
		r.TimeoutExpress = cmp.Or(e.TimeoutExpress, p.defaults.TimeoutExpress)
	case p.defaults.ExpiresAsTimeout:
		r.TimeoutExpress = timeoutExpress(e.OccurredAt, *e.ExpiresAt)
	default:
		r.TimeExpire = e.ExpiresAt
	}
}

// setSubMerchant sets the second merchant. Its type without an id is the API page's misplaced row merchant_type,
// which belonged to sub_merchant (alipay.trade.create, "merchant_type").
func setSubMerchant(e Event, r *alipay.TradeCreate) {
	if e.SubMerchantID == "" {
		r.MerchantType = e.SubMerchantType
		return
	}
	r.SubMerchant = &alipay.SubMerchant{MerchantID: e.SubMerchantID, MerchantType: e.SubMerchantType}
}

// setNestedParts fills what has further members of its own.
func (p *Planner) setNestedParts(e Event, r *alipay.TradeCreate) (err error) {
	if r.Extra, err = p.extra("extra_json", e.ExtraJSON); err != nil {
		return err
	}
	for _, it := range e.Items {
		extra, err := p.extra("items.extra_json", it.ExtraJSON)
		if err != nil {
			return err
		}
		r.GoodsDetail = append(r.GoodsDetail, alipay.GoodsDetail{
			GoodsID: it.GoodsID, GoodsName: it.Name, Quantity: it.Quantity, Price: it.Price,
			GoodsCategory: it.Category, CategoriesTree: it.CategoriesTree, Body: it.Body, ShowURL: it.ShowURL,
			AlipayGoodsID: it.AlipayGoodsID, OutItemID: it.OutItemID, OutSKUID: it.OutSKUID, GoodsEANID: it.GoodsEANID,
			Extra: extra,
		})
	}
	if x := e.ExtendParams; x != nil {
		extra, err := p.extra("extend_params.extra_json", x.ExtraJSON)
		if err != nil {
			return err
		}
		r.ExtendParams = &alipay.ExtendParams{
			SysServiceProviderID: x.SysServiceProviderID, IndustryRefluxInfo: x.IndustryRefluxInfo, CardType: x.CardType,
			HbFqNum: x.HbFqNum, HbFqSellerPercent: x.HbFqSellerPercent, RoyaltyFreeze: x.RoyaltyFreeze,
			SpecifiedSellerName: x.SpecifiedSellerName, CreditExtInfo: x.CreditExtInfo,
			TcInstallmentOrderID: x.TcInstallmentOrderID, TradeComponentOrderID: x.TradeComponentOrderID,
			Extra: extra,
		}
	}
	return p.setSettlement(e, r)
}

// setSettlement sets who is paid. The amount must be the total, so an absent one is the total
// (alipay.trade.create, "settle_detail_infos").
func (p *Planner) setSettlement(e Event, r *alipay.TradeCreate) error {
	if len(e.Settlements) == 0 {
		if e.SettlePeriodTime != "" {
			return invalid("settle_period_time", "is given without a settlement")
		}
		return nil
	}
	r.SettleInfo = &alipay.SettleInfo{SettlePeriodTime: e.SettlePeriodTime}
	for _, s := range e.Settlements {
		extra, err := p.extra("settlements.extra_json", s.ExtraJSON)
		if err != nil {
			return err
		}
		amount := s.Amount
		if amount == nil {
			amount = e.Total
		}
		r.SettleInfo.Details = append(r.SettleInfo.Details, alipay.SettleDetail{
			TransInType: s.TransInType, TransIn: s.TransIn, SummaryDimension: s.SummaryDimension,
			SettleEntityID: s.SettleEntityID, SettleEntityType: s.SettleEntityType,
			Amount: amount, ActualAmount: s.ActualAmount, Extra: extra,
		})
	}
	return nil
}
