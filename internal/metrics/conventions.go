package metrics

// The metrics of OpenTelemetry's semantic conventions for HTTP clients and for messaging. Ready-made
// dashboards know them. They say less than ours: an answer with HTTP status 200 may be a failure of Alipay's.

// conventionBuckets are those that the conventions advise.
var conventionBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

var (
	labelSystem      = Label{Name: "messaging.system", Help: "the messaging system", Values: []string{"kafka"}}
	labelGroup       = Label{Name: "messaging.consumer.group.name", Help: "the consumer group of a pipeline"}
	labelDestination = Label{Name: "messaging.destination.name", Help: "a topic of the settings"}
)

// operation is the label of the operations of a metric.
func operation(names ...string) Label {
	return Label{Name: "messaging.operation.name", Help: "what is done with messages", Values: names}
}

// errorType is the label of an operation that failed.
func errorType(help string, values ...string) Label {
	return Label{Name: "error.type", Help: help + "; absent: it did not fail", Values: values, Optional: true}
}

// optional returns a label that some series do not have.
func optional(l Label) Label {
	l.Optional = true
	return l
}

// statuses are the HTTP statuses that gateways, and proxies before them, answer with.
var statuses = []string{
	"200", "201", "202", "204", "301", "302", "303", "307", "308", "400", "401", "403", "404", "405", "408", "411", "413", "414", "415", "421", "429", "431",
	"500", "501", "502", "503", "504", "520", "521", "522", "523", "524", "525", "526",
}

var (
	HTTPDuration = Metric{
		Name: "http.client.request.duration", Kind: Histogram, Unit: "s", Buckets: conventionBuckets,
		Help: "Requests to gateways, from the search for a connection to the end of the answer. Downloads of certificates are not counted.",
		Labels: []Label{
			{Name: "http.request.method", Help: "method of HTTP", Values: []string{"POST"}},
			{Name: "server.address", Help: "host of a gateway of the settings"},
			{Name: "server.port", Help: "port of a gateway of the settings", Number: true},
			{Name: "http.response.status_code", Help: "status of the answer", Values: statuses, Optional: true, Number: true},
			errorType("the status of a failure, or why there is no answer", append([]string{"not_sent", "timeout", "no_answer"}, statuses[9:]...)...),
		},
	}
	OperationDuration = Metric{
		Name: "messaging.client.operation.duration", Kind: Histogram, Unit: "s", Buckets: conventionBuckets,
		Help:   "Requests of pipelines to brokers: send is a produce request, poll a fetch, which may wait a quarter of a second for records, commit one that commits offsets. One request is for many topics. What a broker refuses in its answer is no failure here.",
		Labels: []Label{labelSystem, operation("send", "poll", "commit"), optional(labelGroup), errorType("why there is no answer", "timeout", "connection")},
	}
	MessagesSent = Metric{
		Name: "messaging.client.sent.messages", Kind: Counter, Unit: "{message}", Zero: true,
		Help:   "Records of transactions that ended.",
		Labels: []Label{labelSystem, operation("send"), labelDestination, errorType("how the transaction failed", "refused", "fenced", "failed")},
	}
	MessagesConsumed = Metric{
		Name: "messaging.client.consumed.messages", Kind: Counter, Unit: "{message}", Zero: true,
		Help:   "Records that pipelines fetched, counted by batches: with markers of transactions, records of transactions that were aborted, and what is read again.",
		Labels: []Label{labelSystem, operation("poll"), labelDestination, labelGroup},
	}
	ProcessDuration = Metric{
		Name: "messaging.process.duration", Kind: Histogram, Unit: "s", Buckets: conventionBuckets,
		Help:   "The handling of an event, from its start to its outcome, with waits for Alipay and without the wait for its turn before and for the commit after.",
		Labels: []Label{labelSystem, operation("process"), labelDestination, labelGroup, errorType("the handling ended without an outcome, and is repeated", "no_outcome")},
	}
)

// The connections to Kafka, and the membership of groups.
var (
	KafkaConnections = Metric{
		Name: "bridge.kafka.connections", Kind: Gauge, Unit: "{connection}",
		Help: "Connections to brokers that are open.",
	}
	KafkaDisconnects = Metric{
		Name: "bridge.kafka.disconnects", Kind: Counter, Unit: "{connection}", Zero: true,
		Help: "Connections to brokers that ended, also idle ones.",
	}
	KafkaConnectFailures = Metric{
		Name: "bridge.kafka.connect.failures", Kind: Counter, Unit: "{attempt}", Zero: true,
		Help:   "Attempts to connect to a broker that failed.",
		Labels: []Label{{Name: "reason", Help: "why there is no connection: the name of the broker, its port, no answer in time, TLS, the authentication, or something else", Values: ConnectFailures()}},
	}
	Rebalances = Metric{
		Name: "bridge.rebalances", Kind: Counter, Unit: "{assignment}", Zero: true,
		Help:   "Assignments of partitions in the group of a pipeline. A change of its members has two of them.",
		Labels: []Label{labelPipeline, {Name: "end", Help: "assigned: a broker answered which partitions are ours; lost: the membership ended by an error, and with it the partitions", Values: []string{"assigned", "lost"}}},
	}
	PushFailures = Metric{
		Name: "bridge.metrics.push.failures", Kind: Counter, Unit: "{push}", Zero: true,
		Help: "Pushes of metrics that a collector did not take. The next push has the same counts, and more.",
	}
)

// ConnectFailures are why a connection to a broker cannot be made.
func ConnectFailures() []string { return []string{"dns", "refused", "timeout", "tls", "sasl", "other"} }
