package store

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// On returns options with another file system, and a short pause between the attempts of a
// refused write.
func (o Options) On(fs vfs.FS) Options {
	o.fs, o.pause = fs, time.Millisecond
	return o
}

// IndexEntries counts the entries of a partition's index, with the stale ones.
func (s *Store) IndexEntries(partition int32) (n int, err error) {
	orders, stale, err := s.collect(partition, time.UnixMilli(1<<60), 1<<30)
	return len(orders) + len(stale), err
}

// Flush writes to the disk what is in memory.
func (s *Store) Flush() error { return s.db.Flush() }
