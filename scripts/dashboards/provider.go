package main

import (
	"fmt"

	"alipay-kafka-bridge/internal/metrics"
)

// provider is for whoever talks with Alipay: what each app and method is answered, how fast, and what holds it up.
func provider() any {
	d := board{variables: []string{app, account}}
	d.row("Answers")
	d.text("No metric has the codes of Alipay, because their set is not closed: `bridge incident` counts the failures of each app by method, class and code, with the numbers by which Alipay finds them. `bridge explain CODE` says what one means.")
	d.lines("Exchanges", "calls/s", d.of(&metrics.Attempts).rate().sum("app", "method"))
	d.lines("Exchanges by class", "calls/s", d.of(&metrics.Attempts).rate().sum("app", "class"))
	d.lines("Throttled, in 15 minutes", "calls", d.of(&metrics.Attempts).where("class", "throttled").increase("15m").sum("app", "method"))
	d.lines("Answers that were not provably Alipay's, in 15 minutes", "answers", d.of(&metrics.Attempts).where("class", "untrusted").increase("15m").sum("app", "method"))
	d.states("No answer of an app is believed: 1", d.of(&metrics.AnswersUntrusted).max("app"))
	d.row("Speed")
	d.heat("How long exchanges take", d.of(&metrics.AttemptDuration).buckets())
	d.lines("An exchange: half, and 99 of 100, by app", "s", d.of(&metrics.AttemptDuration).quantile(0.5, "app"), d.of(&metrics.AttemptDuration).quantile(0.99, "app"))
	d.lines("An exchange: 99 of 100, by app and method", "s", d.of(&metrics.AttemptDuration).quantile(0.99, "app", "method"))
	d.row("What holds calls up")
	d.states("Breakers: 0 closed, 1 half open, 2 open", d.of(&metrics.BreakerState).max("app", "pipeline", "method"))
	d.lines("Use of the calls that may run at a time", "percentunit", d.of(&metrics.CallsInFlight).sum("app", "pipeline").dividedBy(d.of(&metrics.CallsLimit).sum("app", "pipeline")))
	d.lines("Time at breaker, rate limit, slot and back-off, per second", "s/s", d.of(&metrics.StepDuration).where("step", "breaker", "rate", "slot", "backoff").timePerSecond("app", "step"))
	d.lines("Searches for what became of a create: time per second", "s/s", d.of(&metrics.StepDuration).where("step", metrics.StepResolve).timePerSecond("app"))
	d.lines("The oldest call of which it is not known whether it took effect", "s", d.of(&metrics.UnknownOutcomeOldest).max("account", "method"))
	d.states("Accounts that wait for a person: 1", d.of(&metrics.AccountStopped).max("app", "account"))
	d.row("The way to Alipay")
	d.lines("Requests to gateways, by why they failed", "1/s", d.of(&metrics.HTTPDuration).countRate("server_address", "error_type"))
	d.lines("Our clock is ahead of the gateway's", "s", d.of(&metrics.ClockOffset).max("app"))
	d.lines("Days until a certificate or key ends", "d", expr{fmt.Sprintf("(%s - time()) / 86400", d.of(&metrics.CredentialExpiry).min("app", "credential").text), "{{app}} {{credential}}"})
	return d.json("bridge-provider", "Bridge: provider")
}
