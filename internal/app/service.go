package app

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/audit/standing"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/sight"
)

// Service runs the pipelines of one process.
type Service struct {
	cfg      config.Config
	o        Options
	engine   consume.Options // what all pipelines share
	registry *avro.Registry
	codec    *order.Codec
	encoder  *records.Encoder
	keys     *integrity.Keys // nil: internal records have no seals
	apps     map[string]*gateway.App
	accounts map[order.Account]account
	clients  map[clientKey]*gateway.Client // one for each account under each app that it had

	sight     *sight.Sight
	pipelines []*pipeline
	receiver  *receiving      // nil: no notifications are received
	audit     *standing.Audit // nil: none is wanted
	status    *statusHandler  // nil: trade status is not merged

	background []func(context.Context) // runs while the pipelines run
	closers    []func()                // called by Close, the last first
	fatal      chan error              // holds one error that only a restart of the process ends

	waiting atomic.Pointer[sight.Wait] // what the start waits for; nil: nothing
}

// account is one merchant under an app.
type account struct {
	app         string
	environment string
	merchant    alipay.Merchant
	planner     *order.Planner
	foreign     bool // trades that the bridge did not create are accepted

	notFoundPause time.Duration
}

// New builds the service that the settings describe. It connects to nothing, except that a key
// in a vault is looked up there. Close ends it, also when Run was not called.
func New(ctx context.Context, cfg config.Config, o Options) (*Service, error) {
	s := &Service{cfg: cfg, fatal: make(chan error, 1), o: o.withDefaults(), apps: map[string]*gateway.App{}, clients: map[clientKey]*gateway.Client{}, sight: sight.New(o.Metrics, o.Tracer)}
	if err := s.build(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) build(ctx context.Context) error {
	err := PartList(s.o.Only).Check(s.cfg)
	if err != nil {
		return err
	}
	if s.registry, err = OpenTopics(s.cfg, int(s.cfg.Delivery.MaxRecord), s.o); err != nil {
		return err
	}
	masker, err := order.NewMasker(order.MaskOptions{Key: []byte(s.cfg.Privacy.KeyFile.Text.Reveal()), Clear: s.cfg.Privacy.Clear})
	if err != nil {
		return fmt.Errorf("privacy: %w", err)
	}
	s.codec = order.NewCodec(s.registry).WithMasker(masker)
	if s.keys, err = NewKeys(s.cfg); err != nil {
		return err
	}
	s.encoder = records.NewEncoder(s.codec, OutputTopics(s.cfg.Topics), s.cfg.Kafka.Headers).WithKeys(s.keys)
	if s.engine, err = engineOptions(s.cfg, s.o); err != nil {
		return err
	}
	s.engine.Client = append(s.engine.Client, kgo.WithHooks(s.sight.ConnectionHook()))
	s.sight.Gateways(s.cfg.Apps)
	for name, a := range s.cfg.Apps {
		if PartList(s.o.Only).Keyless() {
			continue
		}
		if s.apps[name], err = NewAlipayApp(ctx, a, s.o); err != nil {
			delete(s.apps, name)
			return fmt.Errorf("app %s: %w", name, err)
		}
	}
	if s.accounts, err = newAccounts(s.cfg); err != nil {
		return err
	}
	for _, kind := range pipelineKinds() {
		if !PartList(s.o.Only).runs(kind, s.cfg) {
			continue
		}
		built, err := s.newPipeline(kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		s.pipelines = append(s.pipelines, built)
	}
	if s.cfg.Notify.Listen != "" && PartList(s.o.Only).Has(partNotify) {
		if s.receiver, err = s.newReceiver(); err != nil {
			return err
		}
		if err := s.receiveFor(s.cfg); err != nil {
			return err
		}
	}
	s.audit = s.newAudit()
	return nil
}

// NewKeys are the keys by which the bridge knows its own records; nil: the settings have none.
func NewKeys(c config.Config) (*integrity.Keys, error) {
	k, err := integrity.New(c.Integrity.KeyFile.Text.Reveal(), c.Integrity.OtherKeyFile.Text.Reveal())
	if err != nil {
		return nil, fmt.Errorf("integrity.key_file: %w", err)
	}
	return k, nil
}

// engineOptions are the options that the engines of all pipelines share.
func engineOptions(c config.Config, o Options) (consume.Options, error) {
	client, err := kafka.ClientOptions(c.Kafka, o.Dial, o.Log)
	if err != nil {
		return consume.Options{}, err
	}
	limits, err := kafka.FetchLimits()
	if err != nil {
		return consume.Options{}, err
	}
	start, err := offsets.ParseStart(c.Kafka.Start)
	return consume.Options{
		Client: append(client, limits...), Start: start, AcceptPosition: o.AcceptedPositions, AcceptLoss: o.AcceptLoss,
		SettleEvery: c.Delivery.SettleEvery, SettleCount: c.Delivery.SettleCount,
		MaxRecord: int(c.Delivery.MaxRecord), RevokeBound: c.Delivery.RevokeBound, Grace: c.Delivery.Grace,
	}, err
}

// kafkaOptions are the options of each Kafka client of the service.
func (s *Service) kafkaOptions() []kgo.Opt { return s.engine.Client }

func newAccounts(c config.Config) (map[order.Account]account, error) {
	out := map[order.Account]account{}
	for name, a := range c.Accounts {
		planner, err := NewPlanner(a)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		out[order.Account(name)] = account{
			app: a.App, environment: string(c.Apps[a.App].Environment), planner: planner, foreign: a.AcceptForeignOrders,
			notFoundPause: c.Apps[a.App].Retry.NotFoundPause, merchant: Merchant(a),
		}
	}
	return out, nil
}

// OutputTopics are the topics that the bridge writes.
func OutputTopics(t config.Topics) records.Topics {
	out := records.Topics{Results: t.Results, Snapshots: t.Snapshots, Observations: t.Observations, Journal: t.Journal, DeadLetters: map[string]string{}}
	for _, inputs := range [][]config.Input{t.Inputs, t.Queries} {
		for _, in := range inputs {
			out.DeadLetters[in.Name] = in.DeadLetters
		}
	}
	return out
}

// useAccounts puts the accounts of new settings in force, and which of them the topics of each
// pipeline may name. Nothing else of the settings is used.
func (s *Service) useAccounts(c config.Config) error {
	accounts, err := newAccounts(c)
	if err != nil {
		return err
	}
	for name, a := range accounts {
		if s.apps[a.app] != nil {
			s.client(name, a) // it uses the new tokens from here on
		}
	}
	for _, pl := range s.pipelines {
		pl.handler.useAccounts(c.Topics, accounts)
	}
	return s.receiveFor(c)
}

// checkSigners lets each app sign once, so that a key in a vault shows its faults at start, and
// logs which keys each app trusts (security Y2, G7).
func (s *Service) checkSigners(ctx context.Context) error {
	for name, a := range s.apps {
		if err := a.CheckSigner(ctx); err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		s.o.Log.InfoContext(ctx, "app is ready to sign", "app", name, "trusted_keys", trustFingerprints(s.cfg.Apps[name]), "own_keys", a.OwnKeys())
	}
	return nil
}

// useKeys lets an app use the keys of its files, unless this process does not call Alipay.
func (s *Service) useKeys(ctx context.Context, name string, a config.App) error {
	if s.apps[name] == nil {
		return nil
	}
	built, err := NewAlipayApp(ctx, a, s.o)
	if err != nil {
		return err
	}
	defer built.Close()
	if err := built.CheckSigner(ctx); err != nil {
		return err
	}
	return s.apps[name].UseKeys(built)
}

// ownKeys are the keys that an app signs with; none in a process that does not.
func (s *Service) ownKeys(name string) []string {
	if s.apps[name] == nil {
		return nil
	}
	return s.apps[name].OwnKeys()
}

// Close closes the connections.
func (s *Service) Close() {
	for _, end := range slices.Backward(s.closers) {
		end()
	}
	for _, a := range s.apps {
		a.Close()
	}
	if s.receiver != nil {
		s.receiver.Close()
	}
	if s.registry != nil {
		s.registry.Close()
	}
}

// Stats are figures of a running service, taken at one moment.
type Stats struct {
	InFlight  int64          // calls
	Unsettled int            // events
	Breakers  map[string]int // by state
}

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	out := Stats{Breakers: map[string]int{}}
	waiting := 0
	for _, p := range s.pipelines {
		st := p.engine.Stats()
		waiting += st.Waiting + st.Running
		for _, g := range p.guards {
			gs := g.Stats()
			out.InFlight += gs.InFlight
			for _, state := range gs.Breakers {
				out.Breakers[state]++
			}
		}
	}
	out.Unsettled = max(0, waiting)
	return out
}
