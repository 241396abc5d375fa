package main

import (
	"log/slog"
	"sync"
)

// fresh is a value made of files. It is made anew for each use, so that rotated files need no
// restart. Files that cannot be used, because somebody is just writing them, leave the last
// good value in place.
type fresh[T any] struct {
	what string // for the log
	make func() (T, error)
	log  *slog.Logger

	mu    sync.Mutex
	good  T
	fault string // of the last time; "" when it was good
}

// newFresh makes the value for the first time: then a fault is an error.
func newFresh[T any](what string, log *slog.Logger, from func() (T, error)) (*fresh[T], error) {
	good, err := from()
	return &fresh[T]{what: what, make: from, log: log, good: good}, err
}

// get returns the value as the files have it now. A fault is logged once.
func (f *fresh[T]) get() T {
	value, err := f.make()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.good, f.fault = value, ""
		return value
	}
	if f.fault != err.Error() {
		f.fault = err.Error()
		f.log.Warn("files cannot be used, the former ones stay in force", "of", f.what, "error", f.fault)
	}
	return f.good
}
