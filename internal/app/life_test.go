package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
)

// world is what surrounds processes in a bubble: a network with gateways, and a settings file.
// Kafka comes with startKafka.
type world struct {
	dial    DialFunc
	t       *testing.T
	dir     string
	network kfake.VirtualNetwork
	kafka   *localkafka.Cluster
	sim     *simulator.Simulator
	codec   *order.Codec
}

const lifeSettings = `
kafka: {brokers: ['localhost:9092'], start: earliest, slot: one}
registry: {url: 'http://localhost:8081'}
topics: {inputs: [{accounts: [shop, other], default_account: shop}], partitions: 2}
apps:
  main: {kind: openapi, environment: simulator, url: 'http://localhost:8090', app_id: '2021000000000001', private_key_file: own.pem, alipay_public_key_file: alipay.pub}
accounts:
  shop: {app: main, channel: TRADE}
  other: {app: main, channel: TRADE}
probes: {listen: 'localhost:8088'}
metrics: {listen: 'localhost:9464'}
admin: {listen: 'localhost:8087'}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
	w := &world{t: t, dir: t.TempDir()}
	t.Setenv("STATE_DIRECTORY", w.dir) // where trade status has its store
	w.dial = w.network.DialContext
	apptest.WriteSecret(t, w.dir, "own.pem", apptest.PrivatePEM(apptest.OwnKey()))
	apptest.WriteSecret(t, w.dir, "alipay.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	var err error
	w.sim, err = simulator.New(simulator.Options{Apps: []simulator.App{{ID: "2021000000000001", SellerID: "2088000000000000", PublicKey: &apptest.OwnKey().PublicKey, SigningKey: apptest.PlatformKey()}}})
	apptest.NoError(t, err)
	l, err := w.network.Listen("tcp", "localhost:8090")
	apptest.NoError(t, err)
	gateway := &http.Server{Handler: w.sim}
	go func() { _ = gateway.Serve(l) }()
	t.Cleanup(func() { _ = gateway.Close() })
	return w
}

// startKafka makes brokers, registry and topics.
func (w *world) startKafka() {
	w.t.Helper()
	topics := config.Default().Topics
	var all []localkafka.Topic
	for _, m := range kafka.Topics(topics) {
		all = append(all, localkafka.Topic{Name: m.Name, Partitions: 2, Schema: m.Schema})
	}
	var err error
	w.kafka, err = localkafka.Start(localkafka.Options{Topics: all, Network: &w.network, Kafka: []kfake.Opt{kfake.ClusterID("staging")}})
	apptest.NoError(w.t, err)
	w.t.Cleanup(w.kafka.Close)
	registry, err := avro.NewRegistry(w.kafka.RegistryOptions())
	apptest.NoError(w.t, err)
	w.t.Cleanup(registry.Close)
	w.codec = order.NewCodec(registry)
}

// commitByHand commits an offset as an operator does, with the tools of Kafka.
func (w *world) commitByHand(topic string, partition int32, at int64) {
	w.t.Helper()
	cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: topic, Partition: partition, At: at, LeaderEpoch: -1})
	got, err := kadm.NewClient(cl).CommitOffsets(w.t.Context(), "alipay-kafka-bridge", o)
	apptest.NoError(w.t, errors.Join(err, got.Error()))
}

// process is one `bridge run`.
type process struct {
	log    apptest.Buffer
	reload chan os.Signal
	stop   context.CancelFunc
	ended  chan error // one value
}

// start begins a process with these settings, which runs only these parts; none: all.
func (w *world) start(settings string, only ...string) *process {
	w.t.Helper()
	apptest.WriteSecret(w.t, w.dir, "bridge.yaml", settings)
	loaded, err := OpenSettings(filepath.Join(w.dir, "bridge.yaml"), only...)
	apptest.NoError(w.t, err)
	p := &process{reload: make(chan os.Signal), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(w.t.Context())
	p.stop = stop
	go func() {
		p.ended <- Run(ctx, loaded, RunOptions{
			Log: &p.log, Version: "test", Dial: w.dial, Reload: p.reload,
			Listen: func(_ context.Context, network, addr string) (net.Listener, error) {
				return w.network.Listen(network, addr)
			},
		})
	}()
	return p
}

// probe is the status of a path of the port of the probes; 0: no one listens.
func (w *world) probe(path string) int {
	client := http.Client{Transport: &http.Transport{DialContext: w.network.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get("http://localhost:8088" + path)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// send produces one event that creates a trade.
func (w *world) send(no, account string) {
	w.t.Helper()
	cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	apptest.NoError(w.t, records.SendEvents(w.t.Context(), cl, w.codec, "order-events", []order.Event{{
		ID: order.EventID("e-" + no), Type: order.TypeCreated, OccurredAt: time.Now(), OrderNo: alipay.OutTradeNo(no), Account: order.Account(account),
		Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 100, Currency: "CNY"}, Subject: "tea", BuyerUserID: "2088102146225135",
	}}))
}

// results waits until there are n results in all, and returns them as ORDER=OUTCOME.
func (w *world) results(n int) []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(append(w.kafka.ClientOptions(), kgo.ConsumeTopics("alipay-results"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	var out []string
	for len(out) < n {
		fetches := cl.PollFetches(ctx)
		apptest.NoError(w.t, fetches.Err())
		for _, r := range fetches.Records() {
			res, err := w.codec.DecodeResult(ctx, r.Topic, r.Value)
			apptest.NoError(w.t, err)
			out = append(out, string(res.OrderNo)+"="+string(res.Outcome))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) wantResults(want ...string) {
	w.t.Helper()
	if got := w.results(len(want)); !slices.Equal(got, want) {
		w.t.Errorf("results = %q, want %q", got, want)
	}
}

// A process waits for Kafka, becomes ready, handles events, reads its settings again, stops in
// order; the next start goes on where it stopped.
func TestLifeOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(lifeSettings)
		time.Sleep(5 * time.Minute)
		if live, ready := w.probe("/livez"), w.probe("/readyz"); live != 200 || ready != 503 {
			t.Errorf("without Kafka: live %d, ready %d", live, ready)
		}
		if said := p.log.Take(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, "waits_for=\"the brokers") {
			t.Errorf("without Kafka the log says %s", said)
		}
		if s := w.status(); s.Verdict.Level != admin.LevelStopped || s.Verdict.Owner != "kafka" || !strings.Contains(s.Verdict.Text, "waits for the brokers, with transactions, for 5 min") {
			t.Errorf("without Kafka: %+v", s.Verdict)
		}
		w.startKafka()
		time.Sleep(time.Minute)
		if live, ready := w.probe("/livez"), w.probe("/readyz"); live != 200 || ready != 200 {
			t.Errorf("with Kafka: live %d, ready %d", live, ready)
		}
		w.send("o1", "shop")
		w.send("o2", "other")
		w.wantResults("o1=APPLIED", "o2=APPLIED")

		apptest.WriteSecret(t, w.dir, "bridge.yaml", strings.Replace(lifeSettings, "[shop, other]", "[shop]", 1)+"telemetry: {log_level: debug}\n")
		p.reload <- syscall.SIGHUP
		synctest.Wait()
		w.send("o3", "other")
		w.wantResults("o1=APPLIED", "o2=APPLIED", "o3=INVALID")

		p.stop()
		apptest.NoError(t, <-p.ended)
		if said := p.log.Take(); !strings.Contains(said, "the settings file was read again") || !strings.Contains(said, "removed=\"[account other of topic order-events]\"") ||
			!strings.Contains(said, "from=info to=debug") || strings.Contains(said, "wait for a restart") || !strings.Contains(said, "bridge stopped") || strings.Contains(said, "level=ERROR") {
			t.Errorf("the log says %s", said)
		}
		if live := w.probe("/livez"); live != 0 {
			t.Errorf("after the stop: live %d", live)
		}
		w.send("o4", "shop")
		again := w.start(lifeSettings)
		w.wantResults("o1=APPLIED", "o2=APPLIED", "o3=INVALID", "o4=APPLIED")
		time.Sleep(time.Minute)
		if n := w.sim.Totals().Requests; n != 3 {
			t.Errorf("%d requests, want one for each event that may be handled", n)
		}
		again.stop()
		apptest.NoError(t, <-again.ended)
	})
}

// A start that fails leaves nothing behind: no port, no goroutine, no connection.
func TestAFailedStartUndoesWhatItBegan(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		before         func(*testing.T, *world) // prepares the failure
		want           string
	}{
		{"the port of the probes is taken", "", "", func(t *testing.T, w *world) {
			l, err := w.network.Listen("tcp", "localhost:8088")
			apptest.NoError(t, err)
			time.AfterFunc(time.Minute, func() { _ = l.Close() })
		}, "probes.listen localhost:8088: "},
		{"another cluster", "slot: one", "slot: one, cluster_id: production", nil, `cluster "staging"`},
		{"our own key in place of Alipay's", "", "", func(t *testing.T, w *world) {
			apptest.WriteSecret(t, w.dir, "alipay.pub", apptest.PublicPEM(&apptest.OwnKey().PublicKey))
		}, "app main: "},
		{"a key file that is not a key", "", "", func(t *testing.T, w *world) {
			apptest.WriteSecret(t, w.dir, "alipay.pub", "no key")
		}, "app main: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.startKafka()
				if tt.before != nil {
					tt.before(t, w)
				}
				p := w.start(strings.Replace(lifeSettings, tt.old, tt.new, 1))
				if err := <-p.ended; err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("Run = %v, want %q", err, tt.want)
				}
				time.Sleep(2 * time.Minute)
				if live := w.probe("/livez"); live != 0 {
					t.Errorf("live %d", live)
				}
				apptest.WriteSecret(t, w.dir, "alipay.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
				next := w.start(lifeSettings)
				w.send("o1", "shop")
				w.wantResults("o1=APPLIED")
				next.stop()
				apptest.NoError(t, <-next.ended)
			})
		})
	}
}

// A stop while the process waits for the brokers is an orderly stop.
func TestAStopWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(strings.Replace(lifeSettings, "slot: one", "slot: one, cluster_id: staging", 1))
		time.Sleep(time.Hour)
		if said := p.log.Take(); strings.Count(said, "waits_for=\"the brokers") != 1 {
			t.Errorf("the log says %s", said)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

const queriesTopic = "partitions: 2, queries: [{accounts: [shop], default_account: shop}]"

// A first deployment without a start position ends at once, with the error of each pipeline.
func TestAFirstDeploymentWithoutStartEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(strings.NewReplacer(", start: earliest", "", "partitions: 2", queriesTopic).Replace(lifeSettings))
		began := time.Now()
		err := <-p.ended
		var start *consume.StartError
		if !errors.As(err, &start) || !strings.Contains(err.Error(), "calls: ") || !strings.Contains(err.Error(), "queries: ") {
			t.Errorf("Run = %v, want the error of both pipelines", err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it ended after %v", took)
		}
	})
}

// A pipeline that cannot start leaves the other one alone, and starts when it can.
func TestAPipelineThatCannotStartIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		first := w.start(lifeSettings)
		w.send("o1", "shop")
		w.wantResults("o1=APPLIED")
		first.stop()
		apptest.NoError(t, <-first.ended)

		p := w.start(strings.NewReplacer(", start: earliest", "", "partitions: 2", queriesTopic).Replace(lifeSettings))
		w.send("o2", "shop")
		w.wantResults("o1=APPLIED", "o2=APPLIED")
		time.Sleep(10 * time.Minute)
		if said := p.log.Take(); strings.Count(said, "level=ERROR") != 1 || !strings.Contains(said, "pipeline=queries") {
			t.Errorf("the log says %s", said)
		}
		cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
		apptest.NoError(t, err)
		defer cl.Close()
		var offsets kadm.Offsets
		for partition := range int32(2) {
			offsets.Add(kadm.Offset{Topic: "alipay-queries", Partition: partition, At: 0})
		}
		_, err = kadm.NewClient(cl).CommitOffsets(t.Context(), "alipay-kafka-bridge-queries", offsets)
		apptest.NoError(t, err)
		time.Sleep(5 * time.Minute)
		if said := p.log.Take(); !strings.Contains(said, "works again") {
			t.Errorf("the log says %s", said)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// Two processes with the same slot must not go on: one of them ends.
func TestTwoProcessesWithOneSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		settings := strings.NewReplacer("'localhost:8088'", "''", "'localhost:9464'", "''", "'localhost:8087'", "''").Replace(lifeSettings)
		a := w.start(settings)
		w.send("o1", "shop")
		w.wantResults("o1=APPLIED")
		b := w.start(settings)
		for n := 0; len(a.ended)+len(b.ended) == 0 && n < 100; n++ {
			w.send(fmt.Sprint("p", n), "shop")
			time.Sleep(time.Second)
		}
		ended, other := a, b
		if len(b.ended) > 0 {
			ended, other = b, a
		}
		if err := <-ended.ended; !errors.Is(err, produce.ErrSlotTaken) {
			t.Errorf("Run = %v, want that the slot is taken", err)
		}
		other.stop()
		apptest.NoError(t, <-other.ended)
	})
}
