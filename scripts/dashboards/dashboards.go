package main

import (
	"fmt"

	"alipay-kafka-bridge/internal/metrics"
)

// all are the dashboards by the names of their files.
func all() map[string]any {
	return map[string]any{"overview": overview(), "provider": provider(), "engine": engine(), "status": tradeStatus()}
}

// overview is for whoever is called at night: what happens, where the time goes, whose turn it is.
func overview() any {
	d := board{variables: []string{app, account}}
	d.row("Now")
	d.text("The sentence that sums an instance up: `bridge status`, or /status on its admin port. Orders that wait: `bridge stuck`. Alerts and what to do: docs/runbooks.md.")
	d.table("Alerts that fire", "", expr{`ALERTS{alertname=~"Bridge.+",alertstate="firing"}`, ""}, "Time", "Value", "__name__", "alertstate", "job", "instance")
	d.stat("Instances", "instances", d.of(&metrics.BuildInfo).count())
	d.stat("Pipelines that can make progress", "pipelines", d.of(&metrics.Progressing).sum())
	d.stat("Accounts that wait for a person", "accounts", d.of(&metrics.AccountStopped).max("app", "account").sum())
	d.stat("Partitions stopped", "partitions", d.of(&metrics.PartitionStopped).sum(), d.of(&metrics.InputLost).sum())
	d.states("Breakers: 0 closed, 1 half open, 2 open", d.of(&metrics.BreakerState).max("app", "method"))
	d.row("Flow")
	d.lines("Events that ended", "events/s", d.of(&metrics.Events).rate().sum("end"))
	d.lines("Results by outcome", "results/s", d.of(&metrics.Results).rate().sum("outcome"))
	d.stack("Lag by what the records wait for", "records", d.of(&metrics.Lag).sum("cause"))
	d.lines("Dead letters by reason, in 15 minutes", "records", d.of(&metrics.DeadLetters).increase("15m").sum("reason"))
	d.lines("Dead letters that the brokers refuse, in 15 minutes", "transactions", d.of(&metrics.DeadLettersRefused).increase("15m").sum("topic"))
	d.lines("Audited events by what the topics show", "events/s", d.of(&metrics.AuditEvents).rate().sum("end"))
	d.lines("Seconds since events and outcomes were compared", "s", expr{"time() - " + d.of(&metrics.AuditLast).max().text, ""})
	d.row("Where the time goes")
	d.lines("Age of an event when its outcome is visible: half, and 99 of 100", "s", d.of(&metrics.EventAge).quantile(0.5), d.of(&metrics.EventAge).quantile(0.99))
	d.stack("Time of calls at each step, per second; resolve and queue are not stacked", "s/s", d.of(&metrics.StepDuration).timePerSecond("step"))
	d.unstacked(metrics.StepResolve)
	d.unstacked(metrics.StepQueue)
	d.lines("An exchange with Alipay: 99 of 100, by method", "s", d.of(&metrics.AttemptDuration).quantile(0.99, "method"))
	d.lines("Exchanges by class", "calls/s", d.of(&metrics.Attempts).rate().sum("class"))
	d.row("Whose turn")
	d.table("The accounts that wait longest", "s", d.of(&metrics.OldestWaiting).max("account", "cause").most(10), "Time")
	d.link("account", "bridge-provider")
	d.lines("The longest wait of each account", "s", d.of(&metrics.OldestWaiting).max("account", "cause"))
	d.lines("Calls of which it is not known whether they took effect: the oldest", "s", d.of(&metrics.UnknownOutcomeOldest).max("account", "method"))
	d.lines("Days until a certificate or key ends", "d", expr{fmt.Sprintf("(%s - time()) / 86400", d.of(&metrics.CredentialExpiry).min("app", "credential").text), "{{app}} {{credential}}"})
	d.lines("Our clock is ahead of the gateway's", "s", d.of(&metrics.ClockOffset).max("app"))
	return d.json("bridge-overview", "Bridge: overview")
}

