package app

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
)

// statusHandler merges observations into trade status.
type statusHandler struct {
	*status.Pipeline

	foreign atomic.Pointer[map[order.Account]bool]
}

// staleStore is half of the delete.retention.ms that topics create gives trade-status (internal/kafka).
const staleStore = 84 * time.Hour

// newTradeStatus makes the handler of the pipeline of trade status. The store is opened when the first
// partition is assigned.
func newTradeStatus(s *Service, pl *pipeline) (recordHandler, error) {
	c, log := s.cfg, s.o.Log.With("pipeline", pl.name)
	h := &statusHandler{}
	h.useAccounts(c.Topics, s.accounts)
	var err error
	h.Pipeline, err = status.New(status.Options{
		Topics: status.Topics{Observations: c.Topics.Observations, Status: c.Topics.Status, Sweep: c.Topics.Sweep}, Group: pl.group, Client: s.kafkaOptions(),
		OpenStore: func() (*store.Store, error) {
			return store.Open(c.StatusFolder(), store.Options{Group: pl.group, Log: log, InMemory: s.o.StatusInMemory})
		}, Codec: s.codec, Encoder: s.encoder, Keys: s.keys, Foreign: func(a order.Account) bool { return (*h.foreign.Load())[a] },
		Schedule: state.Schedule{First: c.Status.AskAfter, Factor: 3, Until: c.Status.AskUntil}, Keep: state.Retention{Failed: c.Status.KeepFailed, Rest: c.Status.Keep},
		Rate: c.Status.AskRate, Stale: staleStore, Tracer: s.o.Tracer, Log: log, Now: time.Now,
		Changed: func(change status.Change) { s.countChange(change) },
		Refused: func(reason string) { s.o.Metrics.Add(context.Background(), &metrics.ObservationsRefused, 1, reason) },
		Damaged: func(err error) {
			select {
			case s.fatal <- fmt.Errorf("%w; the next start empties it and reads the topic %s again", err, c.Topics.Status):
			default: // it is ending already
			}
		},
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() {
		if err := h.Close(); err != nil {
			log.Warn("the store of trade status was not closed; what it lacks is read from its topic", "error", err)
		}
	})
	s.status, s.background = h, append(s.background, h.Sweep)
	s.o.Metrics.Observe(func(o *metrics.Observer) {
		for name, a := range c.Accounts {
			o.Gauge(&metrics.StatusNewOrdersCeiling, float64(a.NewOrdersPerDay), name)
		}
		orders, store := h.Orders(0), h.Store()
		o.Gauge(&metrics.StatusOrders, float64(orders.Held), "held")
		o.Gauge(&metrics.StatusOrders, float64(orders.Unresolved), "unresolved")
		for w, since := range orders.Since {
			word := map[bool]string{true: "held", false: "unresolved"}[w.State == state.Held]
			o.Max(&metrics.StatusOldest, time.Since(since).Seconds(), string(w.Account), word)
		}
		o.Gauge(&metrics.StatusStoreFailing, metrics.State(store.Failing))
		o.Gauge(&metrics.StatusStoreWaiting, float64(store.Waiting))
		if store.Open {
			o.Gauge(&metrics.StatusStoreSize, float64(store.Bytes))
		}
		if !store.Emptied.IsZero() {
			o.Gauge(&metrics.StatusStoreEmptied, float64(store.Emptied.Unix()))
		}
	})
	return h, nil
}

// countChange counts a change of an order that is committed.
func (s *Service) countChange(c status.Change) {
	ctx, m := context.Background(), s.o.Metrics
	if c.After == nil {
		return // forgotten
	}
	account := string(c.After.Account)
	m.Add(ctx, &metrics.StatusChanges, 1, account, strings.ToLower(string(c.After.State)))
	if c.Before == nil {
		m.Add(ctx, &metrics.StatusNewOrders, 1, account)
	}
	for _, kind := range c.News {
		m.Add(ctx, &metrics.StatusAnomalies, 1, account, kind)
	}
	if c.After.ShowsPayment() && (c.Before == nil || !c.Before.ShowsPayment()) {
		m.Add(ctx, &metrics.PaymentsLearned, 1, account, strings.ToLower(string(c.After.Cause)))
	}
}

func (h *statusHandler) useAccounts(_ config.Topics, accounts map[order.Account]account) {
	foreign := map[order.Account]bool{}
	for name, a := range accounts {
		foreign[name] = a.foreign
	}
	h.foreign.Store(&foreign)
}

// maxOrders is how many orders a status names.
const maxOrders = 20

// tradeStatus is what operators see of trade status; zero: it is not merged here.
func (s *Service) tradeStatus() admin.TradeStatus {
	if s.status == nil {
		return admin.TradeStatus{}
	}
	orders, store := s.status.Orders(maxOrders), s.status.Store()
	out := admin.TradeStatus{
		Partitions: orders.Partitions, Asked: orders.Asked, Held: orders.Held, Unresolved: orders.Unresolved, Complete: orders.Complete, Orders: []admin.Order{},
		StoreBytes: store.Bytes, StoreWaiting: store.Waiting, StoreFailing: store.Failing, StoreEmptied: store.Emptied,
	}
	for _, o := range orders.Oldest {
		out.Orders = append(out.Orders, admin.Order{Account: string(o.Account), OrderNo: string(o.OrderNo), State: string(o.State), Anomalies: o.Anomalies, Since: o.ObservedAt})
	}
	return out
}
