// Package simulator is a strict Alipay: both gateways in one [http.Handler], in key mode and in
// certificate mode, with trades, buyers, notifications, a journal of what arrived and what took
// effect, the quirks of the real gateways, and faults before and after the effect.
//
// This package holds what Alipay remembers and does. Package wire handles bytes, package rules
// holds the tables of Alipay's pages, and package seeded makes numbers that depend on a seed.
// Package standalone runs a simulator from a settings file.
//
// It is written from Alipay's pages and from docs/alipay.md. It shares no code with package
// alipay or the packages below it, on purpose: the same error on both sides would cancel out and
// stay unseen. Where the documents say nothing, the comment says [inferred].
//
// It does not cover: SM2, the v3 gateway, methods other than the five and the download of
// certificates, contracts and products (every app may call everything), risk rules, forbidden
// words, rate limits of its own, the age of timestamps at the classic gateway, settlement and
// funds, and changes of a Koubei order (it stays as it was added).
//
// It is for tests, demos and development only. It keeps everything in memory.
package simulator
