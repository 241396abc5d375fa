package demo

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// stage is everything that the demo starts.
type stage struct {
	kafka   *localkafka.Cluster
	sim     *simulator.Simulator
	server  *http.Server
	url     string
	service *app.Service
	codec   *order.Codec
	topics  config.Topics
	events  []order.Event
	sent    atomic.Int64
	outage  bool
}

const inputTopic = "order-events"

// The demo's apps; examples/orders.jsonl names the accounts.
const (
	classicAppID = "2021000000000001"
	hkClientID   = "hk-client"
)

func newStage(ctx context.Context, o Options, text []byte, talk io.Writer) (*stage, error) {
	s := &stage{topics: config.Default().Topics}
	s.outage = o.Faults == "outage" || o.Faults == "all"
	var err error
	if s.kafka, err = localkafka.Start(localkafka.Options{Topics: localTopics(s.topics)}); err != nil {
		return nil, err
	}
	classic, err := standalone.GenerateApp(classicAppID)
	if err != nil {
		return nil, err
	}
	hk, err := standalone.GenerateHKApp(hkClientID)
	if err != nil {
		return nil, err
	}
	registry, err := avro.NewRegistry(s.kafka.RegistryOptions())
	if err != nil {
		return nil, err
	}
	s.codec = order.NewCodec(registry)
	if s.events, err = parseOrders(text, s.codec); err != nil {
		return nil, err
	}
	if err := s.startSimulator(ctx, o, classic, hk); err != nil {
		return nil, err
	}
	p, err := s.parts(registry, classic, hk, talk)
	if err != nil {
		return nil, err
	}
	s.service, err = app.NewService(p)
	return s, err
}

func localTopics(t config.Topics) []localkafka.Topic {
	var out []localkafka.Topic
	for _, m := range kafka.Topics(t) {
		out = append(out, localkafka.Topic{Name: m.Name, Partitions: int32(t.Partitions), Schema: m.Schema})
	}
	return out
}

func (s *stage) startSimulator(ctx context.Context, o Options, classic standalone.GeneratedApp, hk standalone.GeneratedHKApp) error {
	trades, orders := standalone.Prerequisites(s.events, classic.App.ID, time.Now())
	var err error
	s.sim, err = simulator.New(simulator.Options{
		Apps: []simulator.App{classic.App}, HKApps: []simulator.HKApp{hk.App}, Seed: o.Seed,
		Latency: simulator.Latency{Fixed: 30 * time.Millisecond, Jitter: 40 * time.Millisecond},
		Faults:  lostFaults(o.Faults), Trades: trades, ItemOrders: orders,
	})
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.server = &http.Server{Handler: s.sim, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = l.Close() // calls fail from here on, and the proofs say so
		}
	}()
	return nil
}

func (s *stage) close() {
	if s.service != nil {
		s.service.Close()
	}
	if s.server != nil {
		_ = s.server.Close() // nothing left to answer
	}
	s.kafka.Close()
}

// fastGuard is quicker than the defaults, so that an outage is over before the reader leaves.
func fastGuard() breaker.Options {
	return breaker.Options{
		InFlight: 64, AttemptTimeout: 2 * time.Second, Open: time.Second, Ramp: 2 * time.Second,
		BackOff: 100 * time.Millisecond, BackOffMax: 2 * time.Second,
	}
}

func (s *stage) parts(registry *avro.Registry, classic standalone.GeneratedApp, hk standalone.GeneratedHKApp, talk io.Writer) (app.Parts, error) {
	guard := fastGuard()
	main, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{
		URL: s.url, AppID: classic.App.ID, Signer: keys.NewRSASigner(classic.MerchantKey), AlipayKey: &classic.App.SigningKey.PublicKey, InFlight: guard.InFlight,
	})
	if err != nil {
		return app.Parts{}, err
	}
	hkApp, err := gateway.NewHK(gateway.HKOptions{
		URL: s.url, ClientID: hk.App.ClientID, Signer: keys.NewRSASigner(hk.MerchantKey), InFlight: guard.InFlight,
		PlatformKeys: map[string]*rsa.PublicKey{"1": &hk.App.PlatformKey.PublicKey},
	})
	if err != nil {
		return app.Parts{}, err
	}
	accounts := map[order.Account]app.AccountParts{}
	var names []order.Account
	for name, ch := range map[order.Account]order.Channel{
		"shop-trade": order.ChannelTrade, "shop-credit": order.ChannelCredit, "shop-koubei": order.ChannelKoubei, "shop-hk": order.ChannelHK,
	} {
		a := app.AccountParts{App: "main", Environment: string(config.Simulator), Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: ch}), NotFoundPause: time.Second}
		if ch == order.ChannelHK {
			a.App = "hk"
		}
		accounts[name] = a
		names = append(names, name)
	}
	input := handle.TopicAccounts{Accounts: names, Default: "shop-trade"}
	return app.Parts{
		Kafka: s.kafka.ClientOptions(), Slot: "demo", Registry: registry, Topics: app.OutputTopics(s.topics),
		Calls:   app.PipelineParts{Group: "bridge", Inputs: map[string]handle.TopicAccounts{inputTopic: input}},
		Queries: app.PipelineParts{Group: "bridge-queries", Inputs: map[string]handle.TopicAccounts{"alipay-queries": input}},
		Apps: map[string]app.AlipayParts{
			"main": {App: main, Calls: guard, Queries: guard},
			"hk":   {App: hkApp, Calls: guard, Queries: guard},
		},
		Accounts: accounts,
		Options:  consume.Options{Start: consume.Start{Earliest: true}},
		Tracer:   noop.Tracer{}, Log: newErrorLog(talk),
	}, nil
}
