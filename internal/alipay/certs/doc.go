// Package certs holds the certificates of certificate mode: their serial numbers, the chains
// that lead to Alipay's roots, and which certificate may sign an answer. It decides what may be
// downloaded, and when.
package certs
