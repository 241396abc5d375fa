package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
)

// Parts are what a service is made of, from a settings file or from the demo.
type parts struct {
	kafka    []kgo.Opt // brokers, security, limits
	cluster  string    // its id; empty: any
	slot     string    // owner of the transactional ids
	registry *avro.Registry
	topics   produce.Topics
	calls    pipelineParts
	queries  pipelineParts // none when it has no inputs
	apps     map[string]appParts
	accounts map[order.Account]accountParts
	options  consume.Options // figures that both engines share
	masker   *order.Masker   // of results and snapshots; nil hides all that is personal
	headers  []string        // of input records that outputs keep
	skips    bool            // as results, too

	transactionTimeout time.Duration
	tracer             trace.Tracer
	log                *slog.Logger
}

// pipelineParts are the group and the inputs of a pipeline.
type pipelineParts struct {
	group  string
	inputs map[string]consume.TopicAccounts // by topic
}

// appParts are an Alipay app with the limits of both pipelines.
type appParts struct {
	app            *alipay.App
	calls, queries breaker.Options // queries have slots and a rate of their own, below live traffic
	fingerprints   []string        // of what it trusts
}

// accountParts are one merchant under an app.
type accountParts struct {
	app         string
	environment string
	merchant    alipay.Merchant
	planner     *order.Planner

	notFoundPause time.Duration
}

// inFlight is how many calls may run at a time, all apps together.
func (p parts) inFlight() int {
	n := 0
	for _, a := range p.apps {
		n += a.calls.InFlight + a.queries.InFlight
	}
	return n
}

// service runs the pipelines of one process.
type service struct {
	parts     parts
	codec     *order.Codec
	encoder   *produce.Encoder
	pipelines []*pipeline
	clients   map[clientKey]*alipay.Client // one for each account under each app that it had
}

type clientKey struct {
	app     string
	account order.Account
}

// pipeline is one group with its own windows, lanes and guards.
type pipeline struct {
	name    string
	engine  *consume.Engine
	handler *consume.Handler
	guards  map[string]*breaker.Guard // by app
}

// newService builds the pipelines; nothing is connected yet.
func newService(p parts) (*service, error) {
	s := &service{parts: p, clients: map[clientKey]*alipay.Client{}, codec: order.NewCodec(p.registry).WithMasker(p.masker)}
	s.encoder = produce.NewEncoder(s.codec, p.topics, p.headers)
	for _, pipe := range []struct {
		name    string
		parts   pipelineParts
		options func(appParts) breaker.Options
	}{
		{"calls", p.calls, func(a appParts) breaker.Options { return a.calls }},
		{"queries", p.queries, func(a appParts) breaker.Options { return a.queries }},
	} {
		if len(pipe.parts.inputs) == 0 {
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

func (s *service) newPipeline(name string, pp pipelineParts, options func(appParts) breaker.Options) (*pipeline, error) {
	log := s.parts.log.With("pipeline", name)
	pl := &pipeline{name: name, guards: map[string]*breaker.Guard{}}
	o := s.parts.options
	o.Client, o.Group, o.Log = s.parts.kafka, pp.group, log
	o.Started = map[string]int{}
	for app, a := range s.parts.apps {
		bo := options(a)
		bo.OnState = func(m alipay.Method, from, to string) {
			// Under the breaker's lock; slog only writes.
			log.Warn("breaker "+to, "app", app, "method", m, "from", from)
		}
		pl.guards[app] = breaker.New(bo)
		o.Started[app] = bo.InFlight + max(2*bo.InFlight, minWaiting)
	}
	pl.handler = consume.NewHandler(consume.HandlerOptions{
		Group: pp.group, Inputs: pp.inputs, Accounts: s.accounts(pl, s.parts.accounts), Codec: s.codec, Encoder: s.encoder,
		SkippedResults: s.parts.skips, Tracer: s.parts.tracer, Log: log,
	})
	for topic := range pp.inputs {
		o.Topics = append(o.Topics, topic)
	}
	o.Refuse, o.Journal = pl.handler.Refuse, pl.handler.Journal
	tx, err := produce.NewTransactor(produce.TransactorOptions{
		Client: s.parts.kafka, Group: pp.group, TransactionalID: transactionalID(pp.group, s.parts.slot), Timeout: s.parts.transactionTimeout,
	})
	if err != nil {
		return nil, err
	}
	pl.engine, err = consume.New(pl.handler.Prepare, tx, o)
	return pl, err
}

func (s *service) accounts(pl *pipeline, accounts map[order.Account]accountParts) map[order.Account]*consume.Account {
	out := map[order.Account]*consume.Account{}
	for name, a := range accounts {
		guard, client := pl.guards[a.app], s.client(name, a)
		out[name] = consume.NewAccount(consume.Account{
			Name: name, App: a.app, Environment: a.environment, Planner: a.planner, AttemptTimeout: guard.AttemptTimeout(), NotFoundPause: a.notFoundPause,
		}, func() *breaker.Call { return guard.Call(client) })
	}
	return out
}

// client returns the account's client. It stays the same as long as the account is under the
// same app, so that events that wait have new tokens with their next attempt.
func (s *service) client(name order.Account, a accountParts) *alipay.Client {
	key := clientKey{a.app, name}
	if c := s.clients[key]; c != nil {
		c.SetMerchant(a.merchant)
		return c
	}
	s.clients[key] = s.parts.apps[a.app].app.Client(a.merchant)
	return s.clients[key]
}

// setAccounts replaces accounts, and which of them the input topics may name.
func (s *service) setAccounts(accounts map[order.Account]accountParts, calls, queries map[string]consume.TopicAccounts) {
	for name, a := range accounts {
		s.client(name, a) // has its tokens from here on
	}
	for _, pl := range s.pipelines {
		inputs := calls
		if pl.name == "queries" {
			inputs = queries
		}
		pl.handler.SetTenants(inputs, s.accounts(pl, accounts))
	}
}

// checkSigners lets each app sign once, so that a key that is elsewhere shows its faults at
// start, and says what each app trusts (security Y2, G7).
func (s *service) checkSigners(ctx context.Context) error {
	for name, a := range s.parts.apps {
		if err := a.app.CheckSigner(ctx); err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		s.parts.log.InfoContext(ctx, "app is ready to sign", "app", name, "anchors", a.fingerprints)
	}
	return nil
}

// Close gives connections back.
func (s *service) Close() {
	for _, a := range s.parts.apps {
		a.app.Close()
	}
	s.parts.registry.Close()
}

// stats are figures of a running service, taken at one moment.
type stats struct {
	inFlight  int64          // calls
	unsettled int            // events
	breakers  map[string]int // by state
}

// Stats may be called at any time.
func (s *service) Stats() stats {
	out := stats{breakers: map[string]int{}}
	waiting := 0
	for _, p := range s.pipelines {
		st := p.engine.Stats()
		waiting += st.Waiting + st.Running
		for _, g := range p.guards {
			gs := g.Stats()
			out.inFlight += gs.InFlight
			for _, state := range gs.Breakers {
				out.breakers[state]++
			}
		}
	}
	out.unsettled = max(0, waiting)
	return out
}
