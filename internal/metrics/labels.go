package metrics

// The labels of the table. A set without values here comes from the settings.
var (
	labelApp       = Label{Name: "app", Help: "name of an app in the settings"}
	labelAccount   = Label{Name: "account", Help: "name of an account in the settings"}
	labelPipeline  = Label{Name: "pipeline", Help: "the pipeline that reads the events", Values: []string{"calls", "queries"}}
	labelTopic     = Label{Name: "topic", Help: "an input topic of the settings"}
	labelLetters   = Label{Name: "topic", Help: "a topic for dead letters of the settings"}
	labelPartition = Label{Name: "partition", Help: "number of a partition that is assigned", Free: true}
	labelMethod    = Label{Name: "method", Help: "the method of Alipay's that is called", Values: Methods()}
	labelClass     = Label{Name: "class", Help: "the class of an answer, docs/codes.md", Values: Classes()}
	labelOutcome   = Label{Name: "outcome", Help: "the outcome of an event, as its result has it", Values: Outcomes()}
	labelReason    = Label{Name: "reason", Help: "the reason of a dead letter, docs/howto/read-the-outputs.md", Values: DeadReasons()}
	labelStep      = Label{Name: "step", Help: "what a call waits for", Values: Steps()}
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

// Steps are what a call passes on its way, and may wait at.
func Steps() []string { return []string{"breaker", "rate", "slot", "sign", "exchange", "backoff"} }

// Causes are why records are not finished yet, in the order in which a dashboard stacks them.
func Causes() []string {
	return []string{"ready", "own_order", "calling", "breaker", "rate_limit", "retry", "person", "stopped", "window_full", "settling", "unread"}
}
