package store

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The keys of the database, each followed by the partition in four bytes:
//
//	c partition            -> checkpoint
//	v partition key        -> due time, value
//	d partition due key    -> nothing: an index of what to ask for, in the order of time
//
// An index entry counts only while its record has the same due time. So a write need not read
// the earlier record to remove its index entry; Due removes it when its time has come.
const (
	kindCheckpoint = 'c'
	kindRecord     = 'v'
	kindDue        = 'd'
)

const (
	prefixBytes     = 1 + 4
	timeBytes       = 8
	checkpointBytes = 16 + 8 + timeBytes
)

// Checkpoint is what the store covers of one partition of trade-status.
type Checkpoint struct {
	TopicID [16]byte
	Next    int64     // first offset that the store does not cover
	At      time.Time // when it was taken, in milliseconds
}

func prefix(kind byte, partition int32) []byte {
	return appendPrefix(make([]byte, 0, 64), kind, partition)
}

func appendPrefix(b []byte, kind byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), uint32(partition)) //nolint:gosec // bits, not a number
}

func recordKey(partition int32, key []byte) []byte {
	return append(prefix(kindRecord, partition), key...)
}

func dueKey(partition int32, due int64, key []byte) []byte {
	return append(appendDue(make([]byte, 0, 64), partition, due), key...)
}

func appendDue(b []byte, partition int32, due int64) []byte {
	return binary.BigEndian.AppendUint64(appendPrefix(b, kindDue, partition), sortable(due))
}

// sortable orders times before 1970 first.
func sortable(ms int64) uint64 { return uint64(ms) ^ 1<<63 } //nolint:gosec // bits, not a number

// splitDue returns due time and key of an index entry.
func splitDue(b []byte) (due int64, key []byte, err error) {
	if len(b) < prefixBytes+timeBytes {
		return 0, nil, fmt.Errorf("index entry of %d bytes: %w", len(b), errLayout)
	}
	due = int64(binary.BigEndian.Uint64(b[prefixBytes:]) ^ 1<<63) //nolint:gosec // bits, not a number
	return due, b[prefixBytes+timeBytes:], nil
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// noDue is the due time of a record that needs no asking.
const noDue = 0

func millis(t time.Time) int64 {
	if t.IsZero() {
		return noDue
	}
	return t.UnixMilli()
}

func encodeRecord(value []byte, due int64) []byte {
	return appendRecord(make([]byte, 0, timeBytes+len(value)), value, due)
}

func appendRecord(b, value []byte, due int64) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(due)), value...) //nolint:gosec // bits, not a number
}

func decodeRecord(b []byte) (value []byte, due int64, err error) {
	if len(b) < timeBytes {
		return nil, 0, fmt.Errorf("record of %d bytes: %w", len(b), errLayout)
	}
	return b[timeBytes:], int64(binary.BigEndian.Uint64(b)), nil //nolint:gosec // bits, not a number
}

func encodeCheckpoint(cp Checkpoint) []byte {
	b := append(make([]byte, 0, checkpointBytes), cp.TopicID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(cp.Next))              //nolint:gosec // bits, not a number
	return binary.BigEndian.AppendUint64(b, uint64(cp.At.UnixMilli())) //nolint:gosec // bits, not a number
}

func decodeCheckpoint(b []byte) (cp Checkpoint, err error) {
	if len(b) != checkpointBytes {
		return cp, fmt.Errorf("checkpoint of %d bytes: %w", len(b), errLayout)
	}
	copy(cp.TopicID[:], b)
	cp.Next = int64(binary.BigEndian.Uint64(b[16:]))                     //nolint:gosec // bits, not a number
	cp.At = time.UnixMilli(int64(binary.BigEndian.Uint64(b[24:]))).UTC() //nolint:gosec // bits, not a number
	return cp, nil
}
