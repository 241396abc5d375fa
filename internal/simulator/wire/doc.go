// Package wire is what the simulated gateways do with bytes: parameters and charsets, JSON, amounts,
// signatures, certificates and their names, encryption, and how answers are written with the quirks
// of the real gateways. It knows no trade, no clock and no fault.
package wire
