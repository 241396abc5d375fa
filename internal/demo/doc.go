// Package demo plays the whole story in one process: Kafka, a schema registry, both Alipay gateways and
// the bridge. It sends events, takes Alipay away for a while, and proves that every event had one outcome.
package demo
