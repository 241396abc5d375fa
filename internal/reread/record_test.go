package reread_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/reread"
)

func sample() *kgo.Record {
	return &kgo.Record{Topic: "in", Partition: 3, Offset: 42, LeaderEpoch: 7, Timestamp: time.UnixMilli(1_700_000_000_000), Key: []byte("key"), Value: []byte("value"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("12")}, {Key: "empty", Value: []byte{}}, {Key: "none"}}}
}

// A copy has what the record has and shares nothing: neither with it nor between its parts.
func TestCopySharesNothing(t *testing.T) {
	r := sample()
	c := reread.Copy(r)
	if want := sample(); !reflect.DeepEqual(c, want) {
		t.Fatalf("%+v, want %+v", c, want)
	}
	for _, b := range [][]byte{r.Key, r.Value, r.Headers[0].Value} {
		clear(b)
	}
	_ = append(append(c.Key, "xx"...), append(c.Value, "xx"...)...)
	_ = append(c.Value, "xx"...)
	if want := sample(); !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, want %+v", c, want)
	}
}

// The memory of a copy is one piece of just the size that it needs.
func TestACopyIsOnePiece(t *testing.T) {
	r := sample()
	r.Headers = nil
	if n := testing.AllocsPerRun(100, func() { reread.Copy(r) }); n != 2 { // the record and its bytes
		t.Errorf("%v allocations, want 2", n)
	}
}

// A record without a value is a tombstone, one with an empty value is not.
func TestCopyKeepsWhatIsMissing(t *testing.T) {
	for _, r := range []*kgo.Record{{}, {Key: []byte{}, Value: []byte{}}, {Value: []byte("v")}, {Key: []byte("k")}} {
		if c := reread.Copy(r); !reflect.DeepEqual(c, r) {
			t.Errorf("%#v, want %#v", c, r)
		}
	}
}

func TestSize(t *testing.T) {
	if n, want := reread.Size(sample()), len("key"+"value"+"a"+"12"+"empty"+"none"); n != want {
		t.Errorf("%d bytes, want %d", n, want)
	}
}

// Two records have different sums, also when their key and value together are the same bytes.
func TestSumsDiffer(t *testing.T) {
	record := func(key, value string) *kgo.Record { return &kgo.Record{Key: []byte(key), Value: []byte(value)} }
	if first, again := reread.Sum(record("ab", "c")), reread.Sum(record("ab", "c")); first != again {
		t.Error("the sum of one record changes")
	}
	seen := map[uint64]string{}
	for _, r := range []*kgo.Record{record("ab", "c"), record("a", "bc"), record("ab", "d"), record("b", "c"), record("abc", ""), record("", "abc")} {
		name := string(r.Key) + "|" + string(r.Value)
		if other, ok := seen[reread.Sum(r)]; ok {
			t.Errorf("%s and %s have one sum", name, other)
		}
		seen[reread.Sum(r)] = name
	}
}
