// Package state is the merged state of one order, and the rules by which an observation changes it.
// It reads no clock and knows no Kafka: the same observations in the same order give the same state.
package state
