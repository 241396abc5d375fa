package order

import (
	"cmp"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
)

func resultFrom(r avro.Reader) Result {
	return Result{
		EventID:        EventID(r.Text("event_id")),
		EventType:      EventType(r.Text("event_type")),
		Account:        Account(r.Text("account")),
		Environment:    r.Text("environment"),
		Channel:        Channel(r.Text("channel")),
		OrderNo:        alipay.OutTradeNo(r.Text("order_no")),
		TradeNo:        alipay.TradeNo(r.Text("trade_no")),
		KoubeiOrderNo:  alipay.KoubeiOrderNo(r.Text("koubei_order_no")),
		Method:         alipay.Method(r.Text("method")),
		Outcome:        cmp.Or(CallOutcome(r.Text("outcome")), OutcomeUnknown),
		CallClass:      cmp.Or(CallClass(r.Text("call_class")), ClassNone),
		Reason:         r.Text("reason"),
		Code:           r.Text("code"),
		SubCode:        r.Text("sub_code"),
		Message:        r.Text("message"),
		SubMessage:     r.Text("sub_message"),
		ResultStatus:   r.Text("result_status"),
		RequestNo:      alipay.RequestNo(r.Text("request_no")),
		SentStatus:     r.Text("sent_status"),
		HKOrderID:      r.Text("hk_order_id"),
		BuyerUserID:    r.Text("buyer_user_id"),
		BuyerOpenID:    r.Text("buyer_open_id"),
		ResolvedBy:     cmp.Or(ResolvedBy(r.Text("resolved_by")), ResolvedByNone),
		Verified:       r.Bool("verified"),
		Rewound:        r.Bool("rewound"),
		Attempts:       int(r.Long("attempts")),
		ReplayCount:    int(r.Long("replay_count")),
		FirstAttemptAt: r.OptionalTime("first_attempt_at"),
		FinishedAt:     r.Time("finished_at"),
		AlipayTraceID:  r.Text("alipay_trace_id"),
		Origin:         originFrom(r),
		ReplyJSON:      r.Text("reply_json"),
	}
}

// originFrom reads where an event was read. Where a writer has no such fields, decoding gives the schema's -1 for both.
func originFrom(r avro.Reader) Origin {
	//nolint:gosec // the schema's type of a partition is int
	return Origin{Topic: r.Text("source_topic"), Partition: int32(r.Long("source_partition")), Offset: r.Long("source_offset")}
}

func (r Result) write(w *avro.Writer) {
	w.Text("event_id", string(r.EventID))
	w.Text("event_type", string(r.EventType))
	w.Text("account", string(r.Account))
	w.Text("environment", r.Environment)
	w.Text("channel", string(r.Channel))
	w.Text("order_no", string(r.OrderNo))
	w.Text("trade_no", string(r.TradeNo))
	w.Text("koubei_order_no", string(r.KoubeiOrderNo))
	w.Text("method", string(r.Method))
	w.Text("outcome", string(cmp.Or(r.Outcome, OutcomeUnknown)))
	w.Text("call_class", string(cmp.Or(r.CallClass, ClassNone)))
	w.Text("reason", r.Reason)
	w.Text("code", r.Code)
	w.Text("sub_code", r.SubCode)
	w.Text("message", r.Message)
	w.Text("sub_message", r.SubMessage)
	w.Text("result_status", r.ResultStatus)
	w.Text("request_no", string(r.RequestNo))
	w.Text("sent_status", r.SentStatus)
	w.Text("hk_order_id", r.HKOrderID)
	w.Text("buyer_user_id", r.BuyerUserID)
	w.Text("buyer_open_id", r.BuyerOpenID)
	w.Text("resolved_by", string(cmp.Or(r.ResolvedBy, ResolvedByNone)))
	w.Bool("verified", r.Verified)
	w.Bool("rewound", r.Rewound)
	w.Long("attempts", int64(r.Attempts))
	w.Long("replay_count", int64(r.ReplayCount))
	w.OptionalTime("first_attempt_at", r.FirstAttemptAt)
	w.Time("finished_at", r.FinishedAt)
	w.Text("alipay_trace_id", r.AlipayTraceID)
	w.Text("source_topic", r.Origin.Topic)
	w.Long("source_partition", int64(r.Origin.Partition))
	w.Long("source_offset", r.Origin.Offset)
	w.Text("reply_json", r.ReplyJSON)
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

func (j JournalEntry) write(w *avro.Writer) {
	w.Text("topic", j.Topic)
	w.Long("partition", int64(j.Partition))
	w.Text("group", j.Group)
	w.Records("skipped", len(j.Skipped), func(i int, skipped *avro.Writer) {
		skipped.Long("first", j.Skipped[i].First)
		skipped.Long("last", j.Skipped[i].Last)
		skipped.Text("reason", j.Skipped[i].Reason)
	})
	w.Time("written_at", j.WrittenAt)
}
