// Package telemetry is how the bridge is watched: traces that follow an order through
// record headers, logs that name their trace, and the probes an orchestrator asks.
package telemetry
