package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of the memory for fetches (security K6). A few kilobytes can decompress to gigabytes, one
// fetch has many batches, and a record of 7 bytes needs 170 bytes of memory. So there is a limit for
// each batch, and one for all batches in memory together.
const (
	maxBatch             = 32 << 20  // bytes that one batch may decompress to
	maxBatchCost         = 40 << 20  // memory that one batch may need, including its records
	maxFetched           = 48 << 20  // memory that all batches may need: more than two engines hold, or each fetch would run the garbage collector
	minLent              = 1 << 20   // bytes of a batch that is lent as it is; smaller ones are copied to the shelf
	maxLentRecords       = 2 << 20   // memory of the records of what is lent, which is not counted
	maxShelf             = 2 << 20   // bytes of small batches that are lent at the same time
	recordCost           = 176       // bytes of a kgo.Record and the pointer to it
	headerCost           = 64        // bytes of a kgo.RecordHeader and its key
	maxFetchBytes        = 512 << 10 // of one fetch, compressed
	maxPartitionBytes    = 256 << 10
	MaxResponseBytes     = 16 << 20 // of one answer: Kafka sends at least one batch, however large
	maxConcurrentFetches = 2        // fetches
)

// FetchLimits returns the options that bound the memory that fetches may take. All clients of this
// process share the bound.
func FetchLimits() ([]kgo.Opt, error) { return processLimits() }

var processLimits = sync.OnceValues(newFetchLimits)

func newFetchLimits() ([]kgo.Opt, error) {
	inner, err := boundedDecompressor(&scratch{})
	if err != nil {
		return nil, err
	}
	b := &budget{inner: inner, waiting: map[int][]*batch{}}
	return []kgo.Opt{
		kgo.FetchMaxBytes(maxFetchBytes), kgo.FetchMaxPartitionBytes(maxPartitionBytes),
		kgo.MaxConcurrentFetches(maxConcurrentFetches), kgo.BrokerMaxReadBytes(MaxResponseBytes),
		kgo.MaxDecompressBatchBytes(maxBatch), kgo.WithDecompressor(b), kgo.WithPools(b),
	}, nil
}

// boundedDecompressor returns the decompressor of kgo with its limit, which only a client makes. Its
// results are in the scratch.
func boundedDecompressor(s *scratch) (kgo.Decompressor, error) {
	cl, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(maxBatch), kgo.WithPools(s)) // connects to nothing
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	defer cl.Close()
	return cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor), nil
}

// scratch is the buffer for batches whose size is not known yet: a slice that grows would leave several
// times its size as garbage. Pages that were never written need no memory.
type scratch struct{ b []byte }

func (s *scratch) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if s.b == nil {
		s.b = make([]byte, 0, maxBatch+1+bytes.MinRead) // a bytes.Buffer has room for one more read
	}
	return s.b
}

// PutDecompressBytes does nothing: there is only one slice, which stays.
func (*scratch) PutDecompressBytes([]byte) {}

// budget decompresses while there is memory for it.
//
// A batch that costs too much by itself stops its partition: kgo reports
// [kgo.ErrDecompressTooLarge] and reads no further. A batch that finds no memory because of
// others is a [budgetError]: kgo hands over what comes before it, and fetches it again.
type budget struct {
	held atomic.Int64 // cost of batches that are decompressed and not yet collected

	// turn is held from a batch's decompression, in the scratch, until it has its memory. Who waits
	// longest is next, so that fetches cannot keep reads of parked records from theirs.
	turn  sync.Mutex
	inner kgo.Decompressor
	shelf []byte // small batches that are lent, one after the other; guarded by turn

	mu      sync.Mutex
	waiting map[int][]*batch // decompressed, without records yet, by their number; guarded by mu
}

// batch is the cost of one batch. It is held until the bytes of the batch are collected, or its
// records, once kgo has made them: records without key and value do not keep the bytes.
type batch struct {
	cost    int64
	records int
}

// budgetError says that there is no memory for a batch at the moment. The partition goes on by itself.
type budgetError struct{}

func (budgetError) Error() string { return "no memory for another batch until others are handled" }

func (budgetError) Temporary() bool { return true }

func (b *budget) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	out, d, err := b.decompress(src, codec)
	if err != nil {
		return nil, err
	}
	return b.keep(out, d)
}

// decompress returns the bytes of a batch in the scratch, and its cost. Called under turn.
func (b *budget) decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, *batch, error) {
	out, err := b.inner.Decompress(src, codec)
	if err != nil {
		return nil, nil, err
	}
	d := measure(out)
	if d.cost > maxBatchCost {
		return nil, nil, kgo.ErrMaxDecompress
	}
	return out, d, nil
}

