//go:build integration

package integration_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/schemas"
)

// consumers are the languages of examples/consumers.
var consumers = []string{"go", "java", "python"}

// TestConsumers: the three examples, killed in the middle of their work, started again and shown everything again, agree
// on one table: the last committed state of each order, without those that a tombstone ended.
func TestConsumers(t *testing.T) {
	e := newStatusTopic(t, 6)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	first, second := e.history(t, seed)
	e.produce(first)
	for _, language := range consumers {
		p := e.start(language)
		await(t, language+" is in the middle", patience, func() bool { return e.stored(language) > 500 })
		p.kill()
		t.Logf("%s was killed after %d lines of %d records", language, e.stored(language), len(first))
	}
	e.produce(second)
	table := lastStates(slices.Concat(first, second))
	running := map[string]*example{}
	for _, language := range consumers {
		e.rewind(language) // as if nothing had been committed: all that was seen comes again
		running[language] = e.start(language, "--to-end")
	}
	var want strings.Builder
	for _, key := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&want, "%s\t%s\n", key, table[key])
	}
	for _, language := range consumers {
		p := running[language]
		if err := p.cmd.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", language, err, p.stderr.String())
		}
		if got := p.stdout.String(); got != want.String() {
			t.Errorf("%s: its table of %d orders is not that of %d orders:\n%s", language, strings.Count(got, "\n"), len(table), difference(got, want.String()))
		}
		e.checkGrowing(language)
		if !strings.Contains(p.stderr.String(), "HELD shop-trade/") || strings.Contains(p.stderr.String(), "aborted_word") {
			t.Errorf("%s said:\n%.500s", language, p.stderr.String())
		}
	}
}

// rewind sets the offsets of a consumer's group to the beginning, once the killed member's session is over.
func (e *statusTopic) rewind(language string) {
	adm := kadm.NewClient(client(e.t))
	starts, err := adm.ListStartOffsets(e.t.Context(), e.topic)
	must(e.t, err)
	await(e.t, "the group of "+language+" is empty", patience, func() bool {
		return adm.CommitAllOffsets(e.t.Context(), e.topic+"-"+language, starts.Offsets()) == nil
	})
}

// checkGrowing checks that a consumer stored each version of an order once, until the order ended.
func (e *statusTopic) checkGrowing(language string) {
	text, err := os.ReadFile(e.file(language))
	must(e.t, err)
	last := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		parts := strings.Split(line, "\t")
		version, err := strconv.ParseInt(parts[1], 10, 64)
		must(e.t, err)
		if version != 0 && version <= last[parts[0]] {
			e.t.Errorf("%s stored version %d of %s behind version %d", language, version, parts[0], last[parts[0]])
			return
		}
		last[parts[0]] = version
	}
}

// TestConsumersRefuseAnotherEnvironment: production never believes what a simulator paid.
func TestConsumersRefuseAnotherEnvironment(t *testing.T) {
	e := newStatusTopic(t, 1)
	e.produce([]statusRecord{{status: e.status(0, 1, state.Paid)}})
	for _, language := range consumers {
		p := e.startIn(language, "production", "--to-end")
		if err := p.cmd.Wait(); err == nil || !strings.Contains(p.stderr.String(), "another environment") || p.stdout.Len() > 0 || e.stored(language) > 0 {
			t.Errorf("%s: %v, %s%s", language, err, p.stdout.String(), p.stderr.String())
		}
	}
}

// statusTopic is a topic like trade-status, which the test fills.
type statusTopic struct {
	t     *testing.T
	dir   string
	topic string
	codec *state.Codec
}

func newStatusTopic(t *testing.T, partitions int32) *statusTopic {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "./consumers.sh", "get").CombinedOutput()
	if err != nil {
		t.Fatalf("consumers.sh get: %v\n%s", err, out)
	}
	r, err := avro.NewRegistry(avro.RegistryOptions{URL: registry})
	must(t, err)
	t.Cleanup(r.Close)
	name := topic(t, partitions)
	_, err = asked(t.Context(), func() (any, error) { return r.Register(t.Context(), name, avro.MustCodec(schemas.TradeStatus)) })
	must(t, err)
	return &statusTopic{t: t, dir: t.TempDir(), topic: name, codec: state.NewCodec(order.NewCodec(r))}
}

// statusRecord is one record of the topic.
type statusRecord struct {
	status  state.Status
	ends    bool // a tombstone
	aborted bool // it is in a transaction that is aborted
	gap     bool // a transaction ends behind it
}

func (e *statusTopic) status(i int, version int64, s state.State) state.Status {
	out := state.Status{
		Account: "shop-trade", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: alipay.OutTradeNo(fmt.Sprintf("S%06d", i)), Version: version,
		State: s, AlipayStatus: "TRADE_SUCCESS", Cause: order.ObservedInNotification, ObservedAt: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC), Total: &alipay.Money{Minor: 100, Currency: "CNY"},
	}
	if s == state.Held {
		out.Anomalies = []string{"amount_mismatch"}
	}
	return out
}

