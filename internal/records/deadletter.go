package records

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// Headers of a dead letter say where it comes from and why; the input's own headers follow as
// in.<name>. Key and value are the original bytes.
const (
	deadPrefix = "dead-"
	inPrefix   = "in."

	HeaderDeadReason       = deadPrefix + "reason"
	HeaderDeadError        = deadPrefix + "error"
	HeaderDeadTopic        = deadPrefix + "topic"
	HeaderDeadPartition    = deadPrefix + "partition"
	HeaderDeadOffset       = deadPrefix + "offset"
	HeaderDeadTimestamp    = deadPrefix + "timestamp" // of the input record, RFC 3339
	HeaderDeadAttempts     = deadPrefix + "attempts"
	HeaderDeadFirstAttempt = deadPrefix + "first-attempt" // RFC 3339
	HeaderDeadReplays      = deadPrefix + "replays"
	HeaderDeadLength       = deadPrefix + "length" // of an original that was too large to keep
	HeaderDeadSHA256       = deadPrefix + "sha256" // of the same, hex
)

// maxLetter is the largest original, in bytes, that a dead letter keeps: with its headers it stays
// below what a topic accepts by default. Of a larger one it keeps place, length and hash.
const (
	maxLetter    = 800 << 10
	maxLetterKey = 64 << 10
	maxBareKey   = 256
)

// maxErrorText bounds foreign words in headers, in bytes (security.md G8).
const maxErrorText = 256

// DeadLetter is why a record needs a person.
type DeadLetter struct {
	Reason       string // a word for machines
	Error        string // for people
	EventID      string
	Attempts     int
	FirstAttempt *time.Time
	Replays      int
	Bare         bool // the shortest form: no bytes of the original, but their place, length and hash
}

// DeadLetter returns the record of a dead letter.
func (e *Encoder) DeadLetter(ctx context.Context, in Input, d DeadLetter) *kgo.Record {
	r := &kgo.Record{Topic: e.topics.DeadLetters[in.Topic], Key: in.Key, Value: in.Value}
	add := func(key, value string) {
		if value != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
	}
	add(HeaderDeadReason, d.Reason)
	add(HeaderDeadError, headerText(d.Error))
	add(HeaderDeadTopic, in.Topic)
	add(HeaderDeadPartition, itoa(int64(in.Partition)))
	add(HeaderDeadOffset, itoa(in.Offset))
	add(HeaderDeadTimestamp, in.Timestamp.UTC().Format(time.RFC3339Nano))
	add(HeaderDeadAttempts, itoa(int64(d.Attempts)))
	if d.FirstAttempt != nil {
		add(HeaderDeadFirstAttempt, d.FirstAttempt.UTC().Format(time.RFC3339Nano))
	}
	add(HeaderDeadReplays, itoa(int64(d.Replays)))
	add(HeaderEventID, d.EventID)
	keep := maxInHeaders
	if d.Bare {
		keep = 0
	}
	if d.Bare || len(in.Value)+len(in.Key) > maxLetter {
		sum := sha256.Sum256(in.Value)
		add(HeaderDeadLength, itoa(int64(len(in.Value))))
		add(HeaderDeadSHA256, hex.EncodeToString(sum[:]))
		r.Value = nil
		r.Key = in.Key[:min(len(in.Key), maxLetterKey)]
	}
	if d.Bare {
		r.Key = in.Key[:min(len(in.Key), maxBareKey)]
	}
	size := 0
	for _, h := range in.Headers {
		// Headers beyond the limit are left out: some topic must accept the letter.
		if size += len(h.Key) + len(h.Value); size <= keep {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: inPrefix + h.Key, Value: h.Value})
		}
	}
	telemetry.Inject(ctx, r)
	return r
}

// maxInHeaders bounds the original headers that a dead letter keeps.
const maxInHeaders = 64 << 10

// headerText makes foreign words safe for a header: valid, short, without control characters.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), maxErrorText)], "") // a character that was cut is left out
}

// DeadOrigin reads from the headers of a dead letter where its event was read.
func DeadOrigin(r *kgo.Record) (o order.Origin, ok bool) {
	found := 0
	for _, h := range r.Headers {
		var err error
		switch h.Key {
		case HeaderDeadTopic:
			o.Topic = string(h.Value)
		case HeaderDeadPartition:
			var n int64
			n, err = strconv.ParseInt(string(h.Value), 10, 32)
			o.Partition = int32(n)
		case HeaderDeadOffset:
			o.Offset, err = strconv.ParseInt(string(h.Value), 10, 64)
		default:
			continue
		}
		if err != nil {
			return order.Origin{}, false
		}
		found++
	}
	return o, found == 3
}