// keep copies a batch out of the scratch. Called under turn.
func (b *budget) keep(out []byte, d *batch) ([]byte, error) {
	if len(out) == 0 {
		return nil, nil
	}
	if !b.makeRoom(d.cost) {
		return nil, budgetError{}
	}
	out = slices.Clone(out)
	b.held.Add(d.cost)
	b.mu.Lock()
	b.waiting[d.records] = append(b.waiting[d.records], d)
	b.mu.Unlock()
	runtime.AddCleanup(&out[0], b.forget, d)
	return out, nil
}

// Borrow lets use decompress batches whose records it does not keep. Small ones stay on the shelf until use returns, a
// large one in the scratch. It is the last one: lent says that there was one.
func (b *budget) Borrow(use func(kgo.Decompressor)) (lent bool) {
	b.turn.Lock()
	defer b.turn.Unlock()
	d := &borrower{budget: b}
	use(d)
	return d.lent
}

// borrower decompresses during one call of Borrow.
type borrower struct {
	*budget
	lent    bool  // the scratch is in use
	shelved int   // bytes of the shelf that are in use
	records int64 // memory of the records of all batches that are lent
}

func (b *borrower) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if b.lent {
		return nil, budgetError{}
	}
	out, d, err := b.decompress(src, codec)
	if err != nil {
		return nil, err
	}
	b.lent = len(out) >= minLent
	if b.records += d.cost - int64(len(out)); b.records > maxLentRecords || !b.lent && b.shelved+len(out) > maxShelf {
		b.lent = false
		return b.keep(out, d)
	}
	if b.lent {
		return out, nil
	}
	if b.shelf == nil {
		b.shelf = make([]byte, maxShelf)
	}
	at := b.shelved
	b.shelved += copy(b.shelf[at:], out)
	return b.shelf[at:b.shelved:b.shelved], nil
}

// makeRoom waits a moment until a batch fits. What consumers no longer use is included until it is
// collected. Called under turn: meanwhile no other batch takes memory.
func (b *budget) makeRoom(cost int64) bool {
	for tries := 0; b.held.Load()+cost > maxFetched; tries++ {
		if tries == 10 {
			return false
		}
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // what is collected is subtracted after the collection
	}
	return true
}

// forget releases a batch whose bytes are collected, unless its records hold it now.
func (b *budget) forget(d *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting[d.records], d); i >= 0 {
		b.take(d.records, i)
		b.held.Add(-d.cost)
	}
}

func (b *budget) take(n, i int) *batch {
	d := b.waiting[n][i]
	b.waiting[n] = slices.Delete(b.waiting[n], i, i+1)
	if len(b.waiting[n]) == 0 {
		delete(b.waiting, n)
	}
	return d
}

// GetRecords makes the records of a batch and moves its cost to them. Two batches with the
// same number of records may be exchanged: the sum is the same.
func (b *budget) GetRecords(n int) []kgo.Record {
	if n == 0 {
		return nil
	}
	records := make([]kgo.Record, n)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting[n]) > 0 {
		cost := b.take(n, 0).cost
		runtime.AddCleanup(&records[0], func(cost int64) { b.held.Add(-cost) }, cost)
	}
	return records
}

// PutRecords does nothing: the garbage collector collects records.
func (*budget) PutRecords([]kgo.Record) {}

// measure counts the records of a batch and the memory that they need when kgo reads them: the bytes
// themselves, and the structures for each record and header. Like kgo, it stops at bytes that are not
// a record.
func measure(records []byte) *batch {
	d := &batch{cost: int64(len(records))}
	for r := records; len(r) > 0; d.records++ {
		length, n := binary.Varint(r)
		if n <= 0 || length < 0 || length > int64(len(r)-n) {
			break
		}
		d.cost += recordCost + headerCost*headersOf(r[n:n+int(length)])
		r = r[n+int(length):]
	}
	return d
}

// headersOf reads how many headers a record has. They come after a byte of attributes, the differences
// of time and offset, key and value (Kafka's record format, version 2).
func headersOf(record []byte) int64 {
	if len(record) == 0 {
		return 0
	}
	r := record[1:]
	for i := range 5 {
		v, n := binary.Varint(r)
		if n <= 0 {
			return 0
		}
		r = r[n:]
		switch {
		case i == 4:
			return min(max(v, 0), int64(len(record))) // each has at least one byte
		case i >= 2 && v > int64(len(r)):
			return 0
		case i >= 2 && v > 0:
			r = r[v:]
		}
	}
	return 0
}
