package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
)

// Parts are what a service is made of, from a settings file or from the demo.
type Parts struct {
	Kafka          []kgo.Opt // brokers, security, limits
	Cluster        string    // its id; empty: any
	Slot           string    // owner of the transactional ids
	Registry       *avro.Registry
	Topics         records.Topics
	Calls          PipelineParts
	Queries        PipelineParts // none when it has no inputs
	Apps           map[string]AlipayParts
	Accounts       map[order.Account]AccountParts
	Options        consume.Options // figures that both engines share
	Masker         *order.Masker   // of results and snapshots; nil hides all that is personal
	Headers        []string        // of input records that outputs keep
	SkippedResults bool            // as results, too

	TransactionTimeout time.Duration
	Tracer             trace.Tracer
	Log                *slog.Logger
}

// PipelineParts are the group and the inputs of a pipeline.
type PipelineParts struct {
	Group  string
	Inputs map[string]handle.TopicAccounts // by topic
}

// AlipayParts are an Alipay app with the limits of both pipelines.
type AlipayParts struct {
	App            *gateway.App
	Calls, Queries breaker.Options // queries have slots and a rate of their own, below live traffic
	Fingerprints   []string        // of what it trusts
}

// AccountParts are one merchant under an app.
type AccountParts struct {
	App         string
	Environment string
	Merchant    alipay.Merchant
	Planner     *order.Planner

	NotFoundPause time.Duration
}

// inFlight is how many calls may run at a time, all apps together.
func (p Parts) inFlight() int {
	n := 0
	for _, a := range p.Apps {
		n += a.Calls.InFlight + a.Queries.InFlight
	}
	return n
}

// Service runs the pipelines of one process.
type Service struct {
	parts     Parts
	codec     *order.Codec
	encoder   *records.Encoder
	pipelines []*pipeline
	clients   map[clientKey]*gateway.Client // one for each account under each app that it had
}

type clientKey struct {
	app     string
	account order.Account
}

// pipeline is one group with its own windows, lanes and guards.
type pipeline struct {
	name    string
	engine  *consume.Engine
	handler *handle.Handler
	guards  map[string]*breaker.Guard // by app
}

// NewService builds the pipelines; nothing is connected yet.
func NewService(p Parts) (*Service, error) {
	s := &Service{parts: p, clients: map[clientKey]*gateway.Client{}, codec: order.NewCodec(p.Registry).WithMasker(p.Masker)}
	s.encoder = records.NewEncoder(s.codec, p.Topics, p.Headers)
	for _, pipe := range []struct {
		name    string
		parts   PipelineParts
		options func(AlipayParts) breaker.Options
	}{
		{"calls", p.Calls, func(a AlipayParts) breaker.Options { return a.Calls }},
		{"queries", p.Queries, func(a AlipayParts) breaker.Options { return a.Queries }},
	} {
		if len(pipe.parts.Inputs) == 0 {
			continue
		}
		built, err := s.newPipeline(pipe.name, pipe.parts, pipe.options)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pipe.name, err)
		}
		s.pipelines = append(s.pipelines, built)
	}
	return s, nil
}

// minWaiting is how many handlings may wait beside those whose calls are in flight, however few
// those are: one that is asleep before another attempt must not hold up others.
const minWaiting = 64

func (s *Service) newPipeline(name string, pp PipelineParts, options func(AlipayParts) breaker.Options) (*pipeline, error) {
	log := s.parts.Log.With("pipeline", name)
	pl := &pipeline{name: name, guards: map[string]*breaker.Guard{}}
	o := s.parts.Options
	o.Client, o.Group, o.Log = s.parts.Kafka, pp.Group, log
	o.Started = map[string]int{}
	for app, a := range s.parts.Apps {
		bo := options(a)
		bo.OnState = func(m alipay.Method, from, to string) {
			// Under the breaker's lock; slog only writes.
			log.Warn("breaker "+to, "app", app, "method", m, "from", from)
		}
		pl.guards[app] = breaker.New(bo)
		o.Started[app] = bo.InFlight + max(2*bo.InFlight, minWaiting)
	}
	pl.handler = handle.NewHandler(handle.HandlerOptions{
		Group: pp.Group, Inputs: pp.Inputs, Accounts: s.accounts(pl, s.parts.Accounts), Codec: s.codec, Encoder: s.encoder,
		SkippedResults: s.parts.SkippedResults, Tracer: s.parts.Tracer, Log: log,
	})
	for topic := range pp.Inputs {
		o.Topics = append(o.Topics, topic)
	}
	o.Refuse, o.Journal = pl.handler.Refuse, pl.handler.Journal
	tx, err := produce.NewTransactor(produce.TransactorOptions{
		Client: s.parts.Kafka, Group: pp.Group, TransactionalID: kafka.TransactionalID(pp.Group, s.parts.Slot), Timeout: s.parts.TransactionTimeout,
	})
	if err != nil {
		return nil, err
	}
	pl.engine, err = consume.New(pl.handler.Prepare, tx, o)
	return pl, err
}

func (s *Service) accounts(pl *pipeline, accounts map[order.Account]AccountParts) map[order.Account]*handle.Account {
	out := map[order.Account]*handle.Account{}
	for name, a := range accounts {
		guard, client := pl.guards[a.App], s.client(name, a)
		out[name] = handle.NewAccount(handle.Account{
			Name: name, App: a.App, Environment: a.Environment, Planner: a.Planner, Supports: client.Supports, AttemptTimeout: guard.AttemptTimeout(), NotFoundPause: a.NotFoundPause,
		}, func() *breaker.Call { return guard.Call(client) })
	}
	return out
}

// client returns the account's client. It stays the same as long as the account is under the
// same app, so that events that wait have new tokens with their next attempt.
func (s *Service) client(name order.Account, a AccountParts) *gateway.Client {
	key := clientKey{a.App, name}
	if c := s.clients[key]; c != nil {
		c.SetMerchant(a.Merchant)
		return c
	}
	s.clients[key] = s.parts.Apps[a.App].App.Client(a.Merchant)
	return s.clients[key]
}

// setAccounts replaces accounts, and which of them the input topics may name.
func (s *Service) setAccounts(accounts map[order.Account]AccountParts, calls, queries map[string]handle.TopicAccounts) {
	for name, a := range accounts {
		s.client(name, a) // has its tokens from here on
	}
	for _, pl := range s.pipelines {
		inputs := calls
		if pl.name == "queries" {
			inputs = queries
		}
		pl.handler.SetPermissions(inputs, s.accounts(pl, accounts))
	}
}

// checkSigners lets each app sign once, so that a key that is elsewhere shows its faults at
// start, and says what each app trusts (security Y2, G7).
func (s *Service) checkSigners(ctx context.Context) error {
	for name, a := range s.parts.Apps {
		if err := a.App.CheckSigner(ctx); err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		s.parts.Log.InfoContext(ctx, "app is ready to sign", "app", name, "anchors", a.Fingerprints)
	}
	return nil
}

// Close gives connections back.
func (s *Service) Close() {
	for _, a := range s.parts.Apps {
		a.App.Close()
	}
	s.parts.Registry.Close()
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
