package app

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// newParts builds what a settings file describes.
func newParts(ctx context.Context, c config.Config, tracer trace.Tracer, log *slog.Logger) (Parts, error) {
	registry, err := OpenRegistry(c.Registry, int(c.Delivery.MaxRecord), log)
	if err != nil {
		return Parts{}, err
	}
	clientOptions, err := kafka.ClientOptions(c.Kafka, log)
	if err != nil {
		return Parts{}, err
	}
	limits, err := kafka.FetchLimits()
	if err != nil {
		return Parts{}, err
	}
	p := Parts{
		Kafka: append(clientOptions, limits...), Cluster: c.Kafka.ClusterID, Slot: c.Kafka.Slot, Registry: registry, Topics: OutputTopics(c.Topics),
		Calls:   PipelineParts{Group: c.Kafka.Group, Inputs: inputsOf(c.Topics.Inputs)},
		Queries: PipelineParts{Group: c.Kafka.QueriesGroup(), Inputs: inputsOf(c.Topics.Queries)},
		Apps:    map[string]AlipayParts{},
		Options: consume.Options{
			SettleEvery: c.Delivery.SettleEvery, SettleCount: c.Delivery.SettleCount, MaxBytes: int(c.Delivery.MaxBytes),
			MaxRecord: int(c.Delivery.MaxRecord), RevokeBound: c.Delivery.RevokeBound, Grace: c.Delivery.Grace,
		},
		TransactionTimeout: c.Kafka.TransactionTimeout, Tracer: tracer, Log: log,
		Headers: c.Kafka.Headers, SkippedResults: c.Delivery.SkippedResults,
	}
	if p.Masker, err = order.NewMasker(order.MaskOptions{Key: []byte(c.Privacy.KeyFile.Text.Reveal()), Clear: c.Privacy.Clear}); err != nil {
		return Parts{}, fmt.Errorf("privacy: %w", err)
	}
	if p.Options.Start, err = consume.ParseStart(c.Kafka.Start); err != nil {
		return Parts{}, err
	}
	for name, a := range c.Apps {
		app, err := NewAlipayApp(ctx, a, Instrumentation{tracer, log})
		if err != nil {
			return Parts{}, fmt.Errorf("app %s: %w", name, err)
		}
		p.Apps[name] = AlipayParts{App: app, Calls: guardOptions(a), Queries: queryOptions(a), Fingerprints: trustFingerprints(a)}
	}
	p.Accounts, err = newAccounts(c)
	return p, err
}

func newAccounts(c config.Config) (map[order.Account]AccountParts, error) {
	out := map[order.Account]AccountParts{}
	for name, a := range c.Accounts {
		planner, err := NewPlanner(a)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		out[order.Account(name)] = AccountParts{
			App: a.App, Environment: string(c.Apps[a.App].Environment), Planner: planner,
			NotFoundPause: c.Apps[a.App].Retry.NotFoundPause, Merchant: Merchant(a),
		}
	}
	return out, nil
}

// Merchant is the merchant that calls of an account are for.
func Merchant(a config.Account) alipay.Merchant {
	return alipay.Merchant{AppAuthToken: a.AppAuthTokenFile.Text.Reveal(), AgentToken: a.AgentTokenFile.Text.Reveal(), NotifyURL: a.NotifyURL}
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

func inputsOf(inputs []config.Input) map[string]handle.TopicAccounts {
	out := map[string]handle.TopicAccounts{}
	for _, in := range inputs {
		o := handle.TopicAccounts{Default: order.Account(in.DefaultAccount)}
		for _, a := range in.Accounts {
			o.Accounts = append(o.Accounts, order.Account(a))
		}
		out[in.Name] = o
	}
	return out
}

func guardOptions(a config.App) breaker.Options {
	return breaker.Options{
		InFlight: a.InFlight, Rate: a.Rate, Burst: a.Burst,
		Consecutive: a.Breaker.Consecutive, Ratio: a.Breaker.Ratio, MinRequests: a.Breaker.MinRequests, Window: a.Breaker.Window,
		Open: a.Breaker.Open, HalfOpen: a.Breaker.HalfOpen, Ramp: a.Breaker.Ramp,
		BackOff: a.Retry.BackOff, BackOffMax: a.Retry.BackOffMax,
		ThrottledBackOff: a.Retry.ThrottledBackOff, ThrottledMax: a.Retry.ThrottledBackOffMax,
		MinAttempts: a.Retry.MinAttempts, MaxTrying: a.Retry.MaxTrying, AttemptTimeout: a.Timeout,
	}
}

func queryOptions(a config.App) breaker.Options {
	o := guardOptions(a)
	o.InFlight, o.Rate, o.Burst = a.Queries.InFlight, a.Queries.Rate, a.Queries.Burst
	return o
}

// NewPlanner plans the calls of an account with its mapping.
func NewPlanner(a config.Account) (*order.Planner, error) {
	var rows []order.Row
	for _, r := range a.Mapping {
		row, err := rowOf(r)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	m := order.DefaultMapping().With(rows...)
	if err := m.Check(); err != nil {
		return nil, err
	}
	return order.NewPlanner(m, order.Defaults{
		Channel: order.Channel(a.Channel), ProductCode: a.Defaults.ProductCode, TimeoutExpress: a.Defaults.TimeoutExpress, StoreID: a.Defaults.StoreID,
		ExpiresAsTimeout: a.ExpiresAs == "timeout_express", BusinessParamsObject: a.BusinessParamsAs == "object", AllowViolated: a.AllowViolated,
		Payees: a.Payees, ExtraNames: a.Extra, ExtraMoney: a.ExtraMoney,
	}), nil
}

// rowOf turns a row of the settings, which names calls, into one of the mapping.
func rowOf(r config.Row) (order.Row, error) {
	out := order.Row{Word: r.Status}
	if r.Channel != "" {
		out.Channels = []order.Channel{order.Channel(r.Channel)}
	}
	for _, e := range r.Events {
		out.Types = append(out.Types, order.EventType(e))
	}
	for _, c := range r.If {
		out.If = append(out.If, order.Condition(c))
	}
	switch {
	case r.Skip != "":
		out.Do, out.Word = order.Skip, r.Skip
	case r.Call == config.CallCreate:
		out.Do = order.Create
	case r.Call == config.CallQuery:
		out.Do = order.Query
	case r.Call == config.CallSync && r.Status == "":
		out.Do = order.SyncAsGiven
	case r.Call == config.CallSync:
		out.Do = order.Sync
	case r.Call == config.CallHKSync && r.Status == "":
		out.Do = order.HKAsGiven
	case r.Call == config.CallHKSync:
		out.Do = order.HKSync
	case r.Call == config.CallKoubeiQuery:
		out.Do = order.KoubeiQuery
	default:
		return order.Row{}, fmt.Errorf("mapping: no such call %q", r.Call)
	}
	return out, nil
}
