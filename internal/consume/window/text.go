package window

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// The window text travels in the metadata of every offset commit. Form, before base64:
//
//	version (1 byte, 2) | kind (1 byte) | partitions (4 bytes) | rewound (8 bytes) | hash (16 bytes) | payload
//
// partitions is how many the topic had when the group last knew a position for each of them: a
// partition beyond it was added later. rewound is the end offset of the partition when an operator
// accepted its position: results of records below may have been published before. Version 1 has
// no rewound.
// kind 0: a bitset, bit i for offset next+i, set when finished. kind 1: run lengths as
// unsigned varints, alternately unfinished and finished, beginning at next. The hash is
// SHA-256, cut to 16 bytes, over the commit's place, next, and all the rest: a text that
// was moved to another offset, partition, group, topic or cluster does not verify.
const (
	textVersion = 2
	textOld     = 1
	kindBits    = 0
	kindRuns    = 1
	textHash    = 16
	textCount   = 2 // where partitions begins
	textRewound = textCount + 4
	textSum     = textRewound + 8

	// MaxText is the largest metadata, in bytes, that the engine commits with an offset: the
	// broker's default offset.metadata.max.bytes.
	MaxText = 4096
)

// ErrForeignText means that committed metadata was not written by us for this very place.
var ErrForeignText = errors.New("window text was not written by this bridge for this place")

// Place is where a commit belongs.
type Place struct {
	Cluster   string
	TopicID   [16]byte
	Group     string
	Partition int32
	Count     int32 // partitions of the topic; not part of the place, but written with it
}

// Written is what a text says.
type Written struct {
	Position
	RewoundBelow int64 // results below may have been published before; 0: none
	Partitions   int32 // that the topic had
}

// Text writes a position in at most MaxText bytes, provided that the window admitted by
// [Window.Admits].
func (at Place) Text(p Position, rewoundBelow int64) (string, error) {
	kind, payload := byte(kindRuns), runPayload(p)
	if bits := bitPayload(p); bits != nil && len(bits) < len(payload) {
		kind, payload = kindBits, bits
	}
	if p.Next >= rewoundBelow {
		rewoundBelow = 0 // all of them are repeated
	}
	raw := binary.BigEndian.AppendUint32([]byte{textVersion, kind}, uint32(at.Count))
	if rewoundBelow == 0 {
		raw[0] = textOld // so that an older bridge can take over
	} else {
		raw = binary.BigEndian.AppendUint64(raw, uint64(rewoundBelow))
	}
	raw = append(raw, at.hash(p.Next, raw, payload)...)
	s := base64.RawStdEncoding.EncodeToString(append(raw, payload...))
	if len(s) > MaxText {
		return "", fmt.Errorf("window text of %d bytes for partition %d at %d", len(s), at.Partition, p.Next)
	}
	return s, nil
}

// Read returns what text says for a commit at next, or ErrForeignText.
func (at Place) Read(next int64, text string) (Written, error) {
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < textRewound+textHash || raw[0] != textVersion && raw[0] != textOld {
		return Written{}, ErrForeignText
	}
	sum := textSum
	if raw[0] == textOld {
		sum = textRewound
	}
	if len(raw) < sum+textHash {
		return Written{}, ErrForeignText
	}
	kind, payload := raw[1], raw[sum+textHash:]
	if string(raw[sum:sum+textHash]) != string(at.hash(next, raw[:sum], payload)) {
		return Written{}, ErrForeignText
	}
	w := Written{Position: Position{Next: next}, Partitions: int32(binary.BigEndian.Uint32(raw[textCount:]))}
	if raw[0] == textVersion {
		w.RewoundBelow = int64(binary.BigEndian.Uint64(raw[textRewound:]))
	}
	switch kind {
	case kindBits:
		w.Ahead = readBits(next, payload)
		return w, nil
	case kindRuns:
		w.Position, err = readRuns(next, payload)
		return w, err
	}
	return Written{}, ErrForeignText
}

func (at Place) hash(next int64, head, payload []byte) []byte {
	h := sha256.New()
	for _, s := range []string{at.Cluster, at.Group} { // lengths first: no two places give the same bytes
		_ = binary.Write(h, binary.BigEndian, int64(len(s)))
		h.Write([]byte(s))
	}
	h.Write(at.TopicID[:])
	_ = binary.Write(h, binary.BigEndian, at.Partition)
	_ = binary.Write(h, binary.BigEndian, next)
	h.Write(head)
	h.Write(payload)
	return h.Sum(nil)[:textHash]
}

func runPayload(p Position) []byte {
	var b []byte
	at := p.Next
	for _, s := range p.Ahead {
		b = binary.AppendUvarint(b, uint64(s.From-at))
		b = binary.AppendUvarint(b, uint64(s.To-s.From))
		at = s.To
	}
	return b
}

// bitPayload returns nil when the position reaches too far for a bitset.
func bitPayload(p Position) []byte {
	if len(p.Ahead) == 0 || p.Ahead[len(p.Ahead)-1].To-p.Next > bitsetSpan {
		return nil
	}
	b := make([]byte, (p.Ahead[len(p.Ahead)-1].To-p.Next+7)/8)
	for _, s := range p.Ahead {
		for o := s.From - p.Next; o < s.To-p.Next; o++ {
			b[o/8] |= 1 << (o % 8)
		}
	}
	return b
}

func readBits(next int64, payload []byte) []Span {
	var spans []Span
	for i := range int64(len(payload)) * 8 {
		if payload[i/8]&(1<<(i%8)) != 0 {
			spans = appendSpan(spans, Span{next + i, next + i + 1})
		}
	}
	return spans
}

func readRuns(next int64, payload []byte) (Position, error) {
	p := Position{Next: next}
	for at := next; len(payload) > 0; {
		open, n := binary.Uvarint(payload)
		if n <= 0 {
			return Position{}, ErrForeignText
		}
		done, m := binary.Uvarint(payload[n:])
		if m <= 0 || open > runSpan || done > 1<<62 {
			return Position{}, ErrForeignText
		}
		payload = payload[n+m:]
		from := at + int64(open)
		at = from + int64(done)
		p.Ahead = appendSpan(p.Ahead, Span{from, at})
	}
	return p, nil
}

// TextVersions are the versions of the text that [Place.Read] accepts and that [Place.Text] writes.
func TextVersions() (reads, writes []int) {
	return []int{textOld, textVersion}, []int{textOld, textVersion}
}
