package metrics

// Buckets, in seconds. An exchange takes tens of milliseconds up to its deadline of 15 s; an event is
// visible within a second, or after an outage.
var (
	exchangeBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30}
	ageBuckets      = []float64{.1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600}
	waitBuckets     = []float64{.001, .01, .1, .5, 1, 5, 10, 30, 60, 300, 900}
)

// The events, counted when their outcomes are committed.
var (
	Events = Metric{
		Name: "bridge.events", Kind: Counter, Unit: "{event}", Zero: true,
		Help:   "Events of which it is known that their outcome is committed. end is result, dead_letter (without a result) or skip; of a query of the sweep snapshot (it showed a trade) or skip; of an observation status (a change of its order was published), query (Alipay is asked) or skip.",
		Labels: []Label{labelTopic, {Name: "end", Help: "how the event ended", Values: []string{"result", "dead_letter", "skip", "snapshot", "status", "query"}}},
	}
	Results = Metric{
		Name: "bridge.results", Kind: Counter, Unit: "{result}", Zero: true,
		Help:   "Results that became visible.",
		Labels: []Label{labelAccount, labelOutcome},
	}
	EventAge = Metric{
		Name: "bridge.event.age", Kind: Histogram, Unit: "s", Buckets: ageBuckets,
		Help:   "From the timestamp of an event's record to the commit of its outcome.",
		Labels: []Label{labelAccount},
	}
	DeadLetters = Metric{
		Name: "bridge.dead.letters", Kind: Counter, Unit: "{record}", Zero: true,
		Help:   "Dead letters that became visible.",
		Labels: []Label{labelLetters, labelReason},
	}
	DeadLettersRefused = Metric{
		Name: "bridge.dead.letters.refused", Kind: Counter, Unit: "{transaction}", Zero: true,
		Help:   "Transactions that failed because the brokers refused a topic for dead letters, or a dead letter without the bytes of its original. What they refuse is held back with its order, and tried again at least once a minute.",
		Labels: []Label{labelLetters},
	}
)

// The calls.
var (
	Attempts = Metric{
		Name: "bridge.attempts", Kind: Counter, Unit: "{attempt}", Zero: true,
		Help:   "Exchanges with Alipay that have ended, also those that ask what became of a call.",
		Labels: []Label{labelApp, labelAccount, labelMethod, labelClass},
	}
	AttemptDuration = Metric{
		Name: "bridge.attempt.duration", Kind: Histogram, Unit: "s", Buckets: exchangeBuckets,
		Help:   "An exchange with Alipay, from the first byte that is sent to the verified answer.",
		Labels: []Label{labelApp, labelMethod, labelClass},
	}
	StepDuration = Metric{
		Name: "bridge.step.duration", Kind: Histogram, Unit: "s", Buckets: waitBuckets,
		Help:   "How long calls were at each step of their way: queue (from when an event was decoded until its handling began: behind its order, for a start or for memory), breaker, rate limit, slot, signature, exchange, pause before another attempt. resolve is one search for what became of a create whose outcome is not known, also if it was interrupted: the steps of its queries are counted under their own method as well.",
		Labels: []Label{labelApp, labelMethod, labelStep},
	}
	CallsInFlight = Metric{
		Name: "bridge.calls.in.flight", Kind: Gauge, Unit: "{call}",
		Help:   "Exchanges with Alipay that run.",
		Labels: []Label{labelApp, labelPipeline},
	}
	CallsLimit = Metric{
		Name: "bridge.calls.limit", Kind: Gauge, Unit: "{call}",
		Help:   "Exchanges that may run at a time.",
		Labels: []Label{labelApp, labelPipeline},
	}
	BreakerState = Metric{
		Name: "bridge.breaker.state", Kind: Gauge, Unit: "{state}",
		Help:   "State of a circuit breaker: 0 closed, 1 half open, 2 open.",
		Labels: []Label{labelApp, labelPipeline, labelMethod},
	}
	AnswersUntrusted = Metric{
		Name: "bridge.answers.untrusted", Kind: Gauge, Unit: "{state}",
		Help:   "1 while no answer of an app is provably Alipay's, and its events wait.",
		Labels: []Label{labelApp, labelPipeline},
	}
	AccountStopped = Metric{
		Name: "bridge.account.stopped", Kind: Gauge, Unit: "{state}",
		Help:   "1 while an account waits for a person: the last answer said that someone must correct keys, tokens or permissions, and calls are still made.",
		Labels: []Label{labelApp, labelAccount, {Name: "reason", Help: "why it is stopped", Values: []string{"misconfigured"}}},
	}
	UnknownOutcomeOldest = Metric{
		Name: "bridge.unknown.outcome.oldest", Kind: Gauge, Unit: "s",
		Help:   "How long the oldest call has been of which it is not known whether it took effect; absent if there is none.",
		Labels: []Label{labelAccount, labelMethod},
	}
	ClockOffset = Metric{
		Name: "bridge.clock.offset", Kind: Gauge, Unit: "s",
		Help:   "How far our clock is ahead of a gateway's, by its last answer. 0 while they agree as far as an answer can show.",
		Labels: []Label{labelApp},
	}
	CredentialExpiry = Metric{
		Name: "bridge.credential.expiry.timestamp", Kind: Gauge, Unit: "s",
		Help:   "When a certificate or key ends, as Unix time.",
		Labels: []Label{labelApp, {Name: "credential", Help: "the setting that names it", Free: true}},
	}
)

