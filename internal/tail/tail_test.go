package tail

import (
	"bytes"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/schemas"
)

// TestZeroIsAValue: offset 0 and partition 0 are shown.
func TestZeroIsAValue(t *testing.T) {
	if got := omitEmpty([]byte(`{"partition":0,"first":0,"topic":"","reason":null}`)); got != `{"first":0,"partition":0}` {
		t.Errorf("got %s", got)
	}
}

// TestAPartitionEndsWithItsLastRecord: not with the one before, and also with a marker.
func TestAPartitionEndsWithItsLastRecord(t *testing.T) {
	r := reader{ends: map[int32]int64{0: 5, 1: 5}, queued: map[int32][]*kgo.Record{}, paused: map[int32]bool{}}
	r.take(&kgo.Record{Partition: 0, Offset: 3})
	if len(r.ends) != 2 {
		t.Fatal("partition 0 has one more record")
	}
	r.take(&kgo.Record{Partition: 0, Offset: 4})
	r.take(&kgo.Record{Partition: 1, Offset: 7}) // of a log with gaps
	if len(r.ends) != 0 || len(r.queued[0]) != 2 {
		t.Errorf("ends = %v, queued = %d", r.ends, len(r.queued[0]))
	}
}

// At 80 columns a table shows what a person looks for first; TSV and JSON have everything.
func TestTablesOfTopics(t *testing.T) {
	letter := &kgo.Record{Topic: "in.dlq", Key: []byte("订单-1"), Timestamp: time.UnixMilli(1), Headers: []kgo.RecordHeader{
		{Key: records.HeaderDeadReason, Value: []byte("too_large")}, {Key: records.HeaderDeadError, Value: []byte("1100092 bytes, more than topics.max_bytes")},
		{Key: records.HeaderDeadTopic, Value: []byte("in")}, {Key: records.HeaderDeadPartition, Value: []byte("0")}, {Key: records.HeaderDeadOffset, Value: []byte("7")},
	}}
	registry, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		t.Fatal(err)
	}
	for l, want := range map[output.Layout]string{
		output.Table: "TIME                  KEY               REASON        ERROR\n1970-01-01T00:00:00Z  订单-1            too_large     1100092 bytes, more than ~\n",
		output.TSV:   "1970-01-01T00:00:00.001Z\t订单-1\ttoo_large\t1100092 bytes, more than topics.max_bytes\tin/0@7\tno value\n",
	} {
		var b bytes.Buffer
		p, err := NewPrinter(output.New(&b, l, false).Cut(80), order.NewCodec(registry), DeadLetters)
		if err == nil {
			err = p.Print(t.Context(), letter)
		}
		if err != nil || b.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", l, err, b.String(), want)
		}
	}
}
