package state

import (
	"cmp"
	"context"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

// Codec turns values of trade-status into [Status] and back.
type Codec struct {
	records *order.Codec
	schema  *avro.Codec
}

// NewCodec returns a Codec that finds schemas where records does.
func NewCodec(records *order.Codec) *Codec {
	return &Codec{records: records, schema: avro.MustCodec(schemas.TradeStatus)}
}

// Decode reads a value.
func (c *Codec) Decode(ctx context.Context, topic string, value []byte) (Status, error) {
	return order.Decode(ctx, c.records, topic, c.schema, value, statusFrom)
}

// Encode writes a value.
func (c *Codec) Encode(ctx context.Context, topic string, s Status) ([]byte, error) {
	return c.records.Encode(ctx, topic, c.schema, s.write)
}

func statusFrom(r avro.Reader) Status {
	return Status{
		Account:           order.Account(r.Text("account")),
		Environment:       r.Text("environment"),
		Channel:           order.Channel(r.Text("channel")),
		OrderNo:           alipay.OutTradeNo(r.Text("order_no")),
		TradeNo:           alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo:     alipay.KoubeiOrderNo(r.Text("koubei_order_no")),
		Version:           r.Long("version"),
		State:             cmp.Or(State(r.Text("state")), Unknown),
		AlipayStatus:      r.Text("alipay_status"),
		SentStatus:        r.Text("sent_status"),
		SentStatusAt:      r.OptionalTime("sent_status_at"),
		OrderVersion:      r.Long("order_version"),
		Cause:             cmp.Or(order.ObservationKind(r.Text("cause")), order.ObservedUnknown),
		CauseID:           r.Text("cause_id"),
		CreateEventID:     order.EventID(r.Text("create_event_id")),
		CreateTraceparent: r.Text("create_traceparent"),
		ObservedAt:        r.Time("observed_at"),
		PaidAt:            r.OptionalTime("paid_at"),
		RefundedAt:        r.OptionalTime("refunded_at"),
		ClosedAt:          r.OptionalTime("closed_at"),
		Total:             order.ReadMoney(r, "total"),
		Paid:              order.ReadMoney(r, "paid"),
		Received:          order.ReadMoney(r, "received"),
		Refunded:          order.ReadMoney(r, "refunded"),
		SellerID:          r.Text("seller_id"),
		Anomalies:         r.Texts("anomalies"),
		Accepted:          r.Texts("accepted"),
	}
}

func (s Status) write(w *avro.Writer) {
	w.Text("account", string(s.Account))
	w.Text("environment", s.Environment)
	w.Text("channel", string(s.Channel))
	w.Text("order_no", string(s.OrderNo))
	w.Text("trade_no", string(s.TradeNo))
	w.Text("koubei_order_no", string(s.KoubeiOrderNo))
	w.Long("version", s.Version)
	w.Text("state", string(cmp.Or(s.State, Unknown)))
	w.Text("alipay_status", s.AlipayStatus)
	w.Text("sent_status", s.SentStatus)
	w.OptionalTime("sent_status_at", s.SentStatusAt)
	w.Text("cause", string(cmp.Or(s.Cause, order.ObservedUnknown)))
	w.Text("cause_id", s.CauseID)
	w.Text("create_event_id", string(s.CreateEventID))
	w.Text("create_traceparent", s.CreateTraceparent)
	w.Time("observed_at", s.ObservedAt)
	w.OptionalTime("paid_at", s.PaidAt)
	w.OptionalTime("refunded_at", s.RefundedAt)
	w.OptionalTime("closed_at", s.ClosedAt)
	order.WriteMoney(w, "total", s.Total)
	order.WriteMoney(w, "paid", s.Paid)
	order.WriteMoney(w, "received", s.Received)
	order.WriteMoney(w, "refunded", s.Refunded)
	w.Texts("anomalies", s.Anomalies)
	w.Text("seller_id", s.SellerID)
	w.Long("order_version", s.OrderVersion)
	w.Texts("accepted", s.Accepted)
}
