//go:build !race

// The race detector takes more memory than these processes are given.

package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/localkafka"
)

var _ kgo.PoolRecords = (*budget)(nil)

// The child of TestK6 reads from the brokers that these name, until it has read so many
// records or a partition stopped.
const (
	fetchFrom = "BRIDGE_TEST_FETCH"
	fetchUpTo = "BRIDGE_TEST_RECORDS"
)

// One record of n zeros costs nothing to send; nor do n records of nothing.
func zeros(n int) func(io.Writer) (records int) {
	return func(w io.Writer) int {
		b := []byte{0, 0, 0, 1} // attributes, time, offset, no key
		b = binary.AppendVarint(b, int64(n))
		_, _ = w.Write(append(binary.AppendVarint(nil, int64(len(b)+n+1)), b...))
		for chunk := make([]byte, 1<<20); n > 0; n -= len(chunk) {
			_, _ = w.Write(chunk[:min(n, len(chunk))])
		}
		_, _ = w.Write([]byte{0}) // no headers
		return 1
	}
}

func nothings(n int) func(io.Writer) (records int) {
	return func(w io.Writer) int {
		for i := range n {
			b := binary.AppendVarint([]byte{0, 0}, int64(i))
			b = append(b, 1, 1, 0) // no key, no value, no headers
			_, _ = w.Write(append(binary.AppendVarint(nil, int64(len(b))), b...))
		}
		return n
	}
}

func headers(records, each int) func(io.Writer) int {
	return func(w io.Writer) int {
		for i := range records {
			b := binary.AppendVarint([]byte{0, 0}, int64(i))
			b = binary.AppendVarint(append(b, 1, 1), int64(each))
			for range each {
				b = append(b, 0, 1) // an empty name, no value
			}
			_, _ = w.Write(append(binary.AppendVarint(nil, int64(len(b))), b...))
		}
		return records
	}
}

// Whatever is in compressed batches, fetching stays within half the memory limit, and what is
// sound is read.
func TestK6_CompressedBatches(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batch   func(io.Writer) int
		times   int
		stopped bool
	}{
		{"800 MiB of zeros in one batch", zeros(800 << 20), 1, true},
		{"33 MiB of zeros in one batch", zeros(33 << 20), 1, true},
		{"31 MiB of zeros in each of 100 batches", zeros(31 << 20), 100, false},
		{"a million records of nothing in one batch", nothings(1_000_000), 1, true},
		{"100,000 records of nothing in each of 40 batches", nothings(100_000), 40, false},
		{"10,000 headers in each of 100 records in one batch", headers(100, 10_000), 1, true},
		{"10,000 headers in each of 20 records in each of 50 batches", headers(20, 10_000), 50, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "bombs", Partitions: 2}}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			records := produceRaw(t, c, 0, tt.batch, tt.times)
			records += produceRaw(t, c, 1, zeros(1), 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			child := apptest.ChildCommand(ctx, "TestK6Child")
			child.Env = append(os.Environ(), fetchFrom+"="+strings.Join(c.Addrs(), ","), fetchUpTo+"="+strconv.Itoa(records), "GOMAXPROCS=2")
			out, err := child.CombinedOutput()
			var read, resident int
			var stopped bool
			if _, scan := fmt.Sscanf(string(out), "read=%d stopped=%t resident=%d", &read, &stopped, &resident); err != nil || scan != nil {
				t.Fatalf("the process died: %v\n%.3000s", err, out)
			}
			if stopped != tt.stopped || !stopped && read != records || read == 0 {
				t.Errorf("stopped = %t after %d of %d records, want stopped = %t", stopped, read, records, tt.stopped)
			}
			if resident > apptest.MaxResident {
				t.Errorf("%d MiB resident, want at most %d", resident>>10, apptest.MaxResident>>10)
			}
			t.Logf("%d records, stopped %t, %d MiB resident", read, stopped, resident>>10)
		})
	}
}

// produceRaw sends the same batch, compressed, and returns the number of its records in all.
func produceRaw(t *testing.T, c *localkafka.Cluster, partition int32, fill func(io.Writer) int, times int) int {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.MaxVersions(kversion.V2_8_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	b, n := rawBatch(t, fill)
	for range times {
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 10_000
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: "bombs", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: b}}}}
		got, err := cl.Broker(0).Request(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if code := got.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Fatalf("produce: error code %d", code)
		}
	}
	return n * times
}

func rawBatch(t *testing.T, fill func(io.Writer) int) (b []byte, records int) {
	t.Helper()
	var packed strings.Builder
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	n := fill(z)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(kgo.CodecZstd), LastOffsetDelta: int32(n - 1), NumRecords: int32(n),
		FirstTimestamp: time.Now().UnixMilli(), MaxTimestamp: time.Now().UnixMilli(),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, Records: []byte(packed.String()),
	}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	b = batch.AppendTo(nil)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b, n
}

// TestK6Child is the other process of TestK6; alone it does nothing.
func TestK6Child(t *testing.T) {
	from := os.Getenv(fetchFrom)
	if from == "" {
		return
	}
	apptest.LimitMemory(t)
	want, _ := strconv.Atoi(os.Getenv(fetchUpTo))
	opts, err := FetchLimits()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(strings.Split(from, ",")...), kgo.ConsumeTopics("bombs"))...)
	if err != nil {
		t.Fatal(err)
	}
	read, stopped := pollAll(t.Context(), cl, want)
	fmt.Printf("read=%d stopped=%t resident=%d\n", read, stopped, apptest.PeakResident(t, "self"))
	os.Exit(0)
}

// pollAll reads until it has all records, or one partition stopped and the other is read.
func pollAll(ctx context.Context, cl *kgo.Client, want int) (read int, stopped bool) {
	sound := false
	for read < want && !(stopped && sound) {
		fetches := cl.PollRecords(ctx, 1000)
		fetches.EachError(func(_ string, _ int32, err error) {
			var busy interface{ Temporary() bool }
			if !errors.As(err, &busy) {
				stopped = true
			}
		})
		fetches.EachRecord(func(r *kgo.Record) {
			sound = sound || r.Partition == 1
			read++
		})
	}
	return read, stopped
}
