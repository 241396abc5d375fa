// Package breaker protects Alipay from too many calls while it fails or throttles: slots and a
// rate for each app, a circuit breaker for each method, retries within a budget for each event.
package breaker
