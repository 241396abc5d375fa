// Package produce decides what becomes visible, and when: it encodes outcomes to records
// and puts records and input offsets into one Kafka transaction.
package produce
