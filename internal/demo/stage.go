package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// stage is everything that the demo starts.
type stage struct {
	kafka    *localkafka.Cluster
	sim      *simulator.Simulator
	gateways *http.Server
	url      string // of the gateways
	registry *avro.Registry
	codec    *order.Codec
	service  *app.Service
	topics   config.Topics
	events   []order.Event
	sent     atomic.Int64
	outage   bool
	receiver net.Listener // of notifications; nil: no buyers act, so that there are none
	buyers   sync.WaitGroup
	stop     func() // the buyers
}

// setup is what differs between the demo and its tests.
type setup struct {
	orders    []byte // order events as JSON lines
	keys      func() (simulatedKeys, error)
	simulator simulator.Options // without apps and what they must know
	service   app.Options
	tune      func(*config.App)     // changes the settings of each app; nil: the defaults
	network   *kfake.VirtualNetwork // instead of TCP; nil: TCP
}

// simulatedKeys are the apps of the demo, with the keys of both sides.
type simulatedKeys struct {
	classic standalone.GeneratedApp
	hk      standalone.GeneratedHKApp
}

// The apps of the demo; examples/orders.jsonl names the accounts.
const (
	classicAppID = "2021000000000001"
	hkClientID   = "hk-client"
)

func generateKeys() (k simulatedKeys, err error) {
	if k.classic, err = standalone.GenerateApp(classicAppID); err != nil {
		return k, err
	}
	k.hk, err = standalone.GenerateHKApp(hkClientID)
	return k, err
}

// demoSetup is the demo as the command line asks for it.
func demoSetup(o Options, orders []byte, talk io.Writer) setup {
	return setup{
		orders: orders, keys: generateKeys, service: app.Options{Log: newErrorLog(talk)}, tune: quickApp,
		simulator: simulator.Options{
			Seed: o.Seed, Latency: simulator.Latency{Fixed: 30 * time.Millisecond, Jitter: 40 * time.Millisecond}, Faults: lostFaults(o.Faults),
			Buyers: []simulator.Buyer{
				{Share: 0.6, Steps: []simulator.Step{{After: time.Second, Do: simulator.ActPay}}},
				{Share: 0.7, Steps: []simulator.Step{{After: time.Second, Do: simulator.ActPay}, {After: time.Second, Do: simulator.ActRefund, Amount: 1}}},
			},
		},
	}
}

// quickApp reacts faster than the defaults, so that an outage is over before the reader leaves.
func quickApp(a *config.App) {
	a.InFlight, a.Queries.InFlight, a.Timeout = 64, 64, 2*time.Second
	a.Breaker.Open, a.Breaker.Ramp = time.Second, 2*time.Second
	a.Retry.BackOff, a.Retry.BackOffMax = 100*time.Millisecond, 2*time.Second
}

// newStage starts everything except the service itself, which it only builds.
func newStage(ctx context.Context, o setup) (*stage, error) {
	s := &stage{topics: config.Default().Topics}
	if err := s.build(ctx, o); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) build(ctx context.Context, o setup) error {
	var err error
	if s.kafka, err = localkafka.Start(localkafka.Options{Topics: localTopics(s.topics), Network: o.network}); err != nil {
		return err
	}
	if s.registry, err = avro.NewRegistry(s.kafka.RegistryOptions()); err != nil {
		return err
	}
	s.codec = order.NewCodec(s.registry)
	if s.events, err = parseOrders(o.orders, s.codec); err != nil {
		return err
	}
	made, err := o.keys()
	if err != nil {
		return err
	}
	if err := s.startSimulator(ctx, o, made); err != nil {
		return err
	}
	if err := s.startBuyers(ctx, o); err != nil {
		return err
	}
	o.service.StatusInMemory = true
	o.service.Dial = s.kafka.DialContext()
	o.service.Listen = func(context.Context, string, string) (net.Listener, error) { return s.receiver, nil }
	s.service, err = app.New(ctx, s.settings(made, o.tune), o.service)
	return err
}