// The engine: what is read, waits and is settled.
var (
	Lag = Metric{
		Name: "bridge.lag.records", Kind: Gauge, Unit: "{record}",
		Help:   "Records that have no committed outcome, by what they wait for. The causes add up to the whole lag. Only ready is lag that another instance would reduce.",
		Labels: []Label{labelTopic, {Name: "cause", Help: "what the records wait for", Values: Causes()}},
	}
	OldestWaiting = Metric{
		Name: "bridge.oldest.waiting", Kind: Gauge, Unit: "s",
		Help:   "How long the oldest event without an outcome has waited since it was read, by what it waits for.",
		Labels: []Label{labelAccount, {Name: "cause", Help: "what the event waits for", Values: Causes()}},
	}
	HotKeyDrain = Metric{
		Name: "bridge.hot.key.drain", Kind: Gauge, Unit: "s",
		Help:   "How long the order with the most waiting events of a topic will take: the events behind its first one, at most 200, each for as long as a handling with a call took lately. 0 if no event waits for an earlier one of its order. More instances do not help such an order.",
		Labels: []Label{labelTopic},
	}
	PartitionsAssigned = Metric{
		Name: "bridge.partitions.assigned", Kind: Gauge, Unit: "{partition}",
		Help:   "Partitions that this instance owns.",
		Labels: []Label{labelPipeline},
	}
	PartitionsRestoring = Metric{
		Name: "bridge.partitions.restoring", Kind: Gauge, Unit: "{partition}",
		Help:   "Partitions that are not read yet, because the state of their orders is still read from Kafka.",
		Labels: []Label{labelPipeline},
	}
	PartitionStopped = Metric{
		Name: "bridge.partition.stopped", Kind: Gauge, Unit: "{state}",
		Help:   "1 for a partition that is left alone until an operator has decided. The line \"partition stopped\" says why.",
		Labels: []Label{labelTopic, labelPartition},
	}
	InputLost = Metric{
		Name: "bridge.input.lost", Kind: Gauge, Unit: "{state}",
		Help:   "1 for a partition that is stopped because records were deleted before they were read.",
		Labels: []Label{labelTopic, labelPartition},
	}
	StableStuck = Metric{
		Name: "bridge.last.stable.offset.stuck", Kind: Gauge, Unit: "s",
		Help:   "How long the last stable offset of a partition has stood still before records that were written later: a transaction of a producer is open, and nothing behind it is read. 0 while it moves.",
		Labels: []Label{labelTopic, labelPartition},
	}
	RetentionLeft = Metric{
		Name: "bridge.head.retention.left", Kind: Gauge, Unit: "s",
		Help:   "In what time the brokers may delete the first record without an outcome, by its timestamp and the topic's retention.ms. Only where that record has waited for 5 minutes.",
		Labels: []Label{labelTopic, labelPartition},
	}
	HeadAge = Metric{
		Name: "bridge.partition.head.age", Kind: Gauge, Unit: "s",
		Help:   "How long the first record without an outcome has waited since it was read: nothing behind it can be committed as finished for good.",
		Labels: []Label{labelTopic, labelPartition},
	}
	WindowUsed = Metric{
		Name: "bridge.window.used", Kind: Gauge, Unit: "1",
		Help:   "Share of a partition's window that lies between its first record without an outcome and the last that was read.",
		Labels: []Label{labelTopic, labelPartition},
	}
	HeldBytes = Metric{
		Name: "bridge.held", Kind: Gauge, Unit: "By",
		Help:   "Records and outcomes in memory.",
		Labels: []Label{labelPipeline},
	}
	HeldBytesLimit = Metric{
		Name: "bridge.held.limit", Kind: Gauge, Unit: "By",
		Help:   "From this on, no more records are read.",
		Labels: []Label{labelPipeline},
	}
	Stalled = Metric{
		Name: "bridge.stalled", Kind: Gauge, Unit: "{state}",
		Help:   "1 while events could be handled, nothing that is known explains a wait, and for a minute none was finished.",
		Labels: []Label{labelPipeline},
	}
	SettleDuration = Metric{
		Name: "bridge.settle.duration", Kind: Histogram, Unit: "s", Buckets: waitBuckets,
		Help:   "A transaction with outcomes and offsets, from its begin to its commit or failure.",
		Labels: []Label{labelPipeline, {Name: "end", Help: "how it ended", Values: []string{"committed", "refused", "fenced", "failed"}}},
	}
	SettleLastSuccess = Metric{
		Name: "bridge.settle.last.success.timestamp", Kind: Gauge, Unit: "s",
		Help:   "When a transaction was committed last, as Unix time; the start of the process before the first.",
		Labels: []Label{labelPipeline},
	}
	SettlePending = Metric{
		Name: "bridge.settle.pending", Kind: Gauge, Unit: "{outcome}",
		Help:   "Outcomes that are not committed yet.",
		Labels: []Label{labelPipeline},
	}
	Fenced = Metric{
		Name: "bridge.fenced", Kind: Counter, Unit: "{fence}", Zero: true,
		Help:   "Transactions that the brokers refused because of an older generation or another producer with the same transactional id. That may be our own previous one; if it happens again within a minute, another process has the slot, and this one ends.",
		Labels: []Label{labelPipeline, {Name: "reason", Help: "what was refused", Values: []string{"generation", "producer", "slot"}}},
	}
	AuditEvents = Metric{
		Name: "bridge.audit.events", Kind: Counter, Unit: "{event}", Zero: true,
		Help:   "Events whose offsets are committed, by what the topics show of them. result, skip and dead_letter are as it should be; unaccounted has no outcome, repeated has two results, letter_missing a result that says that there is a dead letter where there is none. left_out was not audited, because too much was finished out of order. Counted by the one instance of a group that audits.",
		Labels: []Label{{Name: "end", Help: "what the topics show", Values: []string{"result", "skip", "dead_letter", "unaccounted", "repeated", "letter_missing", "left_out"}}},
	}
	AuditLast = Metric{
		Name: "bridge.audit.last.timestamp", Kind: Gauge, Unit: "s",
		Help: "When the audit was complete last, as Unix time: its begin before the first round. Absent on instances that do not audit.",
	}
	Progressing = Metric{
		Name: "bridge.progressing", Kind: Gauge, Unit: "{state}",
		Help:   "1 while a pipeline can make progress, as /readyz sees it.",
		Labels: []Label{labelPipeline},
	}
)

