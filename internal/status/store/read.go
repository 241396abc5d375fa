package store

import (
	"bytes"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint returns what the store covers of a partition; false: nothing.
func (s *Store) Checkpoint(partition int32) (Checkpoint, bool, error) {
	if err := s.usable(); err != nil {
		return Checkpoint{}, false, err
	}
	b, err := s.get(prefix(kindCheckpoint, partition))
	if err != nil || b == nil {
		return Checkpoint{}, false, s.checked(err)
	}
	cp, err := decodeCheckpoint(b)
	return cp, err == nil, s.checked(err)
}

// Get returns a copy of an order's value; nil: there is none.
func (s *Store) Get(partition int32, key []byte) ([]byte, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	b, err := s.get(recordKey(partition, key))
	if err != nil || b == nil {
		return nil, s.checked(err)
	}
	value, _, err := decodeRecord(b)
	return value, s.checked(err)
}

// get returns a copy of what the database has under a key; nil: nothing.
func (s *Store) get(key []byte) ([]byte, error) {
	b, done, err := s.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return bytes.Clone(b), done.Close()
}

// due is an order to ask for.
type dueOrder struct {
	key, value []byte
	due        time.Time
}

// Due calls f for at most limit orders that are due until a time, the longest due first. f may
// call the store; its error ends the calls and is returned.
func (s *Store) Due(partition int32, until time.Time, limit int, f func(key, value []byte, due time.Time) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	orders, stale, err := s.collect(partition, until, limit)
	if err != nil {
		return s.checked(err)
	}
	if len(stale) > 0 {
		if err := s.dropStale(partition, stale); err != nil {
			return err
		}
	}
	for _, o := range orders {
		if err := f(o.key, o.value, o.due); err != nil {
			return err
		}
	}
	return nil
}

// maxStale is how many stale index entries one call of Due drops at most. A restore leaves one for each version that the
// topic still had.
const maxStale = 20_000

// collect reads the orders that are due, and the stale index entries before them. Where there are too many of these, the
// next call goes on behind them.
func (s *Store) collect(partition int32, until time.Time, limit int) (orders []dueOrder, stale [][]byte, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: prefix(kindDue, partition),
		UpperBound: dueKey(partition, until.UnixMilli()+1, nil),
	})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid() && len(orders) < limit && len(stale) < maxStale; it.Next() {
		index := bytes.Clone(it.Key())
		isStale, value, err := s.stale(partition, index)
		if err != nil {
			return nil, nil, err
		}
		if isStale {
			stale = append(stale, index)
			continue
		}
		due, key, _ := splitDue(index) // stale has read it
		orders = append(orders, dueOrder{key: key, value: value, due: time.UnixMilli(due).UTC()})
	}
	return orders, stale, nil
}

// Page calls f for at most limit orders of a partition, those behind a key, in the order of their keys. It returns the
// last of them; nil: there are no more. f must not keep what it gets.
func (s *Store) Page(partition int32, behind []byte, limit int, f func(key, value []byte) error) (last []byte, err error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	all := prefix(kindRecord, partition)
	from := all
	if behind != nil {
		from = append(recordKey(partition, behind), 0)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: after(all)})
	if err != nil {
		return nil, s.checked(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	n := 0
	for it.First(); it.Valid() && n < limit; it.Next() {
		key := it.Key()[prefixBytes:]
		value, _, err := decodeRecord(it.Value())
		if err != nil {
			return nil, s.checked(err)
		}
		if err := f(key, value); err != nil {
			return nil, err
		}
		last, n = bytes.Clone(key), n+1
	}
	if err := it.Error(); err != nil {
		return nil, s.checked(err)
	}
	if n < limit {
		return nil, nil
	}
	return last, nil
}
