// Package metrics is the table of all metrics of the bridge, and the instruments that it makes of them.
// The reference page, the alerts and the dashboards are checked against the same table.
package metrics
