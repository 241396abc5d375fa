package reread_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"alipay-kafka-bridge/internal/reread"
)

type rig struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	reader  *reread.Reader
	at      reread.Place
	opts    []kgo.Opt
}

// newRig has a topic of 50 records, v0 to v49, in batches of ten.
func newRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	net := &kfake.VirtualNetwork{}
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.ListenFn(net.Listen), kfake.SeedTopics(2, "in")}, opts...)...)
	must(t, err)
	t.Cleanup(c.Close)
	o := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(net.DialContext)}
	cl, err := kgo.NewClient(append(o, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	must(t, err)
	t.Cleanup(cl.Close)
	r := &rig{cluster: c, client: cl, opts: o, at: reread.Place{Topic: "in", Partition: 1}}
	for i := range 5 {
		var batch []*kgo.Record
		for j := range 10 {
			batch = append(batch, &kgo.Record{Topic: "in", Partition: 1, Key: []byte("k"), Value: fmt.Append(nil, "v", 10*i+j)})
		}
		must(t, cl.ProduceSync(t.Context(), batch...).FirstErr())
	}
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "in")
	must(t, err)
	r.at.TopicID = topics["in"].ID
	r.reader, err = reread.New(o...)
	must(t, err)
	t.Cleanup(r.reader.Close)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) read(t *testing.T, offset int64) ([]*kgo.Record, error) {
	t.Helper()
	at := r.at
	at.Offset = offset
	return r.reader.Read(t.Context(), at)
}

func TestReadsTheRecordAndWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, offset := range []int64{0, 7, 19, 49} {
			got, err := r.read(t, offset)
			must(t, err)
			if want := fmt.Sprint("v", offset); string(got[0].Value) != want || got[0].Offset != offset || got[0].Topic != "in" || got[0].Partition != 1 {
				t.Errorf("at %d: %s at %d, want %s", offset, got[0].Value, got[0].Offset, want)
			}
			if n := len(got); int64(n) > 50-offset {
				t.Errorf("at %d: %d records", offset, n)
			}
		}
	})
}

func TestGone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, r *rig)
		gone   bool
	}{
		{"deleted by retention", func(t *testing.T, r *rig) {
			var cut kadm.Offsets
			cut.Add(kadm.Offset{Topic: "in", Partition: 1, At: 30})
			_, err := kadm.NewClient(r.client).DeleteRecords(t.Context(), cut)
			must(t, err)
		}, true},
		{"topic created again", func(t *testing.T, r *rig) {
			adm := kadm.NewClient(r.client)
			_, err := adm.DeleteTopics(t.Context(), "in")
			must(t, err)
			_, err = adm.CreateTopics(t.Context(), 2, 1, nil, "in")
			must(t, err)
		}, true},
		{"leader not known for now", func(_ *testing.T, r *rig) {
			r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.NotLeaderForPartition, Count: 1})
		}, false},
		{"not authorized for now", func(_ *testing.T, r *rig) {
			r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.TopicAuthorizationFailed, Count: 1})
		}, false},
		{"the whole answer is refused for now", func(_ *testing.T, r *rig) {
			r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, TopLevel: true, Err: kerr.FetchSessionTopicIDError, Count: 1})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.change(t, r)
				time.Sleep(time.Second)
				_, err := r.read(t, 20)
				if err == nil || errors.Is(err, reread.ErrGone) != tt.gone {
					t.Fatalf("err = %v, want gone: %t", err, tt.gone)
				}
				if _, err := r.read(t, 20); !tt.gone && err != nil {
					t.Errorf("the next read: %v", err)
				}
			})
		})
	}
}

// A leader moves: the next read asks the new one.
func TestLeaderMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, err := r.read(t, 3)
		must(t, err)
		for node := range int32(3) {
			must(t, r.cluster.MoveTopicPartition("in", 1, node))
			_, err := r.read(t, 3)
			for try := 0; err != nil && try < 10; try++ {
				time.Sleep(time.Second)
				_, err = r.read(t, 3)
			}
			must(t, err)
		}
	})
}

// scarce is a decompressor that has no memory at first. It counts what it is asked for.
type scarce struct {
	kgo.Decompressor
	without, asked int
}

type noMemory struct{}

func (noMemory) Error() string   { return "no memory" }
func (noMemory) Temporary() bool { return true }

