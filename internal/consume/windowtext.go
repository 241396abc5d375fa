package consume

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// The window text travels in the metadata of every offset commit. Form, before base64:
//
//	version (1 byte, 1) | kind (1 byte) | partitions (4 bytes) | hash (16 bytes) | payload
//
// partitions is how many the topic had: a partition beyond it was added later.
// kind 0: a bitset, bit i for offset next+i, set when finished. kind 1: run lengths as
// unsigned varints, alternately unfinished and finished, beginning at next. The hash is
// SHA-256, cut to 16 bytes, over the commit's place, next, and all the rest: a text that
// was moved to another offset, partition, group, topic or cluster does not verify.
const (
	textVersion = 1
	kindBits    = 0
	kindRuns    = 1
	textHash    = 16
	textCount   = 2 // where partitions begins
	textSum     = textCount + 4
	textHead    = textSum + textHash

	// MaxText is the largest metadata, in bytes, that the engine commits with an offset: the
	// broker's default offset.metadata.max.bytes.
	MaxText = 4096
)

// errForeignText means that committed metadata was not written by us for this very place.
var errForeignText = errors.New("window text was not written by this bridge for this place")

// place is where a commit belongs.
type place struct {
	cluster   string
	topicID   [16]byte
	group     string
	partition int32
	count     int32 // partitions of the topic; not part of the place, but written with it
}

// text writes a position in at most MaxText bytes, provided that the window admitted by
// [window.admits].
func (at place) text(p position) (string, error) {
	kind, payload := byte(kindRuns), runPayload(p)
	if bits := bitPayload(p); bits != nil && len(bits) < len(payload) {
		kind, payload = kindBits, bits
	}
	raw := binary.BigEndian.AppendUint32([]byte{textVersion, kind}, uint32(at.count))
	raw = append(raw, at.hash(p.next, raw, payload)...)
	s := base64.RawStdEncoding.EncodeToString(append(raw, payload...))
	if len(s) > MaxText {
		return "", fmt.Errorf("window text of %d bytes for partition %d at %d", len(s), at.partition, p.next)
	}
	return s, nil
}

// read returns the position that text gives for a commit at next, or errForeignText.
func (at place) read(next int64, text string) (position, error) {
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < textHead || raw[0] != textVersion {
		return position{}, errForeignText
	}
	kind, payload := raw[1], raw[textHead:]
	if string(raw[textSum:textHead]) != string(at.hash(next, raw[:textSum], payload)) {
		return position{}, errForeignText
	}
	switch kind {
	case kindBits:
		return position{next: next, ahead: readBits(next, payload)}, nil
	case kindRuns:
		return readRuns(next, payload)
	}
	return position{}, errForeignText
}

// knownPartitions returns how many partitions the topic had when a verified text was written.
func knownPartitions(text string) int32 {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) < textHead {
		return 0
	}
	return int32(binary.BigEndian.Uint32(raw[textCount:]))
}

func (at place) hash(next int64, head, payload []byte) []byte {
	h := sha256.New()
	for _, s := range []string{at.cluster, at.group} { // lengths first: no two places give the same bytes
		_ = binary.Write(h, binary.BigEndian, int64(len(s)))
		h.Write([]byte(s))
	}
	h.Write(at.topicID[:])
	_ = binary.Write(h, binary.BigEndian, at.partition)
	_ = binary.Write(h, binary.BigEndian, next)
	h.Write(head)
	h.Write(payload)
	return h.Sum(nil)[:textHash]
}

func runPayload(p position) []byte {
	var b []byte
	at := p.next
	for _, s := range p.ahead {
		b = binary.AppendUvarint(b, uint64(s.from-at))
		b = binary.AppendUvarint(b, uint64(s.to-s.from))
		at = s.to
	}
	return b
}

// bitPayload returns nil when the position reaches too far for a bitset.
func bitPayload(p position) []byte {
	if len(p.ahead) == 0 || p.ahead[len(p.ahead)-1].to-p.next > bitsetSpan {
		return nil
	}
	b := make([]byte, (p.ahead[len(p.ahead)-1].to-p.next+7)/8)
	for _, s := range p.ahead {
		for o := s.from - p.next; o < s.to-p.next; o++ {
			b[o/8] |= 1 << (o % 8)
		}
	}
	return b
}

func readBits(next int64, payload []byte) []span {
	var spans []span
	for i := range int64(len(payload)) * 8 {
		if payload[i/8]&(1<<(i%8)) != 0 {
			spans = appendSpan(spans, span{next + i, next + i + 1})
		}
	}
	return spans
}

func readRuns(next int64, payload []byte) (position, error) {
	p := position{next: next}
	for at := next; len(payload) > 0; {
		open, n := binary.Uvarint(payload)
		if n <= 0 {
			return position{}, errForeignText
		}
		done, m := binary.Uvarint(payload[n:])
		if m <= 0 || open > runSpan || done > 1<<62 {
			return position{}, errForeignText
		}
		payload = payload[n+m:]
		from := at + int64(open)
		at = from + int64(done)
		p.ahead = appendSpan(p.ahead, span{from, at})
	}
	return p, nil
}
