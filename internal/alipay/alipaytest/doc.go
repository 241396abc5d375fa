// Package alipaytest is for the tests of alipay and of the packages below it: it reads the
// vectors, and it has the plainest request of each method.
package alipaytest
