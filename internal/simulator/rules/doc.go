// Package rules checks the content of requests against the tables of Alipay's pages, one table for
// each method, and reads from it what needs the same knowledge: payee, time limit, fingerprint.
package rules
