package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/output"
)

// writeInTransactions writes texts to partitions of a topic, each in a transaction of its own, with
// times a minute apart. The last offset of each partition is a marker.
func writeInTransactions(t *testing.T, cluster *localkafka.Cluster, topic string, begin time.Time, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(append(cluster.ClientOptions(), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	apptest.NoError(t, err)
	defer cl.Close()
	for i, r := range records {
		r.Topic, r.Timestamp = topic, begin.Add(time.Duration(i)*time.Minute)
		apptest.NoError(t, cl.BeginTransaction())
		apptest.NoError(t, cl.ProduceSync(t.Context(), r).FirstErr())
		commit := kgo.TryCommit
		if string(r.Value) == "aborted" {
			commit = kgo.TryAbort
		}
		apptest.NoError(t, cl.EndTransaction(t.Context(), commit))
	}
}

func column(out string, n int) []string {
	var columns []string
	for line := range strings.Lines(out) {
		columns = append(columns, strings.Split(strings.TrimRight(line, "\n"), "\t")[n])
	}
	return columns
}

// TestTailChoosesAndOrders: what a topic has is shown in the order of time over all partitions, and can
// be chosen by key, time, partition and number.
func TestTailChoosesAndOrders(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "any", Partitions: 3}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	begin := time.Now().Add(-10 * time.Minute).Truncate(time.Millisecond)
	var records []*kgo.Record
	for i, p := range []int32{2, 0, 0, 2, 1, 0, 1, 2} {
		value := "x"
		if i == 4 {
			value = "aborted"
		}
		records = append(records, &kgo.Record{Partition: p, Key: fmt.Append(nil, "k", i), Value: []byte(value)})
	}
	writeInTransactions(t, cluster, "any", begin, records...)
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"all", nil, []string{"k0", "k1", "k2", "k3", "k5", "k6", "k7"}},
		{"one key", []string{"--key", "k3"}, []string{"k3"}},
		{"no such key", []string{"--key", "k4"}, nil},
		{"since a time", []string{"--since", begin.Add(3 * time.Minute).Format(time.RFC3339Nano)}, []string{"k3", "k5", "k6", "k7"}},
		{"since a while", []string{"--since", time.Since(begin.Add(330 * time.Second)).String()}, []string{"k6", "k7"}},
		{"since the future", []string{"--since", time.Now().Add(time.Hour).Format(time.RFC3339)}, nil},
		{"a partition", []string{"--partition", "1"}, []string{"k6"}},
		{"two partitions", []string{"--partition", "1,2"}, []string{"k0", "k3", "k6", "k7"}},
		{"a number", []string{"-n", "3"}, []string{"k0", "k1", "k2"}},
		{"from the end", []string{"--from", "latest"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"tail", "any", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}, tt.args...)
			out, err := runBridge(t.Context(), t, args...)
			if tt.name == "no such key" {
				if command.ExitCode(err) != output.ExitFound || !strings.Contains(err.Error(), `any has no record with the key "k4"`) {
					t.Errorf("error = %v", err)
				}
			} else {
				apptest.NoError(t, err)
			}
			if got := column(out, 1); !slices.Equal(got, tt.want) {
				t.Errorf("keys = %q, want %q", got, tt.want)
			}
		})
	}
	if _, err := runBridge(t.Context(), t, "tail", "any", "--partition", "3", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()); command.ExitCode(err) != command.ExitUsage {
		t.Errorf("partition 3 of 3: %v", err)
	}
}