// The notifications that Alipay sends.
var (
	Notifications = Metric{
		Name: "bridge.notifications", Kind: Counter, Unit: "{notification}", Zero: true,
		Help:   "Requests to the port for notifications, by what became of them. accepted and late are durable in Kafka; Alipay repeats what was not answered with success. The account is _other where the path names none.",
		Labels: []Label{labelAccount, labelVerdict},
	}
	NotificationDuration = Metric{
		Name: "bridge.notification.duration", Kind: Histogram, Unit: "s", Buckets: exchangeBuckets,
		Help:   "From the head of a request to the port for notifications until its answer.",
		Labels: []Label{labelVerdict},
	}
	NotifyConnections = Metric{
		Name: "bridge.notify.connections", Kind: Gauge, Unit: "{connection}",
		Help: "Connections to the port for notifications that are open. Absent where the port is not served.",
	}
	NotifyConnectionsLimit = Metric{
		Name: "bridge.notify.connections.limit", Kind: Gauge, Unit: "{connection}",
		Help: "How many connections to the port for notifications may be open.",
	}
	NotifyConnectionsRefused = Metric{
		Name: "bridge.notify.connections.refused", Kind: Counter, Unit: "{connection}", Zero: true,
		Help:   "Connections to the port for notifications that were closed at once: beyond the limit of all, or of one address.",
		Labels: []Label{{Name: "limit", Help: "the limit that a connection was beyond", Values: []string{"all", "address"}}},
	}
)