func localTopics(t config.Topics) []localkafka.Topic {
	var out []localkafka.Topic
	for _, m := range kafka.Topics(t) {
		out = append(out, localkafka.Topic{Name: m.Name, Partitions: int32(t.Partitions), Schema: m.Schema})
	}
	return out
}

// startSimulator serves both gateways, with TCP on a free port of this machine.
func (s *stage) startSimulator(ctx context.Context, o setup, made simulatedKeys) error {
	options := o.simulator
	options.Apps, options.HKApps = []simulator.App{made.classic.App}, []simulator.HKApp{made.hk.App}
	options.Trades, options.ItemOrders = Prerequisites(s.events, made.classic.App.ID, time.Now())
	var err error
	if s.sim, err = simulator.New(options); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	var l net.Listener
	if o.network != nil {
		l, err = o.network.Listen("tcp", "localhost:8090")
	} else {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.gateways = &http.Server{Handler: s.sim, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := s.gateways.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = l.Close() // calls fail from here on, and the proofs show it
		}
	}()
	return nil
}

// startBuyers lets the buyers act, if there are any, on trades whose notifications the bridge receives.
func (s *stage) startBuyers(ctx context.Context, o setup) error {
	if len(o.simulator.Buyers) == 0 {
		return nil
	}
	var err error
	if s.receiver, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("receiver of notifications: %w", err)
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.buyers.Go(func() { _ = s.sim.Run(ctx) }) // it only ends with ctx
	return nil
}

// settings are what a settings file for this stage would say.
func (s *stage) settings(made simulatedKeys, tune func(*config.App)) config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Kafka.Group, c.Kafka.Slot, c.Kafka.Start = s.kafka.Addrs(), "bridge", "demo", "earliest"
	c.Registry.URL = s.kafka.RegistryURL()

	main := config.NewApp(config.OpenAPI)
	main.AppID = made.classic.App.ID
	main.PrivateKeyFile, main.AlipayPublicKeyFile = secret(made.classic.MerchantPrivate), public(made.classic.AlipayPublic)
	hk := config.NewApp(config.AlipayHK)
	hk.ClientID = made.hk.App.ClientID
	hk.PrivateKeyFile, hk.PlatformKeys = secret(made.hk.MerchantPrivate), map[string]config.File{"1": public(made.hk.PlatformPublic)}
	c.Apps = map[string]config.App{"main": main, "hk": hk}
	for name, a := range c.Apps {
		a.Environment, a.URL, a.Retry.NotFoundPause = config.Simulator, s.url, time.Second
		if tune != nil {
			tune(&a)
		}
		c.Apps[name] = a
	}
	c.Accounts = map[string]config.Account{
		"shop-trade": config.NewAccount("main", "TRADE"), "shop-credit": config.NewAccount("main", "CREDIT"),
		"shop-koubei": config.NewAccount("main", "KOUBEI"), "shop-hk": config.NewAccount("hk", "HK"),
	}
	if s.receiver != nil {
		shop := c.Accounts["shop-trade"]
		c.Notify.Listen = s.receiver.Addr().String()
		shop.SellerID, shop.NotifyURL = made.classic.App.SellerID, "http://"+c.Notify.Listen+"/notify/shop-trade"
		c.Accounts["shop-trade"] = shop
	}
	for _, in := range []*config.Input{&c.Topics.Inputs[0], &c.Topics.Queries[0]} {
		in.Accounts, in.DefaultAccount = []string{"shop-trade", "shop-credit", "shop-koubei", "shop-hk"}, "shop-trade"
	}
	return c
}

// secret and public are files that exist only in this process.
func secret(text string) config.SecretFile {
	return config.SecretFile{Path: "(made for the demo)", Text: config.NewSecret(text)}
}

func public(text string) config.File { return config.File{Path: "(made for the demo)", Text: text} }

func (s *stage) close() {
	if s.stop != nil {
		s.stop()
		s.buyers.Wait()
		_ = s.receiver.Close() // the service has closed it already if it ran
	}
	if s.service != nil {
		s.service.Close()
	}
	if s.gateways != nil {
		_ = s.gateways.Close() // no answer is under way
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
}
