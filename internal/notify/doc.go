// Package notify receives Alipay's notifications: it answers success only once what a genuine one
// says is durable in Kafka. It holds no private key and calls no one but brokers and registry.
package notify
