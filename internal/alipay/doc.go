// Package alipay is what Alipay's API says, at both gateways: requests with their field rules,
// replies, notifications, amounts, and the class of each answer. It reads no clock, opens no
// connection and holds no key.
package alipay