func (s *scarce) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if s.asked++; s.asked <= s.without {
		return nil, noMemory{}
	}
	return s.Decompressor.Decompress(src, codec)
}

// Batches are unpacked within the bound of the process: a read waits for memory.
func TestReadWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := &scarce{Decompressor: kgo.DefaultDecompressor(), without: 3}
		reader, err := reread.New(append(r.client.Opts(), kgo.WithDecompressor(s))...)
		must(t, err)
		defer reader.Close()
		large := &kgo.Record{Topic: "in", Partition: 1, Value: make([]byte, 10<<10)} // small ones are not compressed
		must(t, r.client.ProduceSync(t.Context(), large).FirstErr())
		at := r.at
		at.Offset = large.Offset
		got, err := reader.Read(t.Context(), at)
		must(t, err)
		if len(got[0].Value) != 10<<10 || s.asked != s.without+1 {
			t.Errorf("%d bytes, decompressed %d times", len(got[0].Value), s.asked)
		}
	})
}

// A place that is not there yet is not gone: it is read once it is there.
func TestNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		if _, err := r.read(t, 50); err == nil || errors.Is(err, reread.ErrGone) {
			t.Fatalf("err = %v, want one that may pass", err)
		}
		must(t, r.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 1, Value: []byte("v50")}).FirstErr())
		got, err := r.read(t, 50)
		must(t, err)
		if string(got[0].Value) != "v50" {
			t.Errorf("read %s", got[0].Value)
		}
	})
}

// The end of a transaction takes an offset and is no record, whether records follow or not.
func TestTheEndOfATransactionIsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx, err := kgo.NewClient(append(r.opts, kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer tx.Close()
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 1, Value: []byte("v50")}).FirstErr())
		must(t, tx.EndTransaction(t.Context(), kgo.TryCommit))
		for range 2 {
			got, err := r.read(t, 50)
			must(t, err)
			if string(got[0].Value) != "v50" {
				t.Errorf("read %s", got[0].Value)
			}
			if got, err := r.read(t, 51); !errors.Is(err, reread.ErrGone) {
				t.Errorf("%d records, %v; want none for ever", len(got), err)
			}
			must(t, r.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 1, Value: []byte("v52")}).FirstErr())
		}
	})
}

// Brokers without topic ids are asked by name. A topic that was created again is known by its new id.
func TestBrokersWithoutTopicIDs(t *testing.T) {
	for name, tt := range map[string]struct {
		id   func(*reread.Place)
		gone bool
	}{
		"no id is known":    {func(at *reread.Place) { at.TopicID = [16]byte{} }, false},
		"the same topic":    {func(*reread.Place) {}, false},
		"another one by id": {func(at *reread.Place) { at.TopicID[0]++ }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := kversion.Stable()
				old.SetMaxKeyVersion(int16(kmsg.Fetch), 12)
				r := newRig(t, kfake.MaxVersions(old))
				tt.id(&r.at)
				got, err := r.read(t, 20)
				if errors.Is(err, reread.ErrGone) != tt.gone || !tt.gone && (err != nil || string(got[0].Value) != "v20") {
					t.Errorf("%d records, %v; want gone: %t", len(got), err, tt.gone)
				}
			})
		})
	}
}

// Nothing can be asked: the error says so, and the next read works.
func TestReadsThatAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, known := range []bool{false, true} { // its leader
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan struct{})
			h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata, kmsg.Fetch}, Count: -1, Observe: true, When: func(kmsg.Request) bool {
				cancel()
				<-over // an answer may be quicker than the end of ctx
				return true
			}})
			if got, err := r.reader.Read(ctx, r.at); err == nil || errors.Is(err, reread.ErrGone) {
				t.Errorf("leader known %t: %d records, %v; want an error that may pass", known, len(got), err)
			}
			close(over)
			h.Remove()
			synctest.Wait() // the connection of the request that was given up is closed
			_, err := r.read(t, 0)
			must(t, err)
		}
	})
}

