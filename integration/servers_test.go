//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// The addresses of the servers, from the variables of kafka.sh.
var (
	brokers  = "127.0.0.1:" + getenv("KAFKA_PORT", "9092")
	registry = "http://127.0.0.1:" + getenv("REGISTRY_PORT", "8081") + "/apis/ccompat/v7"
)

func getenv(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// TestMain starts the servers and stops them again, unless they were running before.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// cleanups run when all tests are done.
var cleanups []func()

func run(m *testing.M) int {
	defer func() {
		for _, f := range cleanups {
			f()
		}
	}()
	for _, wait := range []string{"KAFKA_WAIT", "JAEGER_WAIT", "PROMETHEUS_WAIT"} { // several servers start at a time here
		if os.Getenv(wait) == "" {
			_ = os.Setenv(wait, strconv.Itoa(int(patience.Seconds())))
		}
	}
	ran := exec.Command("./kafka.sh", "status").Run() == nil
	start := exec.Command("./kafka.sh", "start")
	start.Stderr = os.Stderr
	if err := start.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "start the servers:", err)
		return 1
	}
	if !ran {
		defer func() { _ = exec.Command("./kafka.sh", "stop").Run() }()
	}
	return m.Run()
}

// script runs kafka.sh and returns what it prints.
func script(t *testing.T, args ...string) string {
	t.Helper()
	return scriptWith(t, "", nil, args...)
}

// scriptWith is script with standard input and more variables of the environment.
func scriptWith(t *testing.T, stdin string, environment []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./kafka.sh", args...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kafka.sh %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// line is one line of reader.py.
type line struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Headers   [][2]string
	Value     map[string]any
	Error     string
	Raw       []byte
}

// read returns the committed records of topics as reader.py sees them.
func read(t *testing.T, topics ...string) []line {
	t.Helper()
	var lines []line
	d := json.NewDecoder(strings.NewReader(script(t, append([]string{"read"}, topics...)...)))
	for d.More() {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// topic makes a topic with a name of its own.
func topic(t *testing.T, partitions int32) string {
	t.Helper()
	adm := kadm.NewClient(client(t))
	name := fmt.Sprintf("t-%d", time.Now().UnixNano())
	if _, err := adm.CreateTopic(t.Context(), partitions, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = adm.DeleteTopic(context.Background(), name) })
	return name
}

func client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(brokers, ",")...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// write produces values in one transaction and commits or aborts it.
func write(t *testing.T, topic string, end kgo.TransactionEndTry, values ...[]byte) {
	t.Helper()
	cl := client(t, kgo.TransactionalID(topic+strconv.FormatBool(bool(end))))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		r := &kgo.Record{Topic: topic, Key: []byte("k" + strconv.Itoa(i)), Value: v, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}}}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// TestForeignReaderSeesCommittedOnly: the readers that test the bridge hide aborted records and
// decode committed ones; otherwise they would prove nothing.
func TestForeignReaderSeesCommittedOnly(t *testing.T) {
	name := topic(t, 2)
	frame := schema(t, name, `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`)
	write(t, name, kgo.TryAbort, frame(1), frame(2))
	write(t, name, kgo.TryCommit, frame(3), []byte("no frame"))

	lines := readCount(t, 2, name) // a transaction has ended before all its partitions show that
	if len(lines) != 2 {
		t.Fatalf("%d records, want 2: %+v", len(lines), lines)
	}
	for _, l := range lines {
		switch {
		case l.Key == "k0" && l.Value["n"] == 3.0:
		case l.Key == "k1" && l.Error != "" && string(l.Raw) == "no frame":
		default:
			t.Errorf("record = %+v", l)
		}
	}
	got := script(t, "tool", "console-consumer", "--topic", name, "--from-beginning", "--max-messages", "2",
		"--timeout-ms", "60000", "--isolation-level", "read_committed", "--property", "print.key=true", "--property", "print.value=false")
	if !strings.Contains(got, "k0") || !strings.Contains(got, "k1") {
		t.Errorf("the console consumer printed %q", got)
	}
}

// schema registers the text for a topic's values and returns a function that frames records
// of one long (Confluent's wire format: zero, id in four bytes, Avro).
func schema(t *testing.T, topic, text string) func(n byte) []byte {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cl.CreateSchema(t.Context(), topic+"-value", sr.Schema{Schema: text})
	if err != nil {
		t.Fatal(err)
	}
	return func(n byte) []byte {
		return []byte{0, byte(s.ID >> 24), byte(s.ID >> 16), byte(s.ID >> 8), byte(s.ID), n << 1} // zigzag
	}
}

// TestRegistryKeepsFullTransitive: the registry itself refuses a schema whose records an older reader
// could not read.
func TestRegistryKeepsFullTransitive(t *testing.T) {
	name := "t-" + strconv.FormatInt(time.Now().UnixNano(), 10)
	schema(t, name, `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`)
	cl, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		t.Fatal(err)
	}
	_, err = cl.CreateSchema(t.Context(), name+"-value", sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"m","type":"long"}]}`})
	var refused *sr.ResponseError
	if !errors.As(err, &refused) || refused.StatusCode != 409 {
		t.Errorf("err = %v, want status 409", err)
	}
}
