// Package encryption encrypts contents with AES as the two gateways do. It signs nothing.
package encryption
