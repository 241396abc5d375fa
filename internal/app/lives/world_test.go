package lives_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/wire"
)

const (
	appID  = "2021000000000001"
	seller = "2088000000000000"
)

// The settings ask early, so that 45 minutes have all rounds that matter: the last one 40 minutes after the create, when
// every buyer has done what he does.
const (
	settings = `
kafka: {brokers: ['localhost:9092'], start: earliest, slot: one}
registry: {url: 'http://localhost:8081'}
topics: {inputs: [{accounts: [shop, other], default_account: shop}], partitions: 3}
apps:
  main: {kind: openapi, environment: simulator, url: 'http://localhost:8090', app_id: '2021000000000001', private_key_file: own.pem, alipay_public_key_file: alipay.pub, retry: {not_found_pause: 1s}}
accounts:
  shop: {app: main, channel: TRADE, seller_id: '2088000000000000', notify_url: 'http://localhost:8086/notify/shop'}
  other: {app: main, channel: TRADE, payees: {seller_id: ['2088000000000000']}, auth_app_id: '2021000000000001', notify_url: 'http://localhost:8086/notify/other'}
notify: {listen: 'localhost:8086'}
status: {folder: FOLDER, ask_after: 10s, ask_until: 24h}
probes: {listen: ''}
metrics: {listen: ''}
admin: {listen: ''}
`
	payLimit = 8 * time.Minute
	lifetime = 45 * time.Minute
)

// world is Kafka, Alipay and the lives of one run.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	dir     string
	network kfake.VirtualNetwork
	kafka   *localkafka.Cluster
	sim     *simulator.Simulator
	codec   *order.Codec
	lives   []life
	off     bool // there are no notifications at all
	folders int
	began   time.Time
	errors  apptest.Buffer // what the bridge logs as errors
}

func newWorld(t *testing.T, run uint64) *world {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
	w := &world{t: t, rnd: rand.New(rand.NewPCG(run, 6)), dir: t.TempDir(), off: run%5 == 3}
	apptest.WriteSecret(t, w.dir, "own.pem", apptest.PrivatePEM(apptest.OwnKey()))
	apptest.WriteSecret(t, w.dir, "alipay.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	for i := range uint64(ordersPerRun) {
		w.lives = append(w.lives, newLife(run, i, w.off))
	}
	w.startKafka()
	w.startAlipay(run)
	return w
}

func (w *world) startKafka() {
	var topics []localkafka.Topic
	for _, m := range kafka.Topics(config.Default().Topics) {
		topics = append(topics, localkafka.Topic{Name: m.Name, Partitions: 3, Schema: m.Schema})
	}
	var err error
	w.kafka, err = localkafka.Start(localkafka.Options{Topics: topics, Network: &w.network})
	apptest.NoError(w.t, err)
	w.t.Cleanup(w.kafka.Close)
	registry, err := avro.NewRegistry(w.kafka.RegistryOptions())
	apptest.NoError(w.t, err)
	w.t.Cleanup(registry.Close)
	w.codec = order.NewCodec(registry)
}

func (w *world) startAlipay(run uint64) {
	o := simulator.Options{
		Apps: []simulator.App{{ID: appID, SellerID: seller, PublicKey: &apptest.OwnKey().PublicKey, SigningKey: apptest.PlatformKey()}},
		Seed: run, Quirks: wire.AllQuirks(), PayLimit: payLimit,
		Latency: simulator.Latency{Fixed: 20 * time.Millisecond, Jitter: time.Second},
		Faults: []simulator.Fault{
			simulator.CutBefore(simulator.TradeCreate).Probability(0.05), simulator.CutAfter(simulator.TradeCreate).Probability(0.1),
			simulator.CutAfter(simulator.TradeQuery).Probability(0.05),
		},
		Notify: []simulator.TradeStatus{simulator.TradeSuccess, simulator.TradeFinished, simulator.TradeClosed},
		Client: &http.Client{Transport: &http.Transport{DialContext: w.network.DialContext, DisableKeepAlives: true}},
	}
	for _, l := range w.lives {
		o.Buyers = append(o.Buyers, simulator.Buyer{Order: l.no, Steps: l.steps})
		o.Notifications.Faults = append(o.Notifications.Faults, l.faults...)
	}
	var err error
	w.sim, err = simulator.New(o)
	apptest.NoError(w.t, err)
	l, err := w.network.Listen("tcp", "localhost:8090")
	apptest.NoError(w.t, err)
	gateway := &http.Server{Handler: w.sim}
	go func() { _ = gateway.Serve(l) }()
	w.t.Cleanup(func() { _ = gateway.Close() })
}

