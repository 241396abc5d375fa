//go:build !linux

package app

// ForbidMemoryDumps does nothing: only Linux has a switch for it.
func ForbidMemoryDumps() error { return nil }
