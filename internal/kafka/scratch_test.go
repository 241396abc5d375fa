package kafka

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

type packing struct {
	codec kgo.CompressionCodecType
	pack  func(w io.Writer, b []byte)
}

var packings = map[string]packing{
	"gzip": {kgo.CodecGzip, func(w io.Writer, b []byte) {
		z := gzip.NewWriter(w)
		_, _ = z.Write(b)
		_ = z.Close()
	}},
	"zstd": {kgo.CodecZstd, func(w io.Writer, b []byte) {
		z, _ := zstd.NewWriter(w) // says no size, like a stream
		_, _ = z.Write(b)
		_ = z.Close()
	}},
	"snappy": {kgo.CodecSnappy, func(w io.Writer, b []byte) { _, _ = w.Write(s2.EncodeSnappy(nil, b)) }},
}

func (p packing) of(b []byte) []byte {
	var packed bytes.Buffer
	p.pack(&packed, b)
	return packed.Bytes()
}

// oneRecord is a record that is n bytes in all, but for its length.
func oneRecord(n int) []byte {
	b := append(binary.AppendVarint(nil, int64(n)), 0, 0, 0, 1)
	b = binary.AppendVarint(b, int64(n-10))
	return append(b, make([]byte, n)...)
}

// Whatever the size of a batch, it is unpacked in the scratch: a slice that grows would take twice as much.
func TestBatchesAreDecompressedInTheScratch(t *testing.T) {
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			s := &scratch{}
			d, err := boundedDecompressor(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1000, maxBatch - 1000, maxBatch} {
				out, err := d.Decompress(p.of(make([]byte, n)), p.codec)
				if err != nil || len(out) != n {
					t.Fatalf("%d bytes of %d: %v", len(out), n, err)
				}
				if &out[0] != &s.b[:1][0] {
					t.Errorf("%d bytes are not in the scratch", n)
				}
			}
		})
	}
}

// unpacked decompresses batches that are not compressed: what it gets is the scratch.
type unpacked struct{}

func (unpacked) Decompress(src []byte, _ kgo.CompressionCodecType) ([]byte, error) { return src, nil }

func plainBudget(held int64) *budget {
	b := &budget{inner: unpacked{}, waiting: map[int][]*batch{}}
	b.held.Store(held)
	return b
}

// What is decompressed fits into what is left, and a refused batch takes nothing.
func TestABatchFitsIntoWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := oneRecord(20 << 20)
		b := plainBudget(maxFetched - 10<<20)
		_, err := b.Decompress(large, kgo.CodecZstd)
		if !errors.As(err, &budgetError{}) || b.held.Load() != maxFetched-10<<20 || len(b.waiting) != 0 {
			t.Errorf("error %v, %d MiB held", err, b.held.Load()>>20)
		}
		b = plainBudget(maxFetched - 21<<20)
		out, err := b.Decompress(large, kgo.CodecZstd)
		if err != nil || &out[0] == &large[0] || b.held.Load() > maxFetched || b.held.Load() < maxFetched-1<<20 {
			t.Errorf("%d bytes, error %v, %d MiB held", len(out), err, b.held.Load()>>20)
		}
	})
}

// A batch waits for memory that is given back meanwhile.
func TestABatchWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plainBudget(maxFetched)
		time.AfterFunc(30*time.Millisecond, func() { b.held.Store(0) })
		if _, err := b.Decompress(oneRecord(20<<20), kgo.CodecZstd); err != nil {
			t.Error(err)
		}
	})
}

// Who copies what it reads needs no memory for a large batch, even when there is none.
func TestALargeBatchIsLent(t *testing.T) {
	small, large := oneRecord(1<<10), oneRecord(20<<20)
	b := plainBudget(0)
	lent := b.Borrow(func(d kgo.Decompressor) {
		if out, err := d.Decompress(small, kgo.CodecGzip); err != nil || &out[0] == &small[0] {
			t.Fatalf("a small batch is not copied; error %v", err)
		}
		b.held.Store(maxFetched)
		if out, err := d.Decompress(large, kgo.CodecGzip); err != nil || &out[0] != &large[0] || b.held.Load() != maxFetched {
			t.Errorf("a large batch is copied; error %v", err)
		}
		if _, err := d.Decompress(small, kgo.CodecGzip); !errors.As(err, &budgetError{}) {
			t.Errorf("another one while the scratch is lent: %v", err)
		}
	})
	if !lent {
		t.Error("it is not said")
	}
}

// Small batches are lent side by side, as far as there is room and their records are few; the others are counted. The
// next borrower has the room again.
func TestSmallBatchesAreLentOnTheShelf(t *testing.T) {
	b := plainBudget(0)
	first, second := oneRecord(700<<10), oneRecord(900<<10)
	few := bytes.Repeat([]byte{12, 0, 0, 0, 1, 1, 0}, 4_000) // records of nothing
	for range 2 {
		b.Borrow(func(d kgo.Decompressor) {
			decompress := func(from []byte) []byte {
				out, err := d.Decompress(from, kgo.CodecGzip)
				if err != nil || !bytes.Equal(out, from) || &out[0] == &from[0] || cap(out) != len(out) && b.held.Load() == 0 {
					t.Fatalf("%d bytes of %d with room for %d, error %v", len(out), len(from), cap(out), err)
				}
				return out
			}
			one := decompress(first)
			decompress(second)
			if b.held.Load() != 0 || !bytes.Equal(one, first) {
				t.Errorf("%d bytes are counted, want none", b.held.Load())
			}
			decompress(second) // no room
			held := b.held.Load()
			if held == 0 {
				t.Error("a batch without room on the shelf is not counted")
			}
			b.held.Store(0)
			decompress(few)
			decompress(few)
			if b.held.Load() != 0 {
				t.Error("few records are counted")
			}
			decompress(few)
			if b.held.Load() == 0 {
				t.Error("many records in several batches are not counted")
			}
			b.held.Store(0)
		})
	}
}

// Many small records take more memory than their batch: that is counted.
func TestABatchOfManyRecordsIsNotLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plainBudget(maxFetched - 10<<20)
		many := bytes.Repeat([]byte{12, 0, 0, 0, 1, 1, 0}, 200_000) // records of nothing
		b.Borrow(func(d kgo.Decompressor) {
			if _, err := d.Decompress(many, kgo.CodecZstd); !errors.As(err, &budgetError{}) {
				t.Errorf("error %v", err)
			}
		})
	})
}
