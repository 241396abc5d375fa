package main

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

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// stage is everything that the demo starts.
type stage struct {
	kafka   *localkafka.Cluster
	sim     *simulator.Simulator
	server  *http.Server
	url     string
	service *service
	codec   *order.Codec
	topics  config.Topics
	events  []order.Event
	sent    atomic.Int64
	outage  bool
}

const demoInput = "order-events"

// The demo's apps; examples/orders.jsonl names the accounts.
const (
	demoApp   = "2021000000000001"
	demoHKApp = "hk-client"
)

func newStage(ctx context.Context, o demoOptions, text []byte, talk io.Writer) (*stage, error) {
	s := &stage{topics: config.Default().Topics}
	s.outage = o.faults == "outage" || o.faults == "all"
	var err error
	if s.kafka, err = localkafka.Start(localkafka.Options{Topics: localTopics(s.topics)}); err != nil {
		return nil, err
	}
	classic, err := simulator.GenerateApp(demoApp)
	if err != nil {
		return nil, err
	}
	hk, err := simulator.GenerateHKApp(demoHKApp)
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
	s.service, err = newService(p)
	return s, err
}

func localTopics(t config.Topics) []localkafka.Topic {
	var out []localkafka.Topic
	for _, m := range contract(t) {
		out = append(out, localkafka.Topic{Name: m.name, Partitions: int32(t.Partitions), Schema: m.schema})
	}
	return out
}

func (s *stage) startSimulator(ctx context.Context, o demoOptions, classic simulator.GeneratedApp, hk simulator.GeneratedHKApp) error {
	trades, orders := prerequisites(s.events, classic.App.ID, time.Now())
	var err error
	s.sim, err = simulator.New(simulator.Options{
		Apps: []simulator.App{classic.App}, HKApps: []simulator.HKApp{hk.App}, Seed: o.seed,
		Latency: simulator.Latency{Fixed: 30 * time.Millisecond, Jitter: 40 * time.Millisecond},
		Faults:  lostFaults(o.faults), Trades: trades, ItemOrders: orders,
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

func (s *stage) parts(registry *avro.Registry, classic simulator.GeneratedApp, hk simulator.GeneratedHKApp, talk io.Writer) (parts, error) {
	guard := fastGuard()
	main, err := alipay.NewOpenAPI(alipay.OpenAPIOptions{
		URL: s.url, AppID: classic.App.ID, Signer: alipay.NewRSASigner(classic.MerchantKey), AlipayKey: &classic.App.SigningKey.PublicKey, InFlight: guard.InFlight,
	})
	if err != nil {
		return parts{}, err
	}
	hkApp, err := alipay.NewHK(alipay.HKOptions{
		URL: s.url, ClientID: hk.App.ClientID, Signer: alipay.NewRSASigner(hk.MerchantKey), InFlight: guard.InFlight,
		PlatformKeys: map[string]*rsa.PublicKey{"1": &hk.App.PlatformKey.PublicKey},
	})
	if err != nil {
		return parts{}, err
	}
	accounts := map[order.Account]accountParts{}
	var names []order.Account
	for name, ch := range map[order.Account]order.Channel{
		"shop-trade": order.ChannelTrade, "shop-credit": order.ChannelCredit, "shop-koubei": order.ChannelKoubei, "shop-hk": order.ChannelHK,
	} {
		a := accountParts{app: "main", environment: string(config.Simulator), planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: ch}), notFoundPause: time.Second}
		if ch == order.ChannelHK {
			a.app = "hk"
		}
		accounts[name] = a
		names = append(names, name)
	}
	input := consume.TopicAccounts{Accounts: names, Default: "shop-trade"}
	return parts{
		kafka: s.kafka.ClientOptions(), slot: "demo", registry: registry, topics: topicsOf(s.topics),
		calls:   pipelineParts{group: "bridge", inputs: map[string]consume.TopicAccounts{demoInput: input}},
		queries: pipelineParts{group: "bridge-queries", inputs: map[string]consume.TopicAccounts{"alipay-queries": input}},
		apps: map[string]appParts{
			"main": {app: main, calls: guard, queries: guard},
			"hk":   {app: hkApp, calls: guard, queries: guard},
		},
		accounts: accounts,
		options:  consume.Options{Start: consume.Start{Earliest: true}},
		tracer:   noop.Tracer{}, log: newErrorLog(talk),
	}, nil
}
