// Package simulator is a strict Alipay: both gateways in one [http.Handler], in key and in
// certificate mode, with trades that live and die, buyers, notifications, a journal of what
// arrived and what took effect, quirks that the real gateways have, and faults before and after
// the effect.
//
// This package holds what Alipay remembers and does. Package wire holds what the gateways do with
// bytes, rules the tables of the pages, seeded the numbers that depend on a seed. Package standalone
// is for a simulator with files of its own.
//
// It is written from Alipay's pages and from docs/alipay.md, and shares no code with the
// package alipay or its children on purpose: an error made twice would cancel out and stay unseen. Where the
// documents are silent, the comment says [inferred].
//
// It does not know: SM2, the v3 gateway, methods other than the five, contracts and products
// (every app may call everything), risk rules, forbidden words, rate limits of its own, the age
// of timestamps at the classic gateway, settlement and funds, the states of Koubei orders
// (they are what was put there).
//
// It is a teacher, not a server: it keeps everything in memory and must never stand in for
// Alipay outside tests, demos and development.
package simulator
