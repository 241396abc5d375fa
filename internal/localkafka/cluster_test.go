package localkafka_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/schemas"
)

func journalTopic() localkafka.Topic {
	return localkafka.Topic{Name: "bridge-journal", Partitions: 2, Schema: schemas.JournalEntry,
		Configs: map[string]string{"cleanup.policy": "compact"}}
}

func start(t *testing.T, o localkafka.Options) *localkafka.Cluster {
	t.Helper()
	c, err := localkafka.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// carry sends a framed record through the cluster and reads it back.
func carry(t *testing.T, c *localkafka.Cluster) {
	t.Helper()
	registry, err := avro.NewRegistry(c.RegistryOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	value, err := registry.Frame(t.Context(), "bridge-journal", avro.MustCodec(schemas.JournalEntry), nil, func(w *avro.Writer) {
		w.Text("topic", "order-events")
		w.Long("partition", 1)
		w.Time("written_at", time.UnixMilli(5))
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(c.ClientOptions(), kgo.ConsumeTopics("bridge-journal"), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "bridge-journal", Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for len(records) == 0 { // a poll may return without records
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = fetches.Records()
	}
	if len(records) != 1 {
		t.Fatalf("%d records came back, want 1", len(records))
	}
	var topic string
	err = registry.Read(t.Context(), records[0].Topic, avro.MustCodec(schemas.JournalEntry), records[0].Value, func(read avro.Reader) { topic = read.Text("topic") })
	if err != nil || topic != "order-events" {
		t.Errorf("read %q, %v", topic, err)
	}
}

func TestClusterOnTheLoopback(t *testing.T) {
	c := start(t, localkafka.Options{Topics: []localkafka.Topic{journalTopic()}, Brokers: 2})
	defer c.Close()
	if len(c.Addrs()) != 2 || !strings.HasPrefix(c.RegistryURL(), "http://127.0.0.1:") {
		t.Errorf("brokers %v, registry %s", c.Addrs(), c.RegistryURL())
	}
	carry(t, c)
	if got := c.Kafka().PartitionInfos("bridge-journal"); len(got) != 2 {
		t.Errorf("%d partitions, want 2", len(got))
	}
}

func TestClusterUnderAFakeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, localkafka.Options{Topics: []localkafka.Topic{journalTopic()}, Brokers: 3, Network: &kfake.VirtualNetwork{}})
		defer c.Close()
		began := time.Now()
		time.Sleep(time.Hour)
		carry(t, c)
		if time.Since(began) > 2*time.Hour {
			t.Errorf("it took %v", time.Since(began))
		}
	})
}

func TestFaultsCanBeInjected(t *testing.T) {
	c := start(t, localkafka.Options{Topics: []localkafka.Topic{journalTopic()}})
	defer c.Close()
	handle := c.Kafka().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "bridge-journal", Err: kerr.NotLeaderForPartition, Count: 1})
	carry(t, c)
	if handle.Hits() != 1 {
		t.Errorf("the fault hit %d times, want once", handle.Hits())
	}
}

func TestStartRefuses(t *testing.T) {
	for name, topics := range map[string][]localkafka.Topic{
		"a topic twice":           {journalTopic(), journalTopic()},
		"a schema that is unsafe": {{Name: "a", Schema: `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := localkafka.Start(localkafka.Options{Topics: topics}); err == nil {
				c.Close()
				t.Errorf("%s was taken", name)
			}
		})
	}
	network := &kfake.VirtualNetwork{}
	if _, err := network.Listen("tcp", "localhost:8081"); err != nil {
		t.Fatal(err)
	}
	if c, err := localkafka.Start(localkafka.Options{Network: network}); err == nil {
		c.Close()
		t.Error("two registries on one port")
	}
}

func record(fields string) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"R","fields":[` + fields + `]}`}
}

const a, b, bDefault = `{"name":"a","type":"string"}`, `{"name":"b","type":"int"}`, `{"name":"b","type":"int","default":0}`

// Each row registers the first schema, then tries the second under the level.
func TestRegistryHoldsCompatibility(t *testing.T) {
	c := start(t, localkafka.Options{})
	defer c.Close()
	client, err := sr.NewClient(sr.URLs(c.RegistryURL()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		level    sr.CompatibilityLevel
		from, to sr.Schema
		ok       bool
	}{
		{"full by default, a default comes", 0, record(a), record(a + "," + bDefault), true},
		{"full by default, a field without default comes", 0, record(a), record(a + "," + b), false},
		{"full by default, a field without default goes", 0, record(a + "," + b), record(a), false},
		{"backward, a field without default goes", sr.CompatBackward, record(a + "," + b), record(a), true},
		{"backward, a field without default comes", sr.CompatBackward, record(a), record(a + "," + b), false},
		{"forward, a field without default comes", sr.CompatForward, record(a), record(a + "," + b), true},
		{"forward, a field without default goes", sr.CompatForwardTransitive, record(a + "," + b), record(a), false},
		{"none, anything", sr.CompatNone, record(a), record(b), true},
		{"another type", sr.CompatNone, record(a), sr.Schema{Schema: "{}", Type: sr.TypeJSON}, false},
		{"no schema", sr.CompatNone, record(a), sr.Schema{Schema: `{"type":`}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			subject := strings.ReplaceAll(tt.name, " ", "-") + "-value"
			if _, err := client.RegisterSchema(t.Context(), subject, tt.from, -1, -1); err != nil {
				t.Fatal(err)
			}
			if tt.level != 0 {
				client.SetCompatibility(t.Context(), sr.SetCompatibility{Level: tt.level}, subject)
			}
			said, errSaid := client.CheckCompatibility(t.Context(), subject, -1, tt.to)
			_, err := client.RegisterSchema(t.Context(), subject, tt.to, -1, -1)
			if (err == nil) != tt.ok || errSaid == nil && said.Is != tt.ok {
				t.Errorf("registered: %v; the check says %v, %v; want ok = %v", err, said, errSaid, tt.ok)
			}
		})
	}
}

// A transitive level looks at every version, another one at the last.
func TestTransitiveLevels(t *testing.T) {
	c := start(t, localkafka.Options{})
	defer c.Close()
	client, err := sr.NewClient(sr.URLs(c.RegistryURL()))
	if err != nil {
		t.Fatal(err)
	}
	// The third version writes b as text where the first wrote a number; the second had no b.
	third := record(a + `,{"name":"b","type":"string","default":""}`)
	for level, ok := range map[sr.CompatibilityLevel]bool{sr.CompatFull: true, sr.CompatFullTransitive: false} {
		subject := level.String() + "-value"
		client.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, subject)
		for _, s := range []sr.Schema{record(a + "," + bDefault), record(a)} {
			if _, err := client.RegisterSchema(t.Context(), subject, s, -1, -1); err != nil {
				t.Fatal(err)
			}
		}
		if said, err := client.CheckCompatibility(t.Context(), subject, 2, third); err != nil || !said.Is {
			t.Errorf("%s, version 2: %v, %v", level, said, err)
		}
		if said, err := client.CheckCompatibility(t.Context(), subject, 1, third); err != nil || said.Is {
			t.Errorf("%s, version 1: %v, %v", level, said, err)
		}
		var answer *sr.ResponseError
		if _, err := client.CheckCompatibility(t.Context(), subject, 9, third); !errors.As(err, &answer) || answer.StatusCode != 404 {
			t.Errorf("%s, version 9: %v", level, err)
		}
		if _, err := client.RegisterSchema(t.Context(), subject, third, -1, -1); (err == nil) != ok {
			t.Errorf("%s: %v, want ok = %v", level, err, ok)
		}
	}
}
