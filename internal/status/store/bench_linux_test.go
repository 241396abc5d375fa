package store_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/status/store"
)

// BenchmarkMillionOrders writes 1,000,000 orders of 300 bytes in batches of 1,000, then as many
// changes of random ones, opens the store again and reads 100,000 of them. Run it alone, with
// -benchtime 1x: it reports the peak of resident memory of the process.
func BenchmarkMillionOrders(b *testing.B) {
	const orders, size = 1_000_000, 1_000
	for range b.N {
		folder, r := b.TempDir(), rand.New(rand.NewPCG(1, 1))
		s := open(b, folder, store.Options{})
		fill := func(name string, pick func(i int) int) {
			begin := time.Now()
			for i := 0; i < orders; i += size {
				entries := make([]store.Entry, size)
				for j := range entries {
					entries[j] = random(r, pick(i+j))
				}
				check(b, s.Write(int32(i/size%8), checkpoint(int64(i/size+1)), entries))
			}
			b.ReportMetric(orders/time.Since(begin).Seconds(), name+"/s")
		}
		fill("new", func(i int) int { return i })
		fill("changed", func(i int) int { return i/size%8*size + r.IntN(orders/8/size)*8*size + r.IntN(size) })
		b.ReportMetric(float64(s.Size())/1e6, "MB-disk")
		check(b, s.Close())

		begin := time.Now()
		s = open(b, folder, store.Options{})
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-open")
		begin = time.Now()
		for range orders / 10 {
			i := r.IntN(orders)
			got, err := s.Get(int32(i/size%8), orderKey(i))
			check(b, err)
			if len(got) != 300 {
				b.Fatalf("order %d: %d bytes", i, len(got))
			}
		}
		b.ReportMetric(orders/10/time.Since(begin).Seconds(), "get/s")
		n := 0
		begin = time.Now()
		for p := range int32(8) {
			check(b, s.Due(p, at(1<<20), orders, func([]byte, []byte, time.Time) error { n++; return nil }))
		}
		b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "due/s")
		check(b, s.Close())
	}
	b.ReportMetric(float64(apptest.PeakResident(b, "self"))/1024, "MiB-resident")
}

func orderKey(i int) []byte {
	return binary.BigEndian.AppendUint64([]byte("shop-hz/2026"), uint64(i)*0x9E3779B97F4A7C15)
}

// random is an order of which a third of the bytes do not compress; one in ten is pending.
func random(r *rand.Rand, i int) store.Entry {
	e := store.Entry{Key: orderKey(i), Value: make([]byte, 300)}
	copy(e.Value, fmt.Sprint(i))
	for j := 20; j < 300; j += 3 {
		e.Value[j] = byte(r.Uint32())
	}
	if i%10 == 0 {
		e.Due = at(1 + r.IntN(10_000))
	}
	return e
}
