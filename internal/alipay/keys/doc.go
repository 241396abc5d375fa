// Package keys reads private and public keys and signs with them, in memory or elsewhere. A key
// never shows in an error or a log.
package keys
