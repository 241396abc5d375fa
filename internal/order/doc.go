// Package order is the bridge's own language: order events come in, and every event leads to at
// most one request and to one result. It maps values to values; it reads no clock, makes no
// call and does not know Kafka.
package order