// engine is for whoever looks for the cause inside.
func engine() any {
	d := board{variables: []string{app}}
	d.row("Reading and calling")
	d.lines("Partitions by instance", "partitions", d.of(&metrics.PartitionsAssigned).sum("instance", "pipeline"))
	d.lines("Calls in flight, and the limit", "calls", d.of(&metrics.CallsInFlight).sum("app", "pipeline"), d.of(&metrics.CallsLimit).sum("app", "pipeline"))
	d.lines("The oldest first record of a partition", "s", d.of(&metrics.HeadAge).max("topic"))
	d.lines("Until the brokers delete the first event that waits", "s", d.of(&metrics.RetentionLeft).min("topic"))
	d.lines("The longest open transaction of a producer", "s", d.of(&metrics.StableStuck).max("topic"))
	d.lines("The fullest window", "", d.of(&metrics.WindowUsed).max("topic"))
	d.lines("The order with the most waiting events: how long it will take", "s", d.of(&metrics.HotKeyDrain).max("topic"))
	d.lines("Records and outcomes in memory, and the limit", "bytes", d.of(&metrics.HeldBytes).sum("instance", "pipeline"), d.of(&metrics.HeldBytesLimit).max("pipeline"))
	d.lines("Instances wanted, and those that run", "instances", d.of(&metrics.ReplicasWanted).sum(), d.of(&metrics.BuildInfo).count())
	d.row("Settling")
	d.lines("A transaction: 99 of 100", "s", d.of(&metrics.SettleDuration).quantile(0.99, "pipeline"))
	d.lines("Transactions by end", "1/s", d.of(&metrics.SettleDuration).countRate("pipeline", "end"))
	d.lines("Outcomes that are not committed", "outcomes", d.of(&metrics.SettlePending).sum("pipeline"))
	d.lines("Seconds since the last commit", "s", expr{"time() - " + d.of(&metrics.SettleLastSuccess).max("instance", "pipeline").text, "{{instance}} {{pipeline}}"})
	d.lines("Fences in 15 minutes", "fences", d.of(&metrics.Fenced).increase("15m").sum("reason"))
	d.row("Brokers and gateways")
	d.lines("Requests to gateways: 99 of 100", "s", d.of(&metrics.HTTPDuration).quantile(0.99, "server_address"))
	d.lines("Requests to gateways by answer", "1/s", d.of(&metrics.HTTPDuration).countRate("http_response_status_code", "error_type"))
	d.lines("Requests to brokers: 99 of 100", "s", d.of(&metrics.OperationDuration).quantile(0.99, "messaging_operation_name"))
	d.lines("Records read and sent", "records/s", d.of(&metrics.MessagesConsumed).rate().sum("messaging_destination_name"), d.of(&metrics.MessagesSent).rate().sum("messaging_destination_name"))
	d.lines("A handling, with its waits: 99 of 100", "s", d.of(&metrics.ProcessDuration).quantile(0.99, "messaging_destination_name"))
	d.lines("Connections to brokers", "connections", d.of(&metrics.KafkaConnections).sum("instance"))
	d.lines("Connections that ended or failed, in 15 minutes", "connections", d.of(&metrics.KafkaDisconnects).increase("15m").sum(), d.of(&metrics.KafkaConnectFailures).increase("15m").sum("reason"))
	d.lines("Assignments in 15 minutes", "assignments", d.of(&metrics.Rebalances).increase("15m").sum("pipeline"))
	d.row("Process")
	d.lines("Processor", "cores", expr{"rate(process_cpu_seconds_total[5m])", "{{instance}}"})
	d.lines("Resident memory", "bytes", expr{"process_resident_memory_bytes", "{{instance}}"})
	d.lines("Goroutines", "", expr{"go_goroutines", "{{instance}}"})
	d.lines("Spans lost in 15 minutes", "spans", d.of(&metrics.SpansLost).increase("15m").sum())
	d.lines("Pushes of metrics that failed, in 15 minutes", "pushes", d.of(&metrics.PushFailures).increase("15m").sum())
	d.lines("Settings that are not in force", "instances", d.of(&metrics.ReloadFailed).sum())
	return d.json("bridge-engine", "Bridge: engine")
}

// tradeStatus is for those who look after payments: notifications, and what became of orders.
func tradeStatus() any {
	d := board{variables: []string{account}}
	d.row("Notifications")
	d.lines("Notifications by what became of them", "1/s", d.of(&metrics.Notifications).rate().sum("verdict"))
	d.lines("Notifications that were refused, by account, in 15 minutes", "notifications", d.of(&metrics.Notifications).whereNot("verdict", "accepted", "late", "other_type").increase("15m").sum("account", "verdict"))
	d.lines("From request to answer: 99 of 100", "s", d.of(&metrics.NotificationDuration).quantile(0.99, "verdict"))
	d.lines("Connections, and the limit", "connections", d.of(&metrics.NotifyConnections).sum("instance"), d.of(&metrics.NotifyConnectionsLimit).max())
	d.lines("Connections refused in 15 minutes", "connections", d.of(&metrics.NotifyConnectionsRefused).increase("15m").sum("limit"))
	d.row("Orders")
	d.lines("Changes by state", "1/s", d.of(&metrics.StatusChanges).rate().sum("state"))
	d.lines("New orders in a day, and the ceiling", "orders", d.of(&metrics.StatusNewOrders).increase("1d").sum("account"), d.of(&metrics.StatusNewOrdersCeiling).max("account"))
	d.lines("Payments by what showed them first", "1/s", d.of(&metrics.PaymentsLearned).rate().sum("by"))
	d.lines("Orders that a person should look at", "orders", d.of(&metrics.StatusOrders).sum("state"))
	d.lines("The order that waits longest for a person", "s", d.of(&metrics.StatusOldest).max("account", "state"))
	d.lines("Anomalies in an hour", "anomalies", d.of(&metrics.StatusAnomalies).increase("1h").sum("account", "kind"))
	d.lines("Observations that were not merged, in an hour", "observations", d.of(&metrics.ObservationsRefused).increase("1h").sum("reason"))
	d.row("The copy on disk")
	d.lines("Size", "bytes", d.of(&metrics.StatusStoreSize).max("instance"))
	d.lines("Changes that wait for the disk", "changes", d.of(&metrics.StatusStoreWaiting).max("instance"))
	d.lines("The disk refuses it", "instances", d.of(&metrics.StatusStoreFailing).sum())
	d.lines("Partitions that are restored now", "partitions", d.of(&metrics.PartitionsRestoring).sum("pipeline"))
	return d.json("bridge-status", "Bridge: notifications and trade status")
}