// What a read returns has a bound, however large its batch is unpacked.
func TestReadReturnsLittleOfALargeBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		cl, err := kgo.NewClient(append(r.client.Opts(), kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerLinger(time.Second))...)
		must(t, err)
		defer cl.Close()
		var batch []*kgo.Record
		for range 20 {
			batch = append(batch, &kgo.Record{Topic: "in", Partition: 1, Value: make([]byte, 300<<10)})
		}
		must(t, cl.ProduceSync(t.Context(), batch...).FirstErr())
		got, err := r.read(t, batch[0].Offset)
		must(t, err)
		if len(got) != 3 || got[0].Offset != batch[0].Offset {
			t.Errorf("%d records of 300 KiB at %d, want 3 at %d", len(got), got[0].Offset, batch[0].Offset)
		}
	})
}

// A topic that is not there, and a partition that is not there, may come back.
func TestNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, at := range []reread.Place{{Topic: "missing"}, {Topic: "in", TopicID: r.at.TopicID, Partition: 2}} {
			if _, err := r.reader.Read(t.Context(), at); err == nil || errors.Is(err, reread.ErrGone) {
				t.Errorf("%s/%d: %v", at.Topic, at.Partition, err)
			}
		}
	})
}

// lends is a decompressor that lends large batches: what it lent is overwritten afterwards.
type lends struct {
	kgo.Decompressor
	lent []byte
}

func (l *lends) Borrow(use func(kgo.Decompressor)) bool {
	l.lent = nil
	use((*borrowed)(l))
	clear(l.lent)
	return l.lent != nil
}

type borrowed lends

func (b *borrowed) Decompress(src []byte, codec kgo.CompressionCodecType) (out []byte, err error) {
	if b.lent != nil {
		return nil, noMemory{}
	}
	out, err = b.Decompressor.Decompress(src, codec)
	b.lent = out
	return out, err
}

// A large batch is read where it was unpacked. What is behind it is not read, and a record that is
// in neither is gone.
func TestReadOfALargeBatchTakesNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		reader, err := reread.New(append(r.client.Opts(), kgo.WithDecompressor(&lends{Decompressor: kgo.DefaultDecompressor()}))...)
		must(t, err)
		defer reader.Close()
		cl, err := kgo.NewClient(append(r.client.Opts(), kgo.TransactionalID("t"))...)
		must(t, err)
		defer cl.Close()
		send := func(commit kgo.TransactionEndTry) *kgo.Record {
			must(t, cl.BeginTransaction())
			rec := &kgo.Record{Topic: "in", Partition: 1, Value: bytes.Repeat([]byte("x"), 10<<10)}
			must(t, cl.ProduceSync(t.Context(), rec).FirstErr())
			must(t, cl.EndTransaction(t.Context(), commit))
			return rec
		}
		sound, aborted := send(kgo.TryCommit), send(kgo.TryAbort)
		send(kgo.TryCommit)
		at := r.at
		at.Offset = sound.Offset
		got, err := reader.Read(ctx, at)
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0].Value, sound.Value) {
			t.Errorf("%d records, the first begins with %q", len(got), got[0].Value[:1])
		}
		at.Offset = aborted.Offset
		if _, err := reader.Read(ctx, at); !errors.Is(err, reread.ErrGone) {
			t.Errorf("a record that does not exist: %v", err)
		}
	})
}

// A broker that has not heard of the topic yet, or cannot read its storage now, says nothing about the record: an
// error that is taken as gone would stop the partition for good.
func TestABrokerThatDoesNotKnowNow(t *testing.T) {
	empty := func(req kmsg.Request) (kmsg.Response, error, bool) {
		f := req.(*kmsg.FetchRequest)
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		topic, part := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		topic.Topic, topic.TopicID = f.Topics[0].Topic, f.Topics[0].TopicID
		part.Partition, part.HighWatermark, part.LastStableOffset = f.Topics[0].Partitions[0].Partition, 50, 50
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	}
	for name, fault := range map[string]func(*kfake.Cluster){
		"it does not know the topic's id": func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.UnknownTopicID, Count: 1})
		},
		"it knows another id": func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.InconsistentTopicID, Count: 1})
		},
		"its answer has no batch": func(c *kfake.Cluster) { c.ControlKey(int16(kmsg.Fetch), empty) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				fault(r.cluster)
				if _, err := r.read(t, 20); err == nil || errors.Is(err, reread.ErrGone) {
					t.Errorf("err = %v, want one that may pass", err)
				}
				got, err := r.read(t, 20)
				must(t, err)
				if string(got[0].Value) != "v20" {
					t.Errorf("read %s", got[0].Value)
				}
			})
		})
	}
}
