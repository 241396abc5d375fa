// Package order is what the bridge says: order events come in, and every event leads to at
// most one request and to one result. It maps values to values; it reads no clock, makes no
// call and knows no Kafka.
package order
