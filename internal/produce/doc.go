// Package produce makes records and input offsets visible together, in one Kafka transaction.
// It does not know what the records mean.
package produce
