package main

import (
	"fmt"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/metrics"
)

// all are the dashboards by the names of their files.
func all() map[string]any {
	return map[string]any{"overview": overview(), "engine": engine(), "status": tradeStatus()}
}

// overview is for whoever is called at night: what happens, where the time goes, whose turn it is.
func overview() any {
	var d board
	d.row("Now")
	d.text("The sentence that sums an instance up: `bridge status`, or /status on its admin port. Orders that wait: `bridge stuck`. Alerts and what to do: docs/runbooks.md.")
	d.stat("Instances", "instances", of(&metrics.BuildInfo).count())
	d.stat("Pipelines that can make progress", "pipelines", of(&metrics.Progressing).sum())
	d.stat("Accounts that wait for a person", "accounts", of(&metrics.AccountStopped).max("app", "account").sum())
	d.stat("Partitions stopped", "partitions", of(&metrics.PartitionStopped).sum(), of(&metrics.InputLost).sum())
	d.states("Breakers: 0 closed, 1 half open, 2 open", of(&metrics.BreakerState).max("app", "method"))
	d.row("Flow")
	d.lines("Events that ended", "events/s", of(&metrics.Events).rate().sum("end"))
	d.lines("Results by outcome", "results/s", of(&metrics.Results).rate().sum("outcome"))
	d.stack("Lag by what the records wait for", "records", of(&metrics.Lag).sum("cause"))
	d.lines("Dead letters by reason, in 15 minutes", "records", of(&metrics.DeadLetters).increase("15m").sum("reason"))
	d.lines("Dead letters that the brokers refuse, in 15 minutes", "transactions", of(&metrics.DeadLettersRefused).increase("15m").sum("topic"))
	d.lines("Audited events by what the topics show", "events/s", of(&metrics.AuditEvents).rate().sum("end"))
	d.lines("Seconds since events and outcomes were compared", "s", expr{"time() - " + of(&metrics.AuditLast).max().text, ""})
	d.row("Where the time goes")
	d.lines("Age of an event when its outcome is visible: half, and 99 of 100", "s", of(&metrics.EventAge).quantile(0.5), of(&metrics.EventAge).quantile(0.99))
	d.stack("Time of calls at each step, per second", "s/s", of(&metrics.StepDuration).timePerSecond("step"))
	d.lines("An exchange with Alipay: 99 of 100, by method", "s", of(&metrics.AttemptDuration).quantile(0.99, "method"))
	d.lines("Exchanges by class", "calls/s", of(&metrics.Attempts).rate().sum("class"))
	d.row("Whose turn")
	d.lines("The longest wait of each account", "s", of(&metrics.OldestWaiting).max("account", "cause"))
	d.lines("Calls of which it is not known whether they took effect: the oldest", "s", of(&metrics.UnknownOutcomeOldest).max("account", "method"))
	d.lines("Days until a certificate or key ends", "d", expr{fmt.Sprintf("(%s - time()) / 86400", of(&metrics.CredentialExpiry).min("app", "credential").text), "{{app}} {{credential}}"})
	d.lines("Our clock is ahead of the gateway's", "s", of(&metrics.ClockOffset).max("app"))
	return d.json("bridge-overview", "Bridge: overview")
}

