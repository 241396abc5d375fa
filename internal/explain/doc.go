// Package explain finds what the pages in docs say about a word: an alert, a code of Alipay's, a reason, a
// cause, a metric, a setting. The pages are in the binary, so that they and the answers cannot differ.
package explain
