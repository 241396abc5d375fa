// Package demo runs Kafka, a schema registry, both Alipay gateways and the bridge in one process. It
// sends events, interrupts Alipay for a while, and proves that each event has one outcome.
package demo
