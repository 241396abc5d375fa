// Package wire is what the simulated gateways do with bytes: parameters and charsets, JSON, amounts,
// signatures, certificates and their names, encryption, and answers with the quirks of the real
// gateways. It knows nothing of trades and faults, and reads no clock.
package wire
