// Package examples holds order events to copy. `bridge demo` sends them; so can `bridge send`.
package examples

import _ "embed"

// Orders are order events as JSON lines, for all four channels, with several events for each order.
// The bridge refuses a few of them, and Alipay a few others.
//
//go:embed orders.jsonl
var Orders []byte
