//go:build !race

// The race detector takes more memory than this process is given.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// hostileRun names the settings file of the child: `bridge run` under a memory limit.
const hostileRun = "BRIDGE_TEST_HOSTILE"

// TestHostileChild is the other process of the tests below; alone it does nothing.
func TestHostileChild(t *testing.T) {
	file := os.Getenv(hostileRun)
	if file == "" {
		return
	}
	apptest.LimitMemory(t)
	c := rootCommand()
	c.SetArgs([]string{"run", "-c", file})
	t.Fatal("run ended: ", c.ExecuteContext(context.Background()))
}

// besieged is a bridge in a process of its own, with what is around it in ours.
type besieged struct {
	t      *testing.T
	topics config.Topics
	kafka  *localkafka.Cluster
	codec  *order.Codec
	sim    *simulator.Simulator
	hk     standalone.GeneratedHKApp
	client *kgo.Client
	child  *exec.Cmd
	said   bytes.Buffer
	dead   chan error   // gets one value when the child ends by itself
	stall  sync.RWMutex // held while the gateways do not command.Answer
	calls  atomic.Int64 // that reached them
}

// besiege starts everything but the child; events that are sent before run are there at once.
func besiege(t *testing.T, latency time.Duration) *besieged {
	t.Helper()
	return besiegePartitions(t, latency, 1)
}

func besiegePartitions(t *testing.T, latency time.Duration, n int) *besieged {
	t.Helper()
	b := &besieged{t: t, topics: config.Default().Topics, dead: make(chan error, 1)}
	b.topics.Partitions = n
	app, err := standalone.GenerateApp(testApp)
	apptest.NoError(t, err)
	hk, err := standalone.GenerateHKApp(testHKApp)
	apptest.NoError(t, err)
	b.hk = hk
	b.kafka, err = localkafka.Start(localkafka.Options{Topics: topicsOfSettings(b.topics)})
	apptest.NoError(t, err)
	t.Cleanup(b.kafka.Close)
	registry, err := avro.NewRegistry(b.kafka.RegistryOptions())
	apptest.NoError(t, err)
	b.codec = order.NewCodec(registry)
	b.sim, err = simulator.New(simulator.Options{Apps: []simulator.App{app.App}, HKApps: []simulator.HKApp{hk.App}, Latency: simulator.Latency{Fixed: latency}})
	apptest.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		b.stall.RLock()
		defer b.stall.RUnlock()
		b.sim.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	b.client, err = kgo.NewClient(append(b.kafka.ClientOptions(), kgo.ProducerBatchMaxBytes(4<<20))...)
	apptest.NoError(t, err)
	t.Cleanup(b.client.Close)
	b.prepare(l.Addr().String(), app, hk)
	return b
}

