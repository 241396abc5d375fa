// Package store keeps trade status on the local disk, so that a restart reads only the tail of the
// topic trade-status. It is a copy: whatever is lost or damaged here is read from Kafka again.
// It stores encoded values by key; it does not know what they mean.
package store
