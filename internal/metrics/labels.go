package metrics

// The labels of the table. A set without values here comes from the settings.
var (
	labelApp       = Label{Name: "app", Help: "name of an app in the settings"}
	labelAccount   = Label{Name: "account", Help: "name of an account in the settings"}
	labelOrdersOf  = Label{Name: "account", Help: "name of an account in the settings; orders outlive it", Outlived: true}
	labelForPerson = Label{Name: "state", Help: "held or unresolved", Values: []string{"held", "unresolved"}}
	labelPipeline  = Label{Name: "pipeline", Help: "the pipeline that reads the events", Values: []string{"calls", "queries", "sweep", "status"}}
	labelTopic     = Label{Name: "topic", Help: "an input topic of the settings"}
	labelLetters   = Label{Name: "topic", Help: "a topic for dead letters of the settings"}
	labelPartition = Label{Name: "partition", Help: "number of a partition that is assigned", Free: true}
	labelMethod    = Label{Name: "method", Help: "the method of Alipay's that is called", Values: Methods()}
	labelClass     = Label{Name: "class", Help: "the class of an answer, docs/codes.md", Values: Classes()}
	labelOutcome   = Label{Name: "outcome", Help: "the outcome of an event, as its result has it", Values: Outcomes()}
	labelReason    = Label{Name: "reason", Help: "the reason of a dead letter, docs/howto/read-the-outputs.md", Values: DeadReasons()}
	labelVerdict   = Label{Name: "verdict", Help: "what became of a notification; the first three are answered with success", Values: Verdicts()}
	labelStep      = Label{Name: "step", Help: "where a call is on its way, or what it waits for", Values: Steps()}
)

// Methods are the methods that the bridge calls.
func Methods() []string {
	return []string{"alipay.trade.create", "alipay.trade.query", "alipay.trade.orderinfo.sync", "koubei.trade.itemorder.query", "alipayhk.merchant.order.sync"}
}

// Classes are the classes of answers.
func Classes() []string {
	return []string{"done", "accepted", "rejected", "misconfigured", "transient", "throttled", "ambiguous", "untrusted"}
}

// Outcomes are the outcomes of events, in small letters.
func Outcomes() []string {
	return []string{"applied", "accepted", "rejected", "invalid", "skipped", "superseded", "expired", "exhausted", "stopped"}
}

// DeadReasons are the reasons of dead letters.
func DeadReasons() []string {
	return []string{
		"account_not_allowed", "channel_not_supported", "exhausted", "future_time", "invalid", "key_flood", "panic", "payee_not_allowed", "schema_refused",
		"too_large", "undecided", "undecodable", "unknown_account", "unknown_type", "unpublishable",
	}
}

// Verdicts are what may become of a notification.
func Verdicts() []string {
	return []string{
		"accepted", "late", "other_type", "forged", "not_ours", "unknown_certificate", "unreadable", "too_large", "encoded", "busy", "not_durable", "unknown_path", "wrong_method", "panic",
	}
}

// ObservationReasons are why observations are not merged.
func ObservationReasons() []string {
	return []string{"undecodable", "key_mismatch", "not_sealed", "status_unreadable", "panic", "unpublishable", "too_large"}
}

// States are the states of orders, in small letters.
func States() []string {
	return []string{"unknown", "pending", "paid", "partially_refunded", "finished", "closed", "closed_unpaid", "refunded", "failed", "synced", "held"}
}

// Anomalies are what is odd about an order, docs/consumers.md.
func Anomalies() []string {
	return []string{
		"paid_after_closed", "finished_then_closed", "second_trade_no", "amount_mismatch", "currency_mismatch", "seller_mismatch", "not_created",
		"unsettled_credit", "clock_not_growing", "unresolved",
	}
}

// Steps of a call that the guard of an app does not see.
const (
	StepQueue   = "queue"   // an event was read, and its handling has not begun
	StepResolve = "resolve" // queries find out what a call did
)

// Steps are what a call passes on its way, and may wait at.
func Steps() []string {
	return []string{StepQueue, "breaker", "rate", "slot", "sign", "exchange", "backoff", StepResolve}
}

// Causes are why records are not finished yet, in the order in which a dashboard stacks them.
func Causes() []string {
	return []string{"ready", "own_order", "calling", "breaker", "rate_limit", "retry", "person", "stopped", "window_full", "settling", "unread"}
}
