// Package breaker keeps a failing or throttling Alipay from being hammered: per app in-flight
// slots and a rate, per method a circuit breaker, per event retries within a budget.
package breaker
