package app

import (
	"fmt"
	"maps"
	"slices"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/sight"
)

// orderHandler handles order events. Its input topics say which accounts their events may name.
type orderHandler struct {
	*handle.Handler

	service  *Service
	pipeline *pipeline
	orderKind
}

// orderKind is what a pipeline of order events does.
type orderKind struct {
	inputs      func(config.Topics) []config.Input
	queriesOnly bool
	sweep       bool // its topic is internal: events may name every account
}

// orderEvents makes the handler of a pipeline whose inputs are order events.
func orderEvents(kind orderKind) func(*Service, *pipeline) (recordHandler, error) {
	return func(s *Service, pl *pipeline) (recordHandler, error) {
		h := &orderHandler{service: s, pipeline: pl, orderKind: kind}
		h.Handler = handle.NewHandler(handle.HandlerOptions{
			Group: pl.group, Codec: s.codec, Encoder: s.encoder, SkippedResults: s.cfg.Delivery.SkippedResults, Sweep: kind.sweep,
			Resolved: pl.watch.Resolved, Tracer: s.o.Tracer, Log: s.o.Log.With("pipeline", pl.name),
		})
		h.useAccounts(s.cfg.Topics, s.accounts)
		return h, nil
	}
}

func (h *orderHandler) useAccounts(topics config.Topics, accounts map[order.Account]account) {
	out := map[order.Account]*handle.Account{}
	for name, a := range accounts {
		guard, client := h.pipeline.guards[a.app], h.service.client(name, a)
		observed := h.pipeline.watch.Client(a.app, name, client)
		out[name] = handle.NewAccount(handle.Account{
			Name: name, App: a.app, Environment: a.environment, Planner: a.planner, Supports: client.Supports, AttemptTimeout: guard.AttemptTimeout(), NotFoundPause: a.notFoundPause,
		}, func() sight.Call { return sight.Call{Call: guard.Call(observed)} })
	}
	permissions := permissionsOf(h.inputs(topics), h.queriesOnly)
	if h.sweep {
		permissions[topics.Sweep] = handle.TopicAccounts{Accounts: slices.Collect(maps.Keys(accounts)), QueriesOnly: true}
	}
	h.SetPermissions(permissions, out)
}

// permissionsOf says, by topic, which accounts its events may name.
func permissionsOf(inputs []config.Input, queriesOnly bool) map[string]handle.TopicAccounts {
	out := map[string]handle.TopicAccounts{}
	for _, in := range inputs {
		o := handle.TopicAccounts{Default: order.Account(in.DefaultAccount), QueriesOnly: queriesOnly}
		for _, a := range in.Accounts {
			o.Accounts = append(o.Accounts, order.Account(a))
		}
		out[in.Name] = o
	}
	return out
}

// namesOf returns the names of inputs.
func namesOf(inputs func(config.Topics) []config.Input) func(config.Topics) []string {
	return func(t config.Topics) []string {
		var names []string
		for _, in := range inputs(t) {
			names = append(names, in.Name)
		}
		return names
	}
}

// clientKey is an account under an app.
type clientKey struct {
	app     string
	account order.Account
}

// client returns the account's client. It stays the same while the account is under the same
// app, so that events that wait use new tokens in their next attempt.
func (s *Service) client(name order.Account, a account) *gateway.Client {
	key := clientKey{a.app, name}
	if c := s.clients[key]; c != nil {
		c.SetMerchant(a.merchant)
		return c
	}
	s.clients[key] = s.apps[a.app].Client(a.merchant)
	return s.clients[key]
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

// rowOf turns a row of the settings, which names calls, into a row of the mapping.
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
		return order.Row{}, fmt.Errorf("mapping: there is no call %q", r.Call)
	}
	return out, nil
}

// Merchant is the merchant for whom the calls of an account are made.
func Merchant(a config.Account) alipay.Merchant {
	return alipay.Merchant{AppAuthToken: a.AppAuthTokenFile.Text.Reveal(), AgentToken: a.AgentTokenFile.Text.Reveal(), NotifyURL: a.NotifyURL}
}
