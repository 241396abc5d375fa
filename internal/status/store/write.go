package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Entry is the new value of one order.
type Entry struct {
	Key   []byte
	Value []byte    // nil: the order is forgotten
	Due   time.Time // when to ask for it, in milliseconds; zero: never
}

// Write stores values and checkpoint of a partition in one step. It does not wait for the disk:
// after a crash the store may be as it was before the last writes, never in between. A write that
// the disk refuses may still be stored later, before any further one.
func (s *Store) Write(partition int32, cp Checkpoint, entries []Entry) error {
	b := s.NewBatch(partition)
	for _, e := range entries {
		b.Add(e)
	}
	return b.Write(cp)
}

// Batch collects values of a partition that are stored in one step. It waits for nothing until it is written, and must
// be written or closed. It is for one goroutine.
type Batch struct {
	store      *Store
	partition  int32
	batch      *pebble.Batch
	key, value []byte // of the last entry; the batch copies both
	err        error
}

// NewBatch begins a batch.
func (s *Store) NewBatch(partition int32) *Batch {
	return &Batch{store: s, partition: partition, batch: s.db.NewBatch()}
}

// Add adds a value. A later one of the same key replaces it.
func (b *Batch) Add(e Entry) {
	b.key = append(appendPrefix(b.key[:0], kindRecord, b.partition), e.Key...)
	if e.Value == nil {
		b.err = errors.Join(b.err, b.batch.Delete(b.key, nil))
		return
	}
	due := millis(e.Due)
	b.value = appendRecord(b.value[:0], e.Value, due)
	b.err = errors.Join(b.err, b.batch.Set(b.key, b.value, nil))
	if due != noDue {
		b.key = append(appendDue(b.key[:0], b.partition, due), e.Key...)
		b.err = errors.Join(b.err, b.batch.Set(b.key, nil, nil))
	}
}

// Write stores the batch and the checkpoint of its partition, as [Store.Write] does.
func (b *Batch) Write(cp Checkpoint) error {
	err := errors.Join(b.err, b.batch.Set(prefix(kindCheckpoint, b.partition), encodeCheckpoint(cp), nil))
	if err == nil {
		err = b.store.usable()
	}
	if err == nil {
		err = b.store.take()
	}
	if err != nil {
		return b.store.checked(errors.Join(err, b.batch.Close()))
	}
	return b.store.checked(b.store.commit(b.batch, cp.At))
}

// Close gives the batch up.
func (b *Batch) Close() { _ = b.batch.Close() }

// Wipe forgets a partition: values, index and checkpoint.
func (s *Store) Wipe(partition int32) error {
	return s.write(func(b *pebble.Batch) error {
		for _, kind := range []byte{kindRecord, kindDue} {
			p := prefix(kind, partition)
			if err := b.DeleteRange(p, after(p), nil); err != nil {
				return err
			}
		}
		return b.Delete(prefix(kindCheckpoint, partition), nil)
	}, time.Time{})
}

// Postpone moves the time to ask for an order, or ends it with a zero time. It does nothing when
// the order is not due at from any more: a newer value has its own time.
func (s *Store) Postpone(partition int32, key []byte, from, to time.Time) error {
	return s.write(func(b *pebble.Batch) error {
		record, err := s.get(recordKey(partition, key))
		if err != nil || record == nil {
			return err
		}
		value, due, err := decodeRecord(record)
		if err != nil || due == noDue || due != millis(from) {
			return err
		}
		next := millis(to)
		err = errors.Join(b.Delete(dueKey(partition, due, key), nil), b.Set(recordKey(partition, key), encodeRecord(value, next), nil))
		if next != noDue {
			err = errors.Join(err, b.Set(dueKey(partition, next, key), nil, nil))
		}
		return err
	}, time.Time{})
}

// dropStale removes index entries whose record has another due time, or is gone.
func (s *Store) dropStale(partition int32, index [][]byte) error {
	return s.write(func(b *pebble.Batch) error {
		for _, entry := range index {
			stale, _, err := s.stale(partition, entry) // again, now that no one else writes
			if err != nil {
				return err
			}
			if stale {
				if err := b.Delete(entry, nil); err != nil {
					return err
				}
			}
		}
		return nil
	}, time.Time{})
}

func (s *Store) stale(partition int32, index []byte) (stale bool, value []byte, err error) {
	due, key, err := splitDue(index)
	if err != nil {
		return false, nil, err
	}
	record, err := s.get(recordKey(partition, key))
	if err != nil || record == nil {
		return record == nil, nil, err
	}
	value, now, err := decodeRecord(record)
	return now != due, bytes.Clone(value), err
}

// take waits for the turn to write, as long as the disk takes writes.
func (s *Store) take() error {
	raised, trouble := s.disk.refusal()
	if trouble != nil {
		return trouble
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-raised:
		_, trouble = s.disk.refusal()
		return known(trouble)
	}
}

// known returns the trouble, or what stands for one that was over before it could be read.
func known(trouble error) error {
	if trouble == nil {
		return errors.New("the disk refused writes for a moment: write again")
	}
	return trouble
}

// write applies one batch. at is the time of its checkpoint, or zero.
func (s *Store) write(fill func(*pebble.Batch) error, at time.Time) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.take(); err != nil {
		return s.checked(err)
	}
	b := s.db.NewBatch()
	if err := fill(b); err != nil {
		<-s.turn
		return s.checked(errors.Join(err, b.Close()))
	}
	return s.checked(s.commit(b, at))
}

// commit applies a batch and gives the turn back. Pebble makes writers wait while it cannot get rid
// of what it has in memory; when the reason is a disk that refuses writes, the caller does not wait
// for it. The batch then keeps the turn, so that it stays the next one.
func (s *Store) commit(b *pebble.Batch, at time.Time) error {
	raised, _ := s.disk.refusal()
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.turn }()
		err := errors.Join(b.Commit(pebble.NoSync), b.Close())
		if err == nil && at.Sub(s.flushed) >= flushEvery {
			s.flushed = at
			_, err = s.db.AsyncFlush()
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-raised:
		_, trouble := s.disk.refusal()
		return fmt.Errorf("not known to be stored: %w", known(trouble))
	}
}
