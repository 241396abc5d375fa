// Package integrity authenticates the bridge's internal records: whoever else may write to an internal topic
// cannot make a record that the bridge believes (security C4).
package integrity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of a sealed record. The seal is the last header.
const (
	HeaderKey  = "mac-key"
	HeaderSeal = "mac"
)

// MinKey is the length of key that HMAC-SHA256 needs (RFC 2104, "Keys"), in bytes.
const MinKey = 32

// Errors of records that are not believed.
var (
	ErrUnsealed = errors.New("the record has no seal")
	ErrKey      = errors.New("the record is sealed with another key")
	ErrSeal     = errors.New("the seal does not belong to the record")
)

// Keys seal and verify. The nil Keys do neither.
type Keys struct{ all []key }

type key struct {
	id     string
	secret []byte
}

// New returns keys, of which the first one seals. Empty texts are left out; without any the keys are nil.
func New(secrets ...string) (*Keys, error) {
	k := &Keys{}
	for _, s := range secrets {
		if s == "" {
			continue
		}
		if len(s) < MinKey {
			return nil, fmt.Errorf("integrity key of %d bytes: use at least %d", len(s), MinKey)
		}
		sum := sha256.Sum256([]byte("id of " + s))
		k.all = append(k.all, key{hex.EncodeToString(sum[:4]), []byte(s)})
	}
	if len(k.all) == 0 {
		return nil, nil
	}
	return k, nil
}

// Seal adds the seal. The record must not be changed after it.
func (k *Keys) Seal(r *kgo.Record) {
	if k == nil {
		return
	}
	with := k.all[0]
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderKey, Value: []byte(with.id)})
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderSeal, Value: with.sum(r, r.Headers)})
}

// Verify returns nil for a record that was sealed with one of the keys and was not changed.
func (k *Keys) Verify(r *kgo.Record) error {
	if k == nil {
		return nil
	}
	last := len(r.Headers) - 1
	if last < 1 || r.Headers[last].Key != HeaderSeal || r.Headers[last-1].Key != HeaderKey {
		return ErrUnsealed
	}
	for _, with := range k.all {
		if with.id != string(r.Headers[last-1].Value) {
			continue
		}
		if !hmac.Equal(with.sum(r, r.Headers[:last]), r.Headers[last].Value) {
			return ErrSeal
		}
		return nil
	}
	return ErrKey
}

// sum covers topic, key, value and headers, each with its length, so that no two records have one text.
func (k key) sum(r *kgo.Record, headers []kgo.RecordHeader) []byte {
	h := hmac.New(sha256.New, k.secret)
	add(h, []byte(r.Topic))
	add(h, r.Key)
	add(h, r.Value)
	for _, header := range headers {
		add(h, []byte(header.Key))
		add(h, header.Value)
	}
	return h.Sum(nil)
}

// add writes a length and as many bytes. A value that is missing, as in a tombstone, is not an empty one.
func add(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b))+1)
	if b == nil {
		clear(n[:])
	}
	_, _ = h.Write(n[:])
	_, _ = h.Write(b)
}
