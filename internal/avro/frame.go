package avro

import (
	"encoding/binary"
	"errors"
	"fmt"

	"alipay-kafka-bridge/internal/avro/writers"
)

// The reasons of an [UndecodableError], as results and dead letters carry them (DESIGN.md,
// "Outcomes").
const (
	ReasonUndecodable   = "undecodable"    // no frame, unknown schema, bytes that do not fit it
	ReasonSchemaRefused = "schema_refused" // the writer's schema is not safe to decode with
	ReasonTooLarge      = "too_large"      // the record is larger than the limit
)

// UndecodableError means that a value never becomes a record, however often it is read.
// Any other error of reading means that the registry could not be asked: wait and read again.
type UndecodableError struct {
	Reason string // one of the Reason constants
	Err    error
}

func (e *UndecodableError) Error() string { return e.Reason + ": " + e.Err.Error() }

func (e *UndecodableError) Unwrap() error { return e.Err }

func undecodable(format string, args ...any) error {
	return &UndecodableError{ReasonUndecodable, fmt.Errorf(format, args...)}
}

// SchemaID is the number that a registry gave a schema.
type SchemaID int32

// frameSize is the length of what precedes the record: magic byte 0 and four bytes of
// schema id, high byte first (Confluent, "Wire format").
const frameSize = 5

var errFrame = errors.New("no Confluent frame: want a zero byte and four bytes of schema id")

// AppendFrame appends the frame of a record that was written with this schema.
func AppendFrame(b []byte, id SchemaID) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(id))
}

// Unframe splits a value into the writer's schema id and the record's bytes.
func Unframe(value []byte) (SchemaID, []byte, error) {
	if len(value) < frameSize || value[0] != 0 {
		return 0, nil, &UndecodableError{ReasonUndecodable, fmt.Errorf("%w%s", errFrame, writers.Describe(value))}
	}
	id := SchemaID(binary.BigEndian.Uint32(value[1:frameSize]))
	if id <= 0 {
		return 0, nil, undecodable("schema id %d is out of range%s", id, writers.Describe(value))
	}
	return id, value[frameSize:], nil
}