// prepare writes keys and settings, and the command that reads them.
func (b *besieged) prepare(gateway string, app standalone.GeneratedApp, hk standalone.GeneratedHKApp) {
	b.t.Helper()
	dir := b.t.TempDir()
	settings, err := json.Marshal(map[string]any{
		"kafka": map[string]any{"brokers": b.kafka.Addrs(), "start": "earliest", "slot": "a", "headers": []string{"shop"}}, "registry": map[string]any{"url": b.kafka.RegistryURL()},
		"topics": map[string]any{"inputs": []any{map[string]any{"name": inputTopic, "accounts": []string{"shop", "kong"}, "default_account": "shop"}}},
		"apps": map[string]any{
			"main": map[string]any{"kind": "openapi", "environment": "simulator", "url": "http://" + gateway, "app_id": app.App.ID, "private_key_file": "ours", "alipay_public_key_file": "theirs"},
			"hk":   map[string]any{"kind": "alipayhk", "environment": "simulator", "url": "http://" + gateway, "client_id": hk.App.ClientID, "private_key_file": "hk", "platform_keys": map[string]string{"1": "kong"}},
		},
		"accounts": map[string]any{"shop": map[string]any{"app": "main", "channel": "TRADE"}, "kong": map[string]any{"app": "hk"}},
		"probes":   map[string]any{"listen": ""},
		"metrics":  map[string]any{"listen": ""},
		"admin":    map[string]any{"listen": ""},
	})
	apptest.NoError(b.t, err)
	for name, text := range map[string]string{
		"ours": app.MerchantPrivate, "theirs": app.AlipayPublic, "hk": hk.MerchantPrivate, "kong": hk.PlatformPublic, "bridge.yaml": string(settings),
	} {
		apptest.NoError(b.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	b.child = apptest.ChildCommand(context.Background(), "TestHostileChild")
	b.child.Env = append(os.Environ(), hostileRun+"="+filepath.Join(dir, "bridge.yaml"), "STATE_DIRECTORY="+dir, "GOMAXPROCS=2")
	b.child.Stdout, b.child.Stderr = &b.said, &b.said
}

// run starts the child; the test ends it.
func (b *besieged) run() {
	b.t.Helper()
	apptest.NoError(b.t, b.child.Start())
	go func() { b.dead <- b.child.Wait() }()
	b.t.Cleanup(func() {
		_ = b.child.Process.Kill()
		<-b.dead
	})
}

// record makes the record of an event.
func (b *besieged) record(ev order.Event) *kgo.Record {
	b.t.Helper()
	value, err := b.codec.EncodeEvent(b.t.Context(), inputTopic, ev)
	apptest.NoError(b.t, err)
	return &kgo.Record{Topic: inputTopic, Key: []byte(ev.OrderNo), Value: value}
}

func (b *besieged) send(records ...*kgo.Record) {
	b.t.Helper()
	apptest.NoError(b.t, b.client.ProduceSync(b.t.Context(), records...).FirstErr())
}

// created is a sound event.
func created(no string) order.Event {
	return order.Event{
		ID: order.EventID("e-" + no), Type: order.TypeCreated, OccurredAt: time.Now().Add(-time.Minute), OrderNo: alipay.OutTradeNo(no),
		Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 8888, Currency: "CNY"}, Subject: "tea", BuyerUserID: "2088102146225135",
	}
}

// outcomes waits for n results and says, by event, how each one ended.
func (b *besieged) outcomes(n int) map[order.EventID]string {
	b.t.Helper()
	out := map[order.EventID]string{}
	for _, r := range b.read(b.topics.Results, n) {
		res, err := b.codec.DecodeResult(b.t.Context(), r.Topic, r.Value)
		apptest.NoError(b.t, err)
		out[res.EventID] = strings.TrimSpace(string(res.Outcome) + " " + res.Reason)
	}
	return out
}

// read waits until a topic shows n records.
func (b *besieged) read(topic string, n int) (out []*kgo.Record) {
	b.t.Helper()
	cl, err := kgo.NewClient(append(b.kafka.ClientOptions(), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	apptest.NoError(b.t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for len(out) < n && ctx.Err() == nil {
		poll, stop := context.WithTimeout(ctx, time.Second) // so that a death shows at once
		out = append(out, cl.PollFetches(poll).Records()...)
		stop()
		b.alive()
	}
	if len(out) != n {
		b.t.Fatalf("%s has %d records, want %d; the bridge said:\n%s", topic, len(out), n, tailOf(b.said.String()))
	}
	return out
}

// alive fails the test if the child ended.
func (b *besieged) alive() {
	b.t.Helper()
	select {
	case err := <-b.dead:
		b.dead <- err
		b.t.Fatalf("the process died: %v\n%s", err, tailOf(b.said.String()))
	default:
	}
}

// resident is the most memory that the child ever had resident, and must be little.
func (b *besieged) resident() {
	b.t.Helper()
	b.alive()
	n := apptest.PeakResident(b.t, strconv.Itoa(b.child.Process.Pid))
	if n > apptest.MaxResident || n == 0 {
		b.t.Errorf("%d MiB resident, want at most %d", n>>10, apptest.MaxResident>>10)
	}
	b.t.Logf("%d MiB resident", n>>10)
}

func expect(t *testing.T, got, want map[order.EventID]string) {
	t.Helper()
	for id, w := range want {
		if got[id] != w {
			t.Errorf("%s: %q, want %q", id, got[id], w)
		}
	}
}

// TestK8_TenThousandHeaders: they neither decide what becomes of the event nor come out again.
func TestK8_TenThousandHeaders(t *testing.T) {
	b := besiege(t, time.Millisecond)
	var many []kgo.RecordHeader
	for i := range 10_000 {
		name := []string{"traceparent", "rewound", "dead-reason", "", "shop"}[i%5]
		many = append(many, kgo.RecordHeader{Key: name, Value: fmt.Append(nil, i)})
	}
	sound, bad := b.record(created("sound")), b.record(created("bad"))
	sound.Headers, bad.Headers = many, many
	bad.Value = bad.Value[:20]
	for range 20 { // several, so that memory would show them
		more := *bad
		b.send(&more)
	}
	b.send(sound, b.record(created("next")))
	b.run()
	expect(t, b.outcomes(22), map[order.EventID]string{"e-sound": "APPLIED", "e-next": "APPLIED"})
	for _, r := range b.read(b.topics.Results, 22) {
		if len(r.Headers) > 16+8 { // and our own
			t.Errorf("a result has %d headers", len(r.Headers))
		}
	}
	for _, r := range b.read(b.topics.Inputs[0].DeadLetters, 20) {
		size := 0
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value)
		}
		if size > 96<<10 {
			t.Errorf("a dead letter has %d KiB of headers", size>>10)
		}
	}
	b.resident()
}

// TestK5_KeysOfAMegabyte: a key is the producer's business; a dead letter of such a record can
// still be written.
func TestK5_KeysOfAMegabyte(t *testing.T) {
	b := besiege(t, time.Millisecond)
	key := bytes.Repeat([]byte("k"), 1_000_000)
	sound, bad := b.record(created("sound")), b.record(created("bad"))
	sound.Key, bad.Key = key, key
	bad.Value = bad.Value[:20]
	for range 40 {
		more := *bad
		b.send(&more)
	}
	b.send(sound, b.record(created("next")))
	b.run()
	expect(t, b.outcomes(42), map[order.EventID]string{"e-sound": "APPLIED", "e-next": "APPLIED"})
	for _, r := range b.read(b.topics.Inputs[0].DeadLetters, 40) {
		if len(r.Key) > 64<<10 {
			t.Errorf("a dead letter has a key of %d KiB", len(r.Key)>>10)
		}
	}
	b.resident()
}

// TestK9_TimesOf1969And2099: in the event and of the record.
func TestK9_TimesOf1969And2099(t *testing.T) {
	b := besiege(t, time.Millisecond)
	early, late := time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC), time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	of := func(no string, at time.Time) order.Event {
		ev := created(no)
		ev.OccurredAt = at
		return ev
	}
	kong := func(no string, at time.Time) order.Event {
		first := at.Add(-time.Hour)
		return order.Event{
			ID: order.EventID("e-" + no), Type: order.TypePaid, OccurredAt: at, OrderCreatedAt: &first, OrderNo: alipay.OutTradeNo(no),
			Account: "kong", Channel: order.ChannelHK, TradeNo: "2026013122001", BuyerUserID: "2160123456789012", Total: &alipay.Money{Minor: 1000, Currency: "HKD"},
		}
	}
	stamped := func(no string, at time.Time) *kgo.Record {
		r := b.record(created(no))
		r.Timestamp = at
		return r
	}
	b.send(
		b.record(of("early", early)), b.record(of("late", late)),
		b.record(kong("hk_early", early)), b.record(kong("hk_late", late)), b.record(kong("hk_now", time.Now().Add(-time.Minute))),
		stamped("old_record", early), stamped("new_record", late), b.record(created("next")),
	)
	b.run()
	expect(t, b.outcomes(8), map[order.EventID]string{
		"e-early": "INVALID invalid", "e-late": "INVALID future_time", "e-hk_early": "INVALID invalid", // no time is negative
		"e-hk_late": "INVALID future_time", "e-hk_now": "APPLIED",
		"e-old_record": "APPLIED", "e-new_record": "APPLIED", "e-next": "APPLIED",
	})
	b.resident()
}

// TestK10_KeyFloodOfThirtyThousand: the order behind 30,000 events of another one waits for no
// more calls than an order may have at once; one by one they would take 600 s.
func TestK10_KeyFloodOfThirtyThousand(t *testing.T) {
	const flood, share = 30_000, 200
	b := besiege(t, 20*time.Millisecond)
	var records []*kgo.Record
	for i := range flood {
		ev := created("flood")
		ev.ID = order.EventID(fmt.Sprint("f", i))
		records = append(records, b.record(ev))
	}
	b.send(append(records, b.record(created("behind")))...)
	b.run()
	calls := func() int { return b.sim.Tally("flood").Requests }
	b.await("the order behind the flood is done", func() bool { return calls() > share || b.sim.Tally("behind").Executions > 0 })
	if n := calls(); n > share {
		t.Fatalf("the order behind the flood waits for %d calls and more", n)
	}
	letters := b.read(b.topics.Inputs[0].DeadLetters, flood-share)
	if n := calls(); n != share || len(letters) != flood-share {
		t.Errorf("%d calls and %d dead letters, want %d and %d", n, len(letters), share, flood-share)
	}
	b.resident()
}

func tailOf(text string) string { return text[max(0, len(text)-3000):] }
