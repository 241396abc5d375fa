package state_test

import (
	"testing"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
)

func pending(change func(*state.Status)) state.Status {
	s := state.Status{Account: "shop", Channel: order.ChannelTrade, OrderNo: "o-1", State: state.Pending, ObservedAt: t0, Version: 1}
	if change != nil {
		change(&s)
	}
	return s
}

func TestRounds(t *testing.T) {
	s, minute := pending(nil), time.Minute
	week := 7 * 24 * time.Hour
	for _, tt := range []struct {
		age, next time.Duration
		round     int
		gaveUp    bool
	}{
		{0, 2 * minute, 0, false},
		{2*minute - 1, 2 * minute, 0, false},
		{2 * minute, 6 * minute, 1, false},
		{7 * minute, 18 * minute, 2, false},
		{20 * minute, 54 * minute, 3, false},
		{24 * time.Hour, 1458 * minute, 6, false}, // missed rounds are not made up
		{4374 * minute, week, 8, false},
		{week - 1, week, 8, false},
		{week, week, 8, true},
		{2 * week, week, 8, true},
	} {
		now := t0.Add(tt.age)
		due, ok := state.DefaultSchedule.NextAsk(s, now)
		if !ok || due.Sub(t0) != tt.next {
			t.Errorf("age %v: next %v %t, want %v", tt.age, due.Sub(t0), ok, tt.next)
		}
		if got := state.DefaultSchedule.Round(s, now); got != tt.round {
			t.Errorf("age %v: round %d, want %d", tt.age, got, tt.round)
		}
		if got := state.DefaultSchedule.GaveUp(s, now); got != tt.gaveUp {
			t.Errorf("age %v: gave up %t", tt.age, got)
		}
	}
}

func TestOnlyOrdersThatWaitAreAskedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*state.Status)
		want   bool
	}{
		"trade":                      {nil, true},
		"credit":                     {func(s *state.Status) { s.Channel = order.ChannelCredit }, true},
		"credit by its trade number": {func(s *state.Status) { s.Channel, s.OrderNo, s.TradeNo = order.ChannelCredit, "", "t-1" }, true},
		"no number":                  {func(s *state.Status) { s.OrderNo = "" }, false},
		"Koubei":                     {func(s *state.Status) { s.Channel, s.KoubeiOrderNo = order.ChannelKoubei, "k" }, true},
		"Koubei without its number":  {func(s *state.Status) { s.Channel = order.ChannelKoubei }, false},
		"HK":                         {func(s *state.Status) { s.Channel = order.ChannelHK }, false},
		"paid":                       {func(s *state.Status) { s.State = state.Paid }, false},
		"held":                       {func(s *state.Status) { s.State = state.Held }, false},
		"unresolved":                 {func(s *state.Status) { s.Anomalies = []string{state.Unresolved} }, false},
	} {
		s := pending(tt.change)
		if _, ok := state.DefaultSchedule.NextAsk(s, t0); ok != tt.want {
			t.Errorf("%s: %t", name, ok)
		}
		if got := state.DefaultSchedule.GaveUp(s, t0.AddDate(1, 0, 0)); got != tt.want {
			t.Errorf("%s: gave up %t", name, got)
		}
	}
}

// A schedule that cannot grow ends, too.
func TestSchedulesEnd(t *testing.T) {
	for _, c := range []state.Schedule{{}, {First: time.Minute, Until: time.Hour}, {First: time.Minute, Factor: 1, Until: time.Hour}, {First: time.Hour, Factor: 3, Until: 1<<63 - 1}} {
		if due, ok := c.NextAsk(pending(nil), t0); !ok || due.After(t0.Add(c.Until)) {
			t.Errorf("%+v: %v %t", c, due, ok)
		}
		c.Round(pending(nil), t0.AddDate(200, 0, 0))
	}
}

// Ages that do not fit into a duration are no rounds.
func TestRoundsDoNotOverflow(t *testing.T) {
	c := state.Schedule{First: time.Hour, Factor: 3, Until: 1<<63 - 1}
	if got := c.Round(pending(nil), t0.Add(c.Until)); got != 14 { // 3^13 hours are 182 years
		t.Errorf("round %d", got)
	}
}

// The id of a round is the same for every owner, for ever, and another for each round and order.
func TestAskID(t *testing.T) {
	a, b := pending(nil), pending(func(s *state.Status) { s.OrderNo = "o-2" })
	if got, want := state.AskID(a, 1), order.EventID("7b0baa97-3ee0-5cc2-9ba7-eac41d849f4d"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ids := map[order.EventID]bool{state.AskID(a, 1): true, state.AskID(a, 2): true, state.AskID(b, 1): true}
	if len(ids) != 3 {
		t.Errorf("ids repeat: %v", ids)
	}
}

func TestExpires(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		s    state.Status
		want time.Duration
	}{
		{pending(func(s *state.Status) { s.State = state.Failed }), 7 * day},
		{pending(func(s *state.Status) { s.State, s.TradeNo = state.Failed, "t-1" }), 396 * day},
		{pending(nil), 396 * day},
	} {
		if got := state.DefaultRetention.Expires(tt.s).Sub(t0); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.s.State, tt.s.TradeNo, got, tt.want)
		}
	}
}
