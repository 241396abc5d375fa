package simulator

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/simulator/outbox"
)

// state is the content of a state file: what Alipay would remember. It has no journal, faults or
// keys.
type state struct {
	Version       int                   `json:"version"`
	Seq           int                   `json:"seq"`
	Ahead         time.Duration         `json:"clock_ahead_ns"`
	Trades        []savedTrade          `json:"trades"`
	ItemOrders    []ItemOrder           `json:"item_orders"`
	HKOrders      []HKOrder             `json:"hk_orders"`
	Notifications []outbox.Notification `json:"notifications"`
}

// stateVersion changes when older files can no longer be read.
const stateVersion = 1

// savedTrade is a trade with the hash that identifies a repeated create.
type savedTrade struct {
	Trade
	Content string `json:"content"`
}

// Save writes what Alipay would remember: clock, trades with their buyers, orders, notifications.
func (s *Simulator) Save(w io.Writer) error {
	trades := s.Trades()
	hk := s.HKOrders()
	notifications := s.Notifications()
	s.mu.Lock()
	out := state{Version: stateVersion, Seq: s.lastSeq, Ahead: time.Duration(s.clockOffset.Load()), HKOrders: hk}
	for _, t := range trades {
		if have := s.byTradeNo[t.TradeNo]; have != nil {
			out.Trades = append(out.Trades, savedTrade{t, hex.EncodeToString(have.content[:])})
		}
	}
	for _, o := range s.itemOrders {
		out.ItemOrders = append(out.ItemOrders, o)
	}
	s.mu.Unlock()
	out.Notifications = notifications
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return fmt.Errorf("write the state of the simulator: %w", err)
	}
	return nil
}

// Restore reads what Save wrote, and replaces the trades and orders of the options with it.
func (s *Simulator) Restore(r io.Reader) error {
	var in state
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return fmt.Errorf("read the simulator's state: %w", err)
	}
	if in.Version != stateVersion {
		return fmt.Errorf("read the state of the simulator: it has version %d, not %d; delete it to begin with an empty state", in.Version, stateVersion)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearState()
	s.clockOffset.Store(int64(in.Ahead))
	var errs []error
	for _, t := range in.Trades {
		errs = append(errs, s.restoreTrade(t))
	}
	for _, o := range in.ItemOrders {
		s.itemOrders[o.App+"\n"+o.OrderNo] = o
	}
	for _, o := range in.HKOrders {
		s.hkOrders[hkKey{o.ClientID, o.BizNo}] = &o
	}
	s.outbox.Restore(slices.DeleteFunc(in.Notifications, func(n outbox.Notification) bool { return s.apps[n.App] == nil }))
	s.lastSeq = max(s.lastSeq, in.Seq) // it is part of the ids of notifications
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("read the simulator's state: %w", err)
	}
	return nil
}

// restoreTrade stores one trade. The caller holds mu.
func (s *Simulator) restoreTrade(saved savedTrade) error {
	if s.apps[saved.App] == nil {
		return fmt.Errorf("trade %q: unknown app %q", saved.OutTradeNo, saved.App)
	}
	t := &trade{Trade: saved.Trade}
	if b, err := hex.DecodeString(saved.Content); err == nil {
		copy(t.content[:], b)
	}
	if s.byTradeNo[t.TradeNo] != nil {
		return fmt.Errorf("trade %q: it exists already", t.TradeNo)
	}
	s.put(t)
	s.scheduleCheck(t)
	return nil
}
