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
	if _, err := e.codec.Encode(ctx, e.topics.Notifications, schema, notification{account: &Account{}, received: now}.write); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Notifications, err)
	}
	if _, err := e.codec.EncodeObservation(ctx, e.topics.Observations, order.Observation{ObservedAt: now}); err != nil {
		return fmt.Errorf("schema of %s: %w", e.topics.Observations, err)
	}
	return nil
}

func (e encoder) records(ctx context.Context, n notification) ([]*kgo.Record, error) {
	value, err := e.codec.Encode(ctx, e.topics.Notifications, schema, n.write)
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

// write writes the notification as its schema has it; the codec masks it.
func (n notification) write(w *avro.Writer) {
	w.Text("notify_id", n.ID)
	w.Text("notify_type", n.Type)
	w.OptionalTime("notify_time", n.Time)
	w.Bool("late", n.late)
	w.Time("received_at", n.received)
	w.Text("account", string(n.account.Name))
	w.Text("environment", n.account.Environment)
	w.Text("channel", string(n.account.Channel))
	w.Text("order_no", string(n.OutTradeNo))
	w.Text("trade_no", string(n.TradeNo))
	w.Text("koubei_order_no", "")
	w.Text("trade_status", string(n.Status))
	w.Text("app_id", n.AppID)
	w.Text("auth_app_id", n.AuthAppID)
	w.Text("charset", string(n.Charset))
	w.Text("version", n.Version)
	w.Text("sign_type", string(n.SignType))
	w.Text("out_biz_no", n.OutBizNo)
	w.Text("buyer_id", n.BuyerID)
	w.Text("buyer_open_id", n.BuyerOpenID)
	w.Text("buyer_logon_id", n.BuyerLogonID)
	w.Text("seller_id", n.SellerID)
	w.Text("seller_email", n.SellerEmail)
	order.WriteMoney(w, "total_amount", n.TotalAmount)
	order.WriteMoney(w, "receipt_amount", n.ReceiptAmount)
	order.WriteMoney(w, "invoice_amount", n.InvoiceAmount)
	order.WriteMoney(w, "buyer_pay_amount", n.BuyerPayAmount)
	order.WriteMoney(w, "point_amount", n.PointAmount)
	order.WriteMoney(w, "refund_fee", n.RefundFee)
	order.WriteMoney(w, "send_back_fee", n.SendBackFee)
	order.WriteMoney(w, "charge_amount", n.ChargeAmount)
	order.WriteMoney(w, "mdiscount_amount", n.MDiscountAmount)
	order.WriteMoney(w, "discount_amount", n.DiscountAmount)
	order.WriteMoney(w, "advance_amount", n.AdvanceAmount)
	order.WriteMoney(w, "unfreeze_amount", n.UnfreezeAmount)
	w.Text("trans_currency", n.TransCurrency)
	w.Text("settle_currency", n.SettleCurrency)
	order.WriteMoney(w, "settle_amount", n.SettleAmount)
	w.Text("pay_currency", n.PayCurrency)
	order.WriteMoney(w, "pay_amount", n.PayAmount)
	w.Text("settle_trans_rate", n.SettleTransRate)
	w.Text("trans_pay_rate", n.TransPayRate)
	w.Text("subject", n.Subject)
	w.Text("body", n.Body)
	w.OptionalTime("gmt_create", n.CreateTime)
	w.OptionalTime("gmt_payment", n.PaymentTime)
	w.OptionalTime("gmt_refund", n.RefundTime)
	w.OptionalTime("gmt_close", n.CloseTime)
	w.Records("fund_bill_list", len(n.FundBills), func(i int, bill *avro.Writer) {
		b := n.FundBills[i]
		bill.Text("fund_channel", b.FundChannel)
		order.WriteMoney(bill, "amount", b.Amount)
		order.WriteMoney(bill, "real_amount", b.RealAmount)
	})
	w.Text("voucher_detail_list", n.VoucherDetailList)
	w.Text("discount_goods_detail", n.DiscountGoodsDetail)
	w.Text("refund_preset_paytool_list", n.RefundPresetPaytoolList)
	w.Text("hb_fq_pay_info", n.HBFQPayInfo)
	w.Text("charge_flags", n.ChargeFlags)
	w.Text("settlement_id", n.SettlementID)
	w.Text("passback_params", n.PassbackParams)
	w.Text("notify_action_type", n.ActionType)
	w.Text("auth_trade_pay_mode", n.AuthTradePayMode)
	w.Text("alipay_cert_sn", n.CertSN)
	w.TextMap("params", n.Params)
	w.TextMap("unparsed", n.Unparsed)
}
