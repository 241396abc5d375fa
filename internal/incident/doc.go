// Package incident collects what running instances know about a problem: for the team in one archive, and for
// Alipay in a text.
package incident
