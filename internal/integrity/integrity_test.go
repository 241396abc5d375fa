package integrity_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/integrity"
)

func keys(t *testing.T, secrets ...string) *integrity.Keys {
	t.Helper()
	k, err := integrity.New(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var first, second = strings.Repeat("a", 32), strings.Repeat("b", 32)

func record() *kgo.Record {
	return &kgo.Record{Topic: "trade-observations", Key: []byte("shop/1"), Value: []byte("paid"), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1")}}}
}

// TestC4_OnlyOurRecordsAreBelieved: a record is believed as it was sealed, with a key that we have, and in no other way.
func TestC4_OnlyOurRecordsAreBelieved(t *testing.T) {
	k := keys(t, first)
	for name, tt := range map[string]struct {
		change func(*kgo.Record)
		with   *integrity.Keys
		want   error
	}{
		"as it was":       {func(*kgo.Record) {}, k, nil},
		"new key as well": {func(*kgo.Record) {}, keys(t, second, first), nil},
		"other key":       {func(*kgo.Record) {}, keys(t, second), integrity.ErrKey},
		"no seal":         {func(r *kgo.Record) { r.Headers = nil }, k, integrity.ErrUnsealed},
		"seal left out":   {func(r *kgo.Record) { r.Headers = r.Headers[:2] }, k, integrity.ErrUnsealed},
		"topic":           {func(r *kgo.Record) { r.Topic = "trade-status" }, k, integrity.ErrSeal},
		"key":             {func(r *kgo.Record) { r.Key = []byte("shop/2") }, k, integrity.ErrSeal},
		"value":           {func(r *kgo.Record) { r.Value = []byte("held") }, k, integrity.ErrSeal},
		"tombstone":       {func(r *kgo.Record) { r.Value = nil }, k, integrity.ErrSeal},
		"header":          {func(r *kgo.Record) { r.Headers[0].Value = []byte("00-2") }, k, integrity.ErrSeal},
		"border":          {func(r *kgo.Record) { r.Key, r.Value = []byte("shop/1p"), []byte("aid") }, k, integrity.ErrSeal},
		"header added":    {func(r *kgo.Record) { r.Headers = append(r.Headers, kgo.RecordHeader{Key: "x"}) }, k, integrity.ErrUnsealed},
		"no keys":         {func(r *kgo.Record) { r.Value = nil }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := record()
			k.Seal(r)
			tt.change(r)
			if err := tt.with.Verify(r); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	if k := keys(t, "", ""); k != nil {
		t.Error("keys without a key")
	}
	if _, err := integrity.New("short"); err == nil {
		t.Error("a short key is taken")
	}
	var none *integrity.Keys
	r := record()
	if none.Seal(r); len(r.Headers) != 1 {
		t.Error("sealed without a key")
	}
	empty := &kgo.Record{Topic: "t", Key: []byte{}}
	k := keys(t, first)
	k.Seal(empty)
	if empty.Key = nil; k.Verify(empty) == nil {
		t.Error("an empty key is not a missing one")
	}
}