// Trade status, counted when a change is committed.
var (
	StatusChanges = Metric{
		Name: "bridge.status.changes", Kind: Counter, Unit: "{change}", Zero: true,
		Help:   "Changes of orders that were published to trade-status, by the state after them.",
		Labels: []Label{labelAccount, {Name: "state", Help: "the state of the order, docs/consumers.md", Values: States()}},
	}
	StatusNewOrders = Metric{
		Name: "bridge.status.new.orders", Kind: Counter, Unit: "{order}", Zero: true,
		Help:   "Orders whose first version was published to trade-status. Trade status does not know the input topic of an order, so they are counted by account. An order that was forgotten and comes again is new.",
		Labels: []Label{labelAccount},
	}
	StatusNewOrdersCeiling = Metric{
		Name: "bridge.status.new.orders.ceiling", Kind: Gauge, Unit: "{order}",
		Help:   "How many new orders of an account a day are usual at most, from the setting new_orders_per_day; 0: there is no ceiling. Absent on instances that do not merge trade status.",
		Labels: []Label{labelAccount},
	}
	StatusAnomalies = Metric{
		Name: "bridge.status.anomalies", Kind: Counter, Unit: "{anomaly}", Zero: true,
		Help:   "Anomalies of orders that were published for the first time, docs/consumers.md.",
		Labels: []Label{labelOrdersOf, {Name: "kind", Help: "what is odd about the order", Values: Anomalies()}},
	}
	PaymentsLearned = Metric{
		Name: "bridge.payments.learned", Kind: Counter, Unit: "{payment}", Zero: true,
		Help:   "Orders of which Alipay said for the first time that they are paid, by what said so. They count also where the order is held. Where the sweep said so, no notification came.",
		Labels: []Label{labelAccount, {Name: "by", Help: "what said so", Values: []string{"notification", "snapshot", "sweep"}}},
	}
	ObservationsRefused = Metric{
		Name: "bridge.observations.refused", Kind: Counter, Unit: "{observation}", Zero: true,
		Help:   "Records of trade-observations that were not merged: no part of the bridge wrote them, or they cannot be handled.",
		Labels: []Label{{Name: "reason", Help: "why, docs/reasons.md", Values: ObservationReasons()}},
	}
	StatusOrders = Metric{
		Name: "bridge.status.orders", Kind: Gauge, Unit: "{order}",
		Help:   "Orders that a person should look at: held until someone accepts them, or unresolved, because nothing was heard of them until the sweep ended. A partition counts up to 1,000.",
		Labels: []Label{labelForPerson},
	}
	StatusOldest = Metric{
		Name: "bridge.status.oldest", Kind: Gauge, Unit: "s",
		Help:   "How long the oldest order that a person should look at has been held or unresolved; absent if there is none. What was so before the process started counts from its last change.",
		Labels: []Label{labelOrdersOf, labelForPerson},
	}
	StatusStoreSize = Metric{
		Name: "bridge.status.store.size", Kind: Gauge, Unit: "By",
		Help: "Size of the copy of trade status on disk. Absent where trade status does not run.",
	}
	StatusStoreFailing = Metric{
		Name: "bridge.status.store.failing", Kind: Gauge, Unit: "{state}",
		Help: "1 while the copy of trade status on disk cannot be opened, or the disk refused the last write to it.",
	}
	StatusStoreWaiting = Metric{
		Name: "bridge.status.store.waiting", Kind: Gauge, Unit: "{change}",
		Help: "Committed changes of orders that the disk has not taken yet. With 20,000 of them a partition takes no more observations.",
	}
	StatusStoreEmptied = Metric{
		Name: "bridge.status.store.emptied.timestamp", Kind: Gauge, Unit: "s",
		Help: "When the process emptied the copy of trade status on disk, because it was damaged or of another version or group, as Unix time. Absent where it did not.",
	}
)

