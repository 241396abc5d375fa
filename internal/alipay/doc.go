// Package alipay is what Alipay says and hears, at both gateways: it validates, seals and
// sends a request, verifies the answer and classifies it. It knows no Kafka and no Avro.
package alipay
