// Package alipay is what Alipay says and hears, at both gateways: it validates, seals and
// sends a request, verifies the answer and classifies it, and it verifies notifications. What
// it does not believe it explains, step by step. It knows no Kafka and no Avro.
package alipay