// history returns what happened to 10,000 orders, in two halves. The versions of an order are in order; those of
// different orders are mixed. Some transactions are aborted, some orders end and begin again.
func (e *statusTopic) history(t *testing.T, seed uint64) (first, second []statusRecord) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 0))
	const ends = state.State("") // a tombstone
	lives := [][]state.State{
		{state.Pending, state.Paid}, {state.Pending, state.ClosedUnpaid}, {state.Pending, state.Paid, state.PartiallyRefunded, state.Refunded},
		{state.Pending, state.Held}, {state.Pending, state.Held, state.Paid}, {state.Failed}, {state.Pending, state.Paid, state.Finished},
		{state.Failed, ends}, {state.Failed, ends, state.Pending, state.Paid},
	}
	const count = 10_000
	life, version, deck := make([][]state.State, count), make([]int64, count), []int{}
	for i := range count {
		life[i] = lives[rnd.IntN(len(lives))]
		deck = append(deck, slices.Repeat([]int{i}, len(life[i]))...)
	}
	rnd.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	var all []statusRecord
	for len(deck) > 0 {
		n := min(len(deck), 1+rnd.IntN(200))
		aborted := rnd.IntN(5) == 0
		for _, i := range deck[:n] {
			switch next := life[i][0]; {
			case aborted: // higher than any that will follow
				s := e.status(i, 1_000_000, state.Held)
				s.Anomalies = []string{"aborted_word"}
				all = append(all, statusRecord{status: s, aborted: true})
				continue
			case next == ends:
				version[i] = 0
				all = append(all, statusRecord{status: e.status(i, 0, ends), ends: true})
			default:
				version[i]++
				all = append(all, statusRecord{status: e.status(i, version[i], next)})
			}
			life[i] = life[i][1:]
		}
		all[len(all)-1].gap = true
		if !aborted {
			deck = deck[n:]
		}
	}
	half := slices.IndexFunc(all[len(all)/2:], func(s statusRecord) bool { return s.gap }) + len(all)/2 + 1
	return all[:half], all[half:]
}

// lastStates returns what a reader must know at the end.
func lastStates(all []statusRecord) map[string]string {
	out := map[string]string{}
	for _, s := range all {
		switch key := s.status.Key(); {
		case s.aborted:
		case s.ends:
			delete(out, key)
		default:
			out[key] = fmt.Sprintf("%d\t%s", s.status.Version, s.status.State)
		}
	}
	return out
}

// produce writes records in transactions, as the bridge does.
func (e *statusTopic) produce(all []statusRecord) {
	t := e.t
	t.Helper()
	cl := client(t, kgo.TransactionalID(e.topic), kgo.DefaultProduceTopic(e.topic))
	defer cl.Close()
	open := false
	for i, s := range all {
		if !open {
			must(t, cl.BeginTransaction())
			open = true
		}
		r := &kgo.Record{Key: []byte(s.status.Key())}
		if !s.ends {
			var err error
			r.Value, err = e.codec.Encode(t.Context(), e.topic, s.status)
			must(t, err)
		}
		cl.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
		if s.gap || i == len(all)-1 {
			must(t, cl.Flush(t.Context()))
			must(t, cl.EndTransaction(t.Context(), kgo.TransactionEndTry(!s.aborted)))
			open = false
		}
	}
}

// example is a running consumer.
type example struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

func (p *example) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (e *statusTopic) start(language string, args ...string) *example {
	e.t.Helper()
	return e.startIn(language, "simulator", args...)
}

func (e *statusTopic) startIn(language, environment string, args ...string) *example {
	e.t.Helper()
	p := &example{cmd: exec.CommandContext(e.t.Context(), "./consumers.sh", append([]string{language}, args...)...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.Env = append(os.Environ(), "BROKERS="+brokers, "REGISTRY="+registry, "TOPIC="+e.topic, "GROUP="+e.topic+"-"+language, "ENVIRONMENT="+environment, "STORE="+e.file(language))
	must(e.t, p.cmd.Start())
	e.t.Cleanup(p.kill)
	return p
}

func (e *statusTopic) file(language string) string { return filepath.Join(e.dir, language+".tsv") }

// stored returns how many lines a consumer has stored.
func (e *statusTopic) stored(language string) int {
	text, err := os.ReadFile(e.file(language))
	if err != nil && !os.IsNotExist(err) {
		e.t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// difference returns the first lines in which two tables differ.
func difference(got, want string) string {
	var out []string
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; i < max(len(g), len(w)) && len(out) < 10; i++ {
		if a, b := at(g, i), at(w, i); a != b {
			out = append(out, fmt.Sprintf("%q, want %q", a, b))
		}
	}
	return strings.Join(out, "\n")
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
