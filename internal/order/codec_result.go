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

func (r Result) record() map[string]any {
	return map[string]any{
		"event_id":         string(r.EventID),
		"event_type":       string(r.EventType),
		"account":          string(r.Account),
		"environment":      r.Environment,
		"channel":          string(r.Channel),
		"order_no":         string(r.OrderNo),
		"trade_no":         string(r.TradeNo),
		"koubei_order_no":  string(r.KoubeiOrderNo),
		"method":           string(r.Method),
		"outcome":          string(cmp.Or(r.Outcome, OutcomeUnknown)),
		"call_class":       string(cmp.Or(r.CallClass, ClassNone)),
		"reason":           r.Reason,
		"code":             r.Code,
		"sub_code":         r.SubCode,
		"message":          r.Message,
		"sub_message":      r.SubMessage,
		"result_status":    r.ResultStatus,
		"request_no":       string(r.RequestNo),
		"sent_status":      r.SentStatus,
		"hk_order_id":      r.HKOrderID,
		"buyer_user_id":    r.BuyerUserID,
		"buyer_open_id":    r.BuyerOpenID,
		"resolved_by":      string(cmp.Or(r.ResolvedBy, ResolvedByNone)),
		"verified":         r.Verified,
		"rewound":          r.Rewound,
		"attempts":         int64(r.Attempts),
		"replay_count":     int64(r.ReplayCount),
		"first_attempt_at": TimeValue(r.FirstAttemptAt),
		"finished_at":      r.FinishedAt,
		"alipay_trace_id":  r.AlipayTraceID,
		"source_topic":     r.Origin.Topic,
		"source_partition": int64(r.Origin.Partition),
		"source_offset":    r.Origin.Offset,
		"reply_json":       r.ReplyJSON,
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
