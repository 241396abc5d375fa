// Package consume takes records from a topic to finished handlings: it polls, keeps one
// handling per key in flight, remembers per partition what is finished, and settles
// outcomes with their offsets in one Kafka transaction. It also holds the handling of an
// order event: plan, call, resolve.
package consume
