// Package records turns values into Kafka records: results, snapshots, observations, journal
// entries and dead letters, with the headers that the bridge writes.
package records
