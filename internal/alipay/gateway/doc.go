// Package gateway makes one exchange with Alipay, at either of its gateways: it seals a request,
// sends it, verifies the answer and classifies it. It verifies notifications too, and explains
// what it does not believe, step by step.
package gateway
