// Package produce makes records and input offsets visible together, in one Kafka transaction.
// It knows nothing about what the records mean.
package produce
