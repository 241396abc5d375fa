// Package examples holds order events to copy, and to send with bridge send and bridge demo.
package examples

import _ "embed"

// Orders are order events as JSON lines: all four channels, several events per order, a few
// that the bridge refuses and a few that Alipay refuses.
//
//go:embed orders.jsonl
var Orders []byte
