// Package rules checks requests against the tables of Alipay's pages: the public parameters, and the
// content for each method. It also derives payee, time limit and fingerprint from the content.
package rules