// TestTailOrdersMoreThanItQueues: a partition that is far ahead of another waits for it.
func TestTailOrdersMoreThanItQueues(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "any", Partitions: 2}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	cl, err := kgo.NewClient(append(cluster.ClientOptions(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	apptest.NoError(t, err)
	defer cl.Close()
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	const count = 4 * 500 // more than a partition may have waiting
	var records []*kgo.Record
	for i := range count { // all of partition 0 are older than the last of partition 1
		p := int32(0)
		if i == 0 || i == count-1 {
			p = 1
		}
		records = append(records, &kgo.Record{Topic: "any", Partition: p, Timestamp: begin.Add(time.Duration(i) * time.Millisecond), Key: fmt.Append(nil, i), Value: []byte("x")})
	}
	apptest.NoError(t, cl.ProduceSync(t.Context(), records...).FirstErr())
	out, err := runBridge(t.Context(), t, "tail", "any", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL())
	apptest.NoError(t, err)
	keys := column(out, 1)
	for i, k := range keys {
		if k != fmt.Sprint(i) {
			t.Fatalf("record %d has key %s", i, k)
		}
	}
	if len(keys) != count {
		t.Errorf("%d records, want %d", len(keys), count)
	}
}

// TestTailShowsWhatADeadLetterSays: its headers say why it is one, whatever its bytes are.
func TestTailShowsWhatADeadLetterSays(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "order-events.dlq", Partitions: 1}, {Name: "others.dlq", Partitions: 1}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	letter := func(value []byte, headers ...string) *kgo.Record {
		r := &kgo.Record{Key: []byte("k"), Value: value}
		for i := 0; i < len(headers); i += 2 {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return r
	}
	place := []string{"dead-topic", "order-events", "dead-partition", "0", "dead-offset", "0"}
	letters := []*kgo.Record{
		letter(nil, append(place, "dead-reason", "too_large", "dead-error", "1100092 bytes", "dead-length", "1100092", "dead-sha256", "abcd")...),
		letter([]byte("junk"), append(place, "dead-reason", "undecodable", "dead-error", "no frame")...),
		letter(nil, append(place, "dead-reason", "exhausted")...),
	}
	writeInTransactions(t, cluster, "order-events.dlq", time.Now(), letters...)
	out, err := runBridge(t.Context(), t, "tail", "order-events.dlq", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL())
	apptest.NoError(t, err)
	lines := strings.Split(out, "\n")
	for i, want := range []string{
		"\tk\ttoo_large\t1100092 bytes\torder-events/0@0\tnot kept: 1100092 bytes, sha256 abcd",
		"\tk\tundecodable\tno frame\torder-events/0@0\t4 bytes, not decoded: ",
		"\tk\texhausted\t\torder-events/0@0\tno value",
	} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d = %q, want %q", i, lines[i], want)
		}
	}
	writeInTransactions(t, cluster, "others.dlq", time.Now(), letters[2]) // of other settings
	out, err = runBridge(t.Context(), t, "tail", "others.dlq", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL())
	if err != nil || !strings.HasSuffix(out, "\tk\texhausted; order-events/0@0; no value\n") {
		t.Errorf("%v: %q", err, out)
	}
}

// TestCommandsEndWithoutAServer: no command waits for ever, each says which address did not answer and
// where it comes from. It ends at once when it is interrupted.
func TestCommandsEndWithoutAServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	defer silent.Close()
	dir := t.TempDir()
	event := apptest.WriteSecret(t, dir, "event.jsonl", `{"event_id":"e","event_type":"CREATED","occurred_at":"2026-01-01T00:00:00Z","order_no":"o"}`)
	const closed = "127.0.0.1:1"
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "order-events"}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	for name, args := range map[string][]string{
		"send":          {"send", event, "--registry", cluster.RegistryURL()},
		"tail":          {"tail", "results", "--registry", cluster.RegistryURL()},
		"topics create": {"topics", "create", "--yes", "--registry", cluster.RegistryURL()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runBridge(t.Context(), t, append(slices.Clone(args), "--brokers", closed)...)
			if err == nil || !strings.Contains(err.Error(), closed) || !strings.HasSuffix(err.Error(), "; check that the brokers run, and --brokers") {
				t.Errorf("error = %v", err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(300*time.Millisecond, func() { cancel(command.Interrupted{Signal: os.Interrupt}) })
			began := time.Now()
			_, err = runBridge(ctx, t, append(slices.Clone(args), "--brokers", silent.Addr().String())...)
			if took := time.Since(began); err == nil || command.ExitCode(err) != command.ExitInterrupted || took > 20*time.Second { // alone it would end after 30 s
				t.Errorf("interrupted: error = %v after %v, exit code %d", err, took, command.ExitCode(err))
			}
		})
	}
	for name, args := range map[string][]string{
		"send": {"send", event, "--brokers", cluster.Addrs()[0]}, "schemas check": {"schemas", "check"}, "schemas register": {"schemas", "register"},
	} {
		t.Run(name+" without a registry", func(t *testing.T) {
			_, err := runBridge(t.Context(), t, append(slices.Clone(args), "--registry", "http://"+closed)...)
			if err == nil || !strings.Contains(err.Error(), closed) || !strings.HasSuffix(err.Error(), "; check that the registry runs, and --registry") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// TestNamedCommandsHaveTheFlagsInUse: what a remedy names can be copied.
func TestNamedCommandsHaveTheFlagsInUse(t *testing.T) {
	local := target{brokers: []string{localBroker}, registry: localRegistry}
	other := target{brokers: []string{"a:1", "b:2"}, registry: "https://r"}
	for _, tt := range []struct {
		target     target
		text, want string
	}{
		{target{file: "my.yaml"}, "create it with bridge topics create", "create it with bridge topics create -c my.yaml"},
		{target{file: "my settings.yaml"}, "run bridge schemas check for details", "run bridge schemas check -c 'my settings.yaml' for details"},
		{target{file: "x.yaml"}, "bridge check --acls prints it; bridge run -c y.yaml", "bridge check -c x.yaml --acls prints it; bridge run -c y.yaml"},
		{local, "bridge topics create creates the topics of the bridge", "bridge topics create creates the topics of the bridge"},
		{other, "bridge topics create; bridge schemas register; bridge check", "bridge topics create --brokers a:1,b:2 --registry https://r; bridge schemas register --registry https://r; bridge check"},
	} {
		if got := tt.target.complete(tt.text); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
