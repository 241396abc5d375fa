// Package consume is the engine: from the records of a topic to finished handlings. It polls,
// keeps one handling per key in flight, remembers for each partition what is finished, and
// settles outcomes with their offsets in one Kafka transaction. It does not know what the records
// mean.
package consume
