// Package certs reads the certificates of certificate mode: their serial numbers, the chains
// that lead to Alipay's roots, and which certificate may sign an answer. It remembers what may
// be downloaded and when.
package certs
