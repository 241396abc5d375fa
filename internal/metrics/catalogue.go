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
		Help:   "Events of which it is known that their outcome is committed. end is result, dead_letter (without a result) or skip.",
		Labels: []Label{labelTopic, {Name: "end", Help: "how the event ended", Values: []string{"result", "dead_letter", "skip"}}},
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
		Help:   "How long calls were at each step of their way: breaker, rate limit, slot, signature, exchange, pause before another attempt.",
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
		Help:   "1 while the last answer to an account said that a person must act: keys, tokens, permissions.",
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
	PartitionsAssigned = Metric{
		Name: "bridge.partitions.assigned", Kind: Gauge, Unit: "{partition}",
		Help:   "Partitions that this instance owns.",
		Labels: []Label{labelPipeline},
	}
	PartitionStopped = Metric{
		Name: "bridge.partition.stopped", Kind: Gauge, Unit: "{state}",
		Help:   "1 for a partition that is left alone until an operator has decided. The line \"partition stopped\" says why.",
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
		Help:   "Transactions that the brokers refused because of an older generation or a second owner of the slot.",
		Labels: []Label{labelPipeline, {Name: "reason", Help: "what was refused", Values: []string{"generation", "slot"}}},
	}
	Progressing = Metric{
		Name: "bridge.progressing", Kind: Gauge, Unit: "{state}",
		Help:   "1 while a pipeline can make progress, as /readyz sees it.",
		Labels: []Label{labelPipeline},
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
		Help: "Spans that a collector did not take. Those that a full queue drops before are not counted.",
	}
)

// All is the whole table.
func All() []*Metric {
	return []*Metric{
		&Events, &Results, &EventAge, &DeadLetters,
		&Attempts, &AttemptDuration, &StepDuration, &CallsInFlight, &CallsLimit, &BreakerState, &AnswersUntrusted, &AccountStopped,
		&UnknownOutcomeOldest, &ClockOffset, &CredentialExpiry,
		&Lag, &OldestWaiting, &PartitionsAssigned, &PartitionStopped, &HeadAge, &WindowUsed, &HeldBytes, &HeldBytesLimit, &Stalled,
		&SettleDuration, &SettleLastSuccess, &SettlePending, &Fenced, &Progressing,
		&BuildInfo, &ConfigInfo, &ReloadFailed, &SpansLost, &ReplicasWanted,
	}
}