// start starts the bridge on its disk, or on an empty one. What it returns stops it.
func (w *world) start(empty bool) (stop func()) {
	w.t.Helper()
	if empty {
		w.folders++
	}
	text := strings.Replace(settings, "FOLDER", filepath.Join(w.dir, fmt.Sprint("store", w.folders)), 1)
	if w.off {
		text = strings.NewReplacer(", notify_url: 'http://localhost:8086/notify/shop'", "", ", notify_url: 'http://localhost:8086/notify/other'", "").Replace(text)
	}
	file := apptest.WriteSecret(w.t, w.dir, "bridge.yaml", text)
	loaded, err := app.OpenSettings(file)
	apptest.NoError(w.t, err)
	s, err := app.New(w.t.Context(), loaded.Config, app.Options{
		Log:  slog.New(slog.NewTextHandler(&w.errors, &slog.HandlerOptions{Level: slog.LevelError})),
		Dial: w.network.DialContext, Listen: func(_ context.Context, network, addr string) (net.Listener, error) {
			return w.network.Listen(network, addr)
		},
	})
	apptest.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(bool) {}) }()
	return func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("the bridge ended: %v", err)
		}
		s.Close()
	}
}

// live lets 45 minutes pass, with a restart in the middle: on the same disk or without it.
func (w *world) live() {
	ctx, cancel := context.WithCancel(w.t.Context())
	buyers := make(chan error, 1)
	go func() { buyers <- w.sim.Run(ctx) }()
	w.began = time.Now()
	stop := w.start(false)
	go w.create(ctx)
	w.sleepUntil(90*time.Second + time.Duration(w.rnd.IntN(120_000))*time.Millisecond)
	stop()
	time.Sleep(time.Duration(w.rnd.IntN(60)) * time.Second)
	stop = w.start(w.rnd.IntN(2) == 0)
	w.sleepUntil(15 * time.Minute)
	for _, n := range w.sim.Notifications() { // old states come after new ones
		if w.rnd.IntN(4) == 0 && n.Done {
			apptest.NoError(w.t, w.sim.SendAgain(n.ID))
		}
	}
	w.sleepUntil(lifetime)
	stop()
	cancel()
	apptest.NoError(w.t, <-buyers)
	if said := w.errors.Take(); said != "" {
		w.t.Errorf("the bridge logged errors: %.2000s", said)
	}
}

func (w *world) sleepUntil(after time.Duration) { time.Sleep(time.Until(w.began.Add(after))) }

// create sends the events of all orders, each at its time.
func (w *world) create(ctx context.Context) {
	cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	for second := range time.Duration(60) {
		for _, l := range w.lives {
			if l.created != second*time.Second {
				continue
			}
			ev := order.Event{
				ID: order.EventID("e-" + l.no), Type: order.TypeCreated, OccurredAt: time.Now(), OrderNo: alipay.OutTradeNo(l.no), Account: order.Account(l.account),
				Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 888, Currency: "CNY"}, Subject: "茶 tea", BuyerUserID: "2088102146225135",
			}
			if l.account == "other" {
				ev.SellerID = seller
			}
			if err := records.SendEvents(ctx, cl, w.codec, "order-events", []order.Event{ev}); err != nil {
				w.t.Errorf("send: %v", err)
			}
		}
		time.Sleep(time.Second)
	}
}
