// Package simulator is a strict Alipay: both gateways in one [http.Handler], with trades
// that live and die, a journal of what arrived and what took effect, and faults before and
// after the effect.
//
// It is written from Alipay's pages and from docs/alipay.md, and shares no code with the
// package alipay on purpose: an error made twice would cancel out and stay unseen. Where the
// documents are silent, the comment says [inferred].
//
// It is a teacher, not a server: it keeps everything in memory and must never stand in for
// Alipay outside tests, demos and development.
package simulator
