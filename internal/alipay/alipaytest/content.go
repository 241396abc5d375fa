package alipaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// bizContent is what the vectors put into biz_content, of all classic methods.
type bizContent struct {
	OutTradeNo    string    `json:"out_trade_no"`
	TradeNo       string    `json:"trade_no"`
	OrderNo       string    `json:"order_no"`
	OutRequestNo  string    `json:"out_request_no"`
	BizType       string    `json:"biz_type"`
	OrderBizInfo  *string   `json:"order_biz_info"`
	OrgPID        string    `json:"org_pid"`
	SellerID      string    `json:"seller_id"`
	Total         yuanText  `json:"total_amount"`
	Discount      *yuanText `json:"discountable_amount"`
	Undiscounted  *yuanText `json:"undiscountable_amount"`
	Subject       string    `json:"subject"`
	Body          string    `json:"body"`
	BuyerID       string    `json:"buyer_id"`
	BuyerOpenID   string    `json:"buyer_open_id"`
	OpAppID       string    `json:"op_app_id"`
	ProductCode   string    `json:"product_code"`
	Timeout       string    `json:"timeout_express"`
	BusinessParam string    `json:"business_params"`
	Goods         []struct {
		GoodsID   string      `json:"goods_id"`
		GoodsName string      `json:"goods_name"`
		Quantity  json.Number `json:"quantity"`
		Price     *yuanText   `json:"price"`
	} `json:"goods_detail"`
	Settle *struct {
		Details []struct {
			Type       string    `json:"trans_in_type"`
			TransIn    string    `json:"trans_in"`
			EntityType string    `json:"settle_entity_type"`
			Amount     *yuanText `json:"amount"`
		} `json:"settle_detail_infos"`
	} `json:"settle_info"`
	Logistics struct {
		Type string `json:"logistics_type"`
	} `json:"logistics_detail"`
	Receiver *struct {
		Name, Address, Mobile, Zip string
		DivisionCode               string `json:"division_code"`
	} `json:"receiver_address_info"`
}

// yuanText is an amount of a vector, read as ParseYuan reads it.
type yuanText struct{ money alipay.Money }

func (y *yuanText) UnmarshalJSON(b []byte) error {
	m, err := alipay.ParseYuan(string(bytes.Trim(b, `"`)))
	y.money = m
	return err
}

func (y *yuanText) pointer() *alipay.Money {
	if y == nil {
		return nil
	}
	return &y.money
}

// RequestOf turns the content of a vector into a request; an error means that our types
// cannot even say it.
func RequestOf(m alipay.Method, content json.RawMessage) (alipay.Request, error) {
	var b bizContent
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, err
	}
	switch m {
	case alipay.MethodTradeCreate:
		return b.create()
	case alipay.MethodTradeQuery:
		return &alipay.TradeQuery{
			OutTradeNo: alipay.OutTradeNo(b.OutTradeNo), TradeNo: alipay.TradeNo(b.TradeNo), OrgPID: b.OrgPID,
		}, nil
	case alipay.MethodOrderInfoSync:
		r := &alipay.OrderInfoSync{
			TradeNo: alipay.TradeNo(b.TradeNo), OutRequestNo: alipay.RequestNo(b.OutRequestNo), BizType: b.BizType,
		}
		if b.OrderBizInfo != nil {
			r.OrderBizInfo = *b.OrderBizInfo
		}
		return r, nil
	case alipay.MethodItemOrderQuery:
		return &alipay.ItemOrderQuery{OrderNo: alipay.KoubeiOrderNo(b.OrderNo)}, nil
	}
	return nil, fmt.Errorf("no request of %s", m)
}

func (b *bizContent) create() (alipay.Request, error) {
	r := &alipay.TradeCreate{
		OutTradeNo: alipay.OutTradeNo(b.OutTradeNo), SellerID: b.SellerID, TotalAmount: b.Total.money,
		DiscountableAmount: b.Discount.pointer(), UndiscountableAmount: b.Undiscounted.pointer(),
		Subject: b.Subject, Body: b.Body, BuyerID: b.BuyerID, BuyerOpenID: b.BuyerOpenID, OpAppID: b.OpAppID,
		ProductCode: b.ProductCode, TimeoutExpress: b.Timeout, BusinessParams: b.BusinessParam, LogisticsType: b.Logistics.Type,
	}
	for _, g := range b.Goods {
		var n int64
		if g.Quantity != "" {
			var err error
			if n, err = g.Quantity.Int64(); err != nil {
				return nil, err
			}
		}
		r.GoodsDetail = append(r.GoodsDetail, alipay.GoodsDetail{GoodsID: g.GoodsID, GoodsName: g.GoodsName, Quantity: n, Price: g.Price.pointer()})
	}
	if b.Settle != nil {
		r.SettleInfo = &alipay.SettleInfo{}
		for _, d := range b.Settle.Details {
			r.SettleInfo.Details = append(r.SettleInfo.Details, alipay.SettleDetail{
				TransInType: d.Type, TransIn: d.TransIn, SettleEntityType: d.EntityType, Amount: d.Amount.pointer(),
			})
		}
	}
	if a := b.Receiver; a != nil {
		r.ReceiverAddressInfo = &alipay.ReceiverAddressInfo{
			Name: a.Name, Address: a.Address, Mobile: a.Mobile, Zip: a.Zip, DivisionCode: a.DivisionCode,
		}
	}
	return r, nil
}

// hkBody is what the vectors put into the body of an HK order sync.
type hkBody struct {
	RequestID       *string   `json:"requestId"`
	MerchantID      string    `json:"merchantId"`
	TradeNo         string    `json:"tradeNo"`
	MerchantBizNo   string    `json:"merchantBizNo"`
	MerchantBizType *string   `json:"merchantBizType"`
	Amount          *hkAmount `json:"amount"`
	PayAmount       *hkAmount `json:"payAmount"`
	DiscountAmount  *hkAmount `json:"discountAmount"`
	OrderStatus     *string   `json:"orderStatus"`
	Create          hkMillis  `json:"orderCreateTime"`
	Modify          hkMillis  `json:"orderModifyTime"`
	UserID          string    `json:"userId"`
	OpenID          string    `json:"openId"`
	ExtInfo         json.RawMessage
}

type hkAmount struct{ money alipay.Money }

func (a *hkAmount) UnmarshalJSON(b []byte) error {
	var v struct{ Value, Currency string }
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	a.money = alipay.Money{Minor: n, Currency: v.Currency}
	return err
}

func (a *hkAmount) pointer() *alipay.Money {
	if a == nil {
		return nil
	}
	return &a.money
}

type hkMillis struct{ at time.Time }

func (m *hkMillis) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if string(b) == "null" {
		return errors.New("null")
	}
	m.at = time.UnixMilli(n)
	return err
}

func HKRequestOf(body json.RawMessage) (*alipay.HKOrderSync, error) {
	var b hkBody
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, err
	}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return &alipay.HKOrderSync{
		RequestID: alipay.RequestNo(text(b.RequestID)), MerchantID: b.MerchantID, TradeNo: alipay.TradeNo(b.TradeNo),
		MerchantBizNo: alipay.OutTradeNo(b.MerchantBizNo), MerchantBizType: text(b.MerchantBizType),
		Amount: b.Amount.pointer(), PayAmount: b.PayAmount.pointer(), DiscountAmount: b.DiscountAmount.pointer(),
		OrderStatus: text(b.OrderStatus), CreateTime: b.Create.at, ModifyTime: b.Modify.at,
		UserID: b.UserID, OpenID: b.OpenID, ExtInfo: string(b.ExtInfo),
	}, nil
}