// engine is for whoever looks for the cause inside.
func engine() any {
	var d board
	d.row("Reading and calling")
	d.lines("Partitions by instance", "partitions", of(&metrics.PartitionsAssigned).sum("instance", "pipeline"))
	d.lines("Calls in flight, and the limit", "calls", of(&metrics.CallsInFlight).sum("app", "pipeline"), of(&metrics.CallsLimit).sum("app", "pipeline"))
	d.lines("The oldest first record of a partition", "s", of(&metrics.HeadAge).max("topic"))
	d.lines("Until the brokers delete the first event that waits", "s", of(&metrics.RetentionLeft).min("topic"))
	d.lines("The longest open transaction of a producer", "s", of(&metrics.StableStuck).max("topic"))
	d.lines("The fullest window", "", of(&metrics.WindowUsed).max("topic"))
	d.lines("The order with the most waiting events: until it is worked off", "s", of(&metrics.HotKeyDrain).max("topic"))
	d.lines("Records and outcomes in memory, and the limit", "bytes", of(&metrics.HeldBytes).sum("instance", "pipeline"), of(&metrics.HeldBytesLimit).max("pipeline"))
	d.lines("Instances wanted, and those that run", "instances", of(&metrics.ReplicasWanted).sum(), of(&metrics.BuildInfo).count())
	d.row("Settling")
	d.lines("A transaction: 99 of 100", "s", of(&metrics.SettleDuration).quantile(0.99, "pipeline"))
	d.lines("Transactions by end", "1/s", of(&metrics.SettleDuration).countRate("pipeline", "end"))
	d.lines("Outcomes that are not committed", "outcomes", of(&metrics.SettlePending).sum("pipeline"))
	d.lines("Seconds since the last commit", "s", expr{"time() - " + of(&metrics.SettleLastSuccess).max("instance", "pipeline").text, "{{instance}} {{pipeline}}"})
	d.lines("Fences in 15 minutes", "fences", of(&metrics.Fenced).increase("15m").sum("reason"))
	d.row("Brokers and gateways")
	d.lines("Requests to gateways: 99 of 100", "s", of(&metrics.HTTPDuration).quantile(0.99, "server_address"))
	d.lines("Requests to gateways by answer", "1/s", of(&metrics.HTTPDuration).countRate("http_response_status_code", "error_type"))
	d.lines("Requests to brokers: 99 of 100", "s", of(&metrics.OperationDuration).quantile(0.99, "messaging_operation_name"))
	d.lines("Records read and sent", "records/s", of(&metrics.MessagesConsumed).rate().sum("messaging_destination_name"), of(&metrics.MessagesSent).rate().sum("messaging_destination_name"))
	d.lines("A handling, with its waits: 99 of 100", "s", of(&metrics.ProcessDuration).quantile(0.99, "messaging_destination_name"))
	d.lines("Connections to brokers", "connections", of(&metrics.KafkaConnections).sum("instance"))
	d.lines("Connections that ended or failed, in 15 minutes", "connections", of(&metrics.KafkaDisconnects).increase("15m").sum(), of(&metrics.KafkaConnectFailures).increase("15m").sum("reason"))
	d.lines("Assignments in 15 minutes", "assignments", of(&metrics.Rebalances).increase("15m").sum("pipeline"))
	d.row("Process")
	d.lines("Processor", "cores", expr{"rate(process_cpu_seconds_total[5m])", "{{instance}}"})
	d.lines("Resident memory", "bytes", expr{"process_resident_memory_bytes", "{{instance}}"})
	d.lines("Goroutines", "", expr{"go_goroutines", "{{instance}}"})
	d.lines("Spans lost in 15 minutes", "spans", of(&metrics.SpansLost).increase("15m").sum())
	d.lines("Pushes of metrics that failed, in 15 minutes", "pushes", of(&metrics.PushFailures).increase("15m").sum())
	d.lines("Settings that are not in force", "instances", of(&metrics.ReloadFailed).sum())
	return d.json("bridge-engine", "Bridge: engine")
}

