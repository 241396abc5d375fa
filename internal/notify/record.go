package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/telemetry"
	"alipay-kafka-bridge/schemas"
)

// How far notify_time may be from our clock (security N5). Alipay repeats a notification for 25 hours.
const (
	maxAge   = 26 * time.Hour
	maxAhead = 15 * time.Minute
)

// isLate reports whether a notification may be an old one that someone sends again. One without a time that can be
// read may be of any age.
func isLate(sent *time.Time, now time.Time) bool {
	return sent == nil || now.Sub(*sent) > maxAge || sent.Sub(now) > maxAhead
}

// Topics are what a receiver writes to.
type Topics struct {
	Notifications string
	Observations  string
}

// notification is what one genuine notification of an account says.
type notification struct {
	alipay.Notification

	account  *Account
	late     bool
	received time.Time
}

// schema of notifications.
var schema = avro.MustCodec(schemas.TradeNotification)

// encoder makes the two records of a notification.
type encoder struct {
	codec  *order.Codec
	topics Topics
	keys   *integrity.Keys
}

// ready asks for the ids of both schemas, so that no notification has to wait for the registry.
func (e encoder) ready(ctx context.Context) error {
	now := time.Now()
	if _, err := e.codec.Encode(ctx, e.topics.Notifications, schema, notification{account: &Account{}, received: now}.record()); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Notifications, err)
	}
	if _, err := e.codec.EncodeObservation(ctx, e.topics.Observations, order.Observation{ObservedAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Observations, err)
	}
	return nil
}

func (e encoder) records(ctx context.Context, n notification) ([]*kgo.Record, error) {
	value, err := e.codec.Encode(ctx, e.topics.Notifications, schema, n.record())
	if err != nil {
		return nil, fmt.Errorf("encode notification: %w", err)
	}
	o := n.observation()
	seen, err := e.codec.EncodeObservation(ctx, e.topics.Observations, o)
	if err != nil {
		return nil, fmt.Errorf("encode observation: %w", err)
	}
	all := []*kgo.Record{{Topic: e.topics.Notifications, Value: value}, {Topic: e.topics.Observations, Value: seen}}
	for _, r := range all {
		r.Key = []byte(o.Key())
		r.Headers = []kgo.RecordHeader{{Key: records.HeaderEventID, Value: []byte(n.ID)}}
		telemetry.Inject(ctx, r)
	}
	e.keys.Seal(all[1])
	return all, nil
}

// observation is what trade status needs of it.
func (n notification) observation() order.Observation {
	return order.Observation{
		Account: n.account.Name, Environment: n.account.Environment, Channel: n.account.Channel,
		OrderNo: n.OutTradeNo, TradeNo: n.TradeNo, Kind: order.ObservedInNotification, CauseID: n.ID, Late: n.late,
		AlipayStatus: string(n.Status), Total: n.TotalAmount, Paid: n.BuyerPayAmount, Received: n.ReceiptAmount, Refunded: n.RefundFee,
		SellerID: n.SellerID, PaidAt: n.PaymentTime, RefundedAt: n.RefundTime, ClosedAt: n.CloseTime, ObservedAt: n.received,
	}
}

// record is the notification as its schema has it; the codec masks it. It is one literal, whose map has its size from the
// start.
func (n notification) record() map[string]any {
	bills := make([]any, len(n.FundBills))
	for i, b := range n.FundBills {
		bills[i] = map[string]any{"fund_channel": b.FundChannel, "amount": order.MoneyValue(b.Amount), "real_amount": order.MoneyValue(b.RealAmount)}
	}
	return map[string]any{
		"notify_id":       n.ID,
		"notify_type":     n.Type,
		"notify_time":     order.TimeValue(n.Time),
		"late":            n.late,
		"received_at":     n.received,
		"account":         string(n.account.Name),
		"environment":     n.account.Environment,
		"channel":         string(n.account.Channel),
		"order_no":        string(n.OutTradeNo),
		"trade_no":        string(n.TradeNo),
		"koubei_order_no": "",
		"trade_status":    string(n.Status),
		"app_id":          n.AppID,
		"auth_app_id":     n.AuthAppID,
		"charset":         string(n.Charset),
		"version":         n.Version,
		"sign_type":       string(n.SignType),
		"out_biz_no":      n.OutBizNo,
		"buyer_id":        n.BuyerID,
		"buyer_open_id":   n.BuyerOpenID,
		"buyer_logon_id":  n.BuyerLogonID,
		"seller_id":       n.SellerID,
		"seller_email":    n.SellerEmail,

		"subject":                    n.Subject,
		"body":                       n.Body,
		"gmt_create":                 order.TimeValue(n.CreateTime),
		"gmt_payment":                order.TimeValue(n.PaymentTime),
		"gmt_refund":                 order.TimeValue(n.RefundTime),
		"gmt_close":                  order.TimeValue(n.CloseTime),
		"voucher_detail_list":        n.VoucherDetailList,
		"discount_goods_detail":      n.DiscountGoodsDetail,
		"refund_preset_paytool_list": n.RefundPresetPaytoolList,
		"hb_fq_pay_info":             n.HBFQPayInfo,
		"charge_flags":               n.ChargeFlags,
		"settlement_id":              n.SettlementID,
		"passback_params":            n.PassbackParams,
		"notify_action_type":         n.ActionType,
		"auth_trade_pay_mode":        n.AuthTradePayMode,
		"alipay_cert_sn":             n.CertSN,

		"total_amount":      order.MoneyValue(n.TotalAmount),
		"trans_currency":    n.TransCurrency,
		"settle_amount":     order.MoneyValue(n.SettleAmount),
		"settle_currency":   n.SettleCurrency,
		"pay_amount":        order.MoneyValue(n.PayAmount),
		"pay_currency":      n.PayCurrency,
		"settle_trans_rate": n.SettleTransRate,
		"trans_pay_rate":    n.TransPayRate,
		"receipt_amount":    order.MoneyValue(n.ReceiptAmount),
		"invoice_amount":    order.MoneyValue(n.InvoiceAmount),
		"buyer_pay_amount":  order.MoneyValue(n.BuyerPayAmount),
		"point_amount":      order.MoneyValue(n.PointAmount),
		"refund_fee":        order.MoneyValue(n.RefundFee),
		"send_back_fee":     order.MoneyValue(n.SendBackFee),
		"charge_amount":     order.MoneyValue(n.ChargeAmount),
		"mdiscount_amount":  order.MoneyValue(n.MDiscountAmount),
		"discount_amount":   order.MoneyValue(n.DiscountAmount),
		"advance_amount":    order.MoneyValue(n.AdvanceAmount),
		"unfreeze_amount":   order.MoneyValue(n.UnfreezeAmount),
		"fund_bill_list":    bills,

		"params":   order.TextMapValue(n.Params),
		"unparsed": order.TextMapValue(n.Unparsed),
	}
}
