// Package telemetry is how the bridge is observed: traces that follow an order through record
// headers, logs that name their trace, and the probes for an orchestrator.
package telemetry
