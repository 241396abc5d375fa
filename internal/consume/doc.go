// Package consume is the engine: it takes records from a topic to finished handlings. It polls,
// keeps one handling per key in flight, remembers per partition what is finished, and settles
// outcomes with their offsets in one Kafka transaction. It knows nothing about what the records
// mean.
package consume