// The process.
var (
	BuildInfo = Metric{
		Name: "bridge.build.info", Kind: Gauge, Unit: "{process}",
		Help:   "1, with the version of the binary.",
		Labels: []Label{{Name: "version", Help: "version of the binary", Free: true}, {Name: "goversion", Help: "version of Go", Free: true}},
	}
	ConfigInfo = Metric{
		Name: "bridge.config.info", Kind: Gauge, Unit: "{process}",
		Help:   "1, with the SHA-256 of the settings file in force: its first 16 digits.",
		Labels: []Label{{Name: "hash", Help: "first digits of the SHA-256", Free: true}},
	}
	ReloadFailed = Metric{
		Name: "bridge.config.reload.failed", Kind: Gauge, Unit: "{state}",
		Help: "1 while the settings file, or a file that it names, has faults and what was read before stays in force.",
	}
	ReplicasWanted = Metric{
		Name: "bridge.replicas.wanted", Kind: Gauge, Unit: "{instance}",
		Help: "How many instances the work of this one wants; the sum over all is what the group wants. What waits for Alipay, a person or its own order wants none.",
	}
	SpansLost = Metric{
		Name: "bridge.spans.lost", Kind: Counter, Unit: "{span}", Zero: true,
		Help: "Spans that a collector did not take, and those for which the queue to it had no room.",
	}
)

// All is the whole table.
func All() []*Metric {
	return []*Metric{
		&Events, &Results, &EventAge, &DeadLetters, &DeadLettersRefused,
		&Attempts, &AttemptDuration, &StepDuration, &CallsInFlight, &CallsLimit, &BreakerState, &AnswersUntrusted, &AccountStopped,
		&UnknownOutcomeOldest, &ClockOffset, &CredentialExpiry,
		&Lag, &OldestWaiting, &HotKeyDrain, &PartitionsAssigned, &PartitionsRestoring, &PartitionStopped, &InputLost, &StableStuck, &RetentionLeft, &HeadAge, &WindowUsed, &HeldBytes, &HeldBytesLimit, &Stalled,
		&SettleDuration, &SettleLastSuccess, &SettlePending, &Fenced, &AuditEvents, &AuditLast, &Progressing,
		&Notifications, &NotificationDuration, &NotifyConnections, &NotifyConnectionsLimit, &NotifyConnectionsRefused,
		&StatusChanges, &StatusNewOrders, &StatusNewOrdersCeiling, &StatusAnomalies, &PaymentsLearned, &ObservationsRefused, &StatusOrders, &StatusOldest, &StatusStoreSize, &StatusStoreFailing, &StatusStoreWaiting, &StatusStoreEmptied,
		&BuildInfo, &ConfigInfo, &ReloadFailed, &SpansLost, &ReplicasWanted,
		&HTTPDuration, &OperationDuration, &MessagesSent, &MessagesConsumed, &ProcessDuration,
		&KafkaConnections, &KafkaDisconnects, &KafkaConnectFailures, &Rebalances, &PushFailures,
	}
}
