// Package apptest writes settings, keys and certificates for tests, as an operator would lay them out.
package apptest
