package order

import (
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
)

func observationFrom(r avro.Reader) Observation {
	return Observation{
		Account:           Account(r.Text("account")),
		Environment:       r.Text("environment"),
		Channel:           Channel(r.Text("channel")),
		OrderNo:           alipay.OutTradeNo(r.Text("order_no")),
		TradeNo:           alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo:     alipay.KoubeiOrderNo(r.Text("koubei_order_no")),
		Kind:              orElse(ObservationKind(r.Text("kind")), ObservedNowhere),
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
		"kind":               string(orElse(o.Kind, ObservedNowhere)),
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

func journalFrom(r avro.Reader) JournalEntry {
	j := JournalEntry{
		Topic:     r.Text("topic"),
		Partition: int32(r.Long("partition")), //nolint:gosec // the schema's type is int
		Group:     r.Text("group"),
		WrittenAt: r.Time("written_at"),
	}
	for _, in := range r.Records("skipped") {
		j.Skipped = append(j.Skipped, SkippedRange{First: in.Long("first"), Last: in.Long("last"), Reason: in.Text("reason")})
	}
	return j
}

func (j JournalEntry) record() map[string]any {
	skipped := make([]any, len(j.Skipped))
	for i, s := range j.Skipped {
		skipped[i] = map[string]any{"first": s.First, "last": s.Last, "reason": s.Reason}
	}
	return map[string]any{
		"topic":      j.Topic,
		"partition":  int64(j.Partition),
		"group":      j.Group,
		"skipped":    skipped,
		"written_at": j.WrittenAt,
	}
}