// tradeStatus is for those who look after payments: notifications, and what became of orders.
func tradeStatus() any {
	var d board
	d.row("Notifications")
	d.lines("Notifications by what became of them", "1/s", of(&metrics.Notifications).rate().sum("verdict"))
	d.lines("Notifications that were refused, by account, in 15 minutes", "notifications", expr{`sum by (account, verdict) (increase(bridge_notifications_total{verdict!~"accepted|late|other_type"}[15m]))`, "{{account}} {{verdict}}"})
	d.lines("From request to answer: 99 of 100", "s", of(&metrics.NotificationDuration).quantile(0.99, "verdict"))
	d.lines("Connections, and the limit", "connections", of(&metrics.NotifyConnections).sum("instance"), of(&metrics.NotifyConnectionsLimit).max())
	d.lines("Connections refused in 15 minutes", "connections", of(&metrics.NotifyConnectionsRefused).increase("15m").sum("limit"))
	d.row("Orders")
	d.lines("Changes by state", "1/s", of(&metrics.StatusChanges).rate().sum("state"))
	d.lines("New orders in a day, and the ceiling", "orders", of(&metrics.StatusNewOrders).increase("1d").sum("account"), of(&metrics.StatusNewOrdersCeiling).max("account"))
	d.lines("Payments by what showed them first", "1/s", of(&metrics.PaymentsLearned).rate().sum("by"))
	d.lines("Orders that a person should look at", "orders", of(&metrics.StatusOrders).sum("state"))
	d.lines("The order that waits longest for a person", "s", of(&metrics.StatusOldest).max("account", "state"))
	d.lines("Anomalies in an hour", "anomalies", of(&metrics.StatusAnomalies).increase("1h").sum("account", "kind"))
	d.lines("Observations that were not merged, in an hour", "observations", of(&metrics.ObservationsRefused).increase("1h").sum("reason"))
	d.row("The copy on disk")
	d.lines("Size", "bytes", of(&metrics.StatusStoreSize).max("instance"))
	d.lines("Changes that wait for the disk", "changes", of(&metrics.StatusStoreWaiting).max("instance"))
	d.lines("The disk refuses it", "instances", of(&metrics.StatusStoreFailing).sum())
	d.lines("Partitions that are restored now", "partitions", of(&metrics.PartitionsRestoring).sum("pipeline"))
	return d.json("bridge-status", "Bridge: notifications and trade status")
}

// expr is a query with the legend of its series.
type expr struct{ text, legend string }

// query builds expressions over one metric. A label that the metric does not have is a panic: the
// generator then writes nothing.
type query struct {
	m    *metrics.Metric
	text string
}

func of(m *metrics.Metric) query { return query{m, m.Prometheus()} }

func (q query) rate() query { return query{q.m, fmt.Sprintf("rate(%s[5m])", q.text)} }

func (q query) increase(over string) query {
	return query{q.m, fmt.Sprintf("increase(%s[%s])", q.text, over)}
}

func (q query) count() expr { return expr{fmt.Sprintf("count(%s)", q.text), "running"} }

func (q query) sum(labels ...string) expr { return q.by("sum", labels) }
func (q query) max(labels ...string) expr { return q.by("max", labels) }
func (q query) min(labels ...string) expr { return q.by("min", labels) }

func (q query) by(function string, labels []string) expr {
	legend := make([]string, len(labels))
	for i, l := range labels {
		if l != "instance" && !slices.Contains(q.m.LabelNames(), l) {
			panic(q.m.Name + " has no label " + l)
		}
		legend[i] = "{{" + l + "}}"
	}
	if len(labels) == 0 {
		return expr{fmt.Sprintf("%s(%s)", function, q.text), strings.ReplaceAll(q.m.Name, ".", " ")}
	}
	return expr{fmt.Sprintf("%s by (%s) (%s)", function, strings.Join(labels, ", "), q.text), strings.Join(legend, " ")}
}

func (e expr) sum() expr { return expr{"sum(" + e.text + ")", "all"} }

// histogram is the rate of one of the series of a histogram.
func (q query) histogram(suffix string) query {
	if q.m.Kind != metrics.Histogram {
		panic(q.m.Name + " is no histogram")
	}
	return query{q.m, fmt.Sprintf("rate(%s%s[5m])", q.m.Prometheus(), suffix)}
}

func (q query) quantile(share float64, labels ...string) expr {
	inner := q.histogram("_bucket").by("sum", labels)
	by := strings.Join(append(slices.Clone(labels), "le"), ", ")
	return expr{fmt.Sprintf("histogram_quantile(%g, sum by (%s) (%s))", share, by, q.histogram("_bucket").text), strings.TrimSpace(fmt.Sprintf("%g of 100 %s", 100*share, legendOf(labels, inner)))}
}

func legendOf(labels []string, e expr) string {
	if len(labels) == 0 {
		return ""
	}
	return e.legend
}

func (q query) timePerSecond(labels ...string) expr { return q.histogram("_sum").by("sum", labels) }
func (q query) countRate(labels ...string) expr     { return q.histogram("_count").by("sum", labels) }
