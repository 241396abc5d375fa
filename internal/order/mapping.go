package order

import (
	"fmt"
	"slices"

	"alipay-kafka-bridge/internal/alipay"
)

// Action is what a row of the mapping does with an event.
type Action string

// The actions.
const (
	Create      Action = "create"       // alipay.trade.create
	Query       Action = "query"        // alipay.trade.query
	Sync        Action = "sync"         // alipay.trade.orderinfo.sync, with Word as status
	SyncAsGiven Action = "sync_given"   // the same, with the event's order_biz_info_json
	HKSync      Action = "hk_sync"      // AlipayHK Synchronize Order, with Word as orderStatus
	HKAsGiven   Action = "hk_given"     // the same, with the event's status
	KoubeiQuery Action = "koubei_query" // koubei.trade.itemorder.query
	Skip        Action = "skip"         // nothing, with Word as reason
	Refuse      Action = "refuse"       // result INVALID, with Word as the field that is missing
)

// Method is the method of Alipay's that an action calls; empty for an action that calls nothing.
func (a Action) Method() alipay.Method {
	switch a {
	case Create:
		return alipay.MethodTradeCreate
	case Query:
		return alipay.MethodTradeQuery
	case Sync, SyncAsGiven:
		return alipay.MethodOrderInfoSync
	case HKSync, HKAsGiven:
		return alipay.MethodHKOrderSync
	case KoubeiQuery:
		return alipay.MethodItemOrderQuery
	}
	return ""
}

// Condition is what a row may ask of an event in addition to channel and type.
type Condition string

// The conditions.
const (
	NoTradeNo     Condition = "no_trade_no"
	HasStatus     Condition = "has_status"
	HasBizType    Condition = "has_biz_type"
	HasBizInfo    Condition = "has_order_biz_info"
	HasKoubeiNo   Condition = "has_koubei_order_no"
	RefundedWhole Condition = "refunded_whole" // refunded is absent or equals the total
)

// Row maps events to an action. Empty lists match everything.
type Row struct {
	Channels []Channel
	Types    []EventType
	If       []Condition // all must hold
	Do       Action
	Word     string
}

// Mapping is a list of rows; the first that matches wins, and no match is a skip.
type Mapping []Row

// Reasons of a skip (DESIGN.md, "Mapping").
const (
	ReasonNoTradeNo     = "no_trade_no"
	ReasonPartialRefund = "partial_refund"
	ReasonNoQueryAPI    = "no_query_api"
	ReasonNoStatus      = "no_status"
	ReasonNotTerminal   = "not_terminal"
	ReasonNoBizType     = "no_biz_type"
	ReasonUnmapped      = "unmapped"
)

// DefaultMapping returns the mapping of DESIGN.md, "Mapping", row by row. An account's own
// rows go before it, see [Mapping.With].
func DefaultMapping() Mapping {
	trade, credit, hk, koubei := []Channel{ChannelTrade}, []Channel{ChannelCredit}, []Channel{ChannelHK}, []Channel{ChannelKoubei}
	types := func(t ...EventType) []EventType { return t }
	when := func(c ...Condition) []Condition { return c }
	return Mapping{
		{trade, types(TypeCreated), nil, Create, ""},
		// Paid after a cancel is an anomaly that only a query shows.
		{trade, types(TypeCancelled, TypeExpired, TypePartiallyRefunded, TypeRefunded), nil, Query, ""},
		{[]Channel{ChannelTrade, ChannelCredit}, types(TypeQueryRequested), nil, Query, ""},

		// COMPLETE means that the deduction failed and the user paid another way: it closes the
		// record in the user's favour. So no event sends it by accident: biz_type must be in the event.
		{credit, nil, when(HasBizType, HasBizInfo), SyncAsGiven, ""},
		{credit, types(TypeSettledElsewhere), nil, Sync, "COMPLETE"},
		{credit, types(TypeChargeWithdrawn), nil, Sync, "CLOSED"},
		{credit, types(TypeCompleted), when(HasBizType), Sync, "COMPLETE"},
		{credit, types(TypeCancelled), when(HasBizType), Sync, "CLOSED"},
		{credit, types(TypeCompleted, TypeCancelled), nil, Skip, ReasonNoBizType},
		{credit, types(TypeCreated, TypeOverdue), nil, Skip, ReasonUnmapped},

		{hk, types(TypeCreated, TypePaymentFailed, TypeCancelled, TypeExpired), when(NoTradeNo), Skip, ReasonNoTradeNo},
		{hk, nil, when(NoTradeNo), Refuse, "trade_no"},
		{hk, nil, when(HasStatus), HKAsGiven, ""},
		// The words are provisional: the pages list none for TRADE_ORDER.
		{hk, types(TypeCreated), nil, HKSync, "WAIT_PAY"},
		{hk, types(TypePaid), nil, HKSync, "PAID"},
		{hk, types(TypeAccepted, TypePreparing), nil, HKSync, "ORDER_TAKEN"},
		{hk, types(TypeShipped), nil, HKSync, "IN_DELIVERY"},
		{hk, types(TypeReady), nil, HKSync, "TO_PICK_UP"},
		{hk, types(TypeCompleted), nil, HKSync, "FINISHED"},
		{hk, types(TypeCancelled, TypeExpired), nil, HKSync, "CLOSED"},
		{hk, types(TypeRefunded), when(RefundedWhole), HKSync, "REFUNDED"},
		{hk, types(TypeRefunded, TypePartiallyRefunded), nil, Skip, ReasonPartialRefund},
		// FINISHED would be terminal and block a later REFUNDED.
		{hk, types(TypeDelivered), nil, Skip, ReasonNotTerminal},
		{hk, types(TypeAmended, TypeStatusChanged), nil, Skip, ReasonNoStatus},
		{hk, types(TypeQueryRequested), nil, Skip, ReasonNoQueryAPI},

		{koubei, types(TypeQueryRequested, TypePaid, TypeCompleted, TypeCancelled, TypeRefunded), when(HasKoubeiNo), KoubeiQuery, ""},
		{koubei, types(TypeQueryRequested), nil, Refuse, "koubei_order_no"},
	}
}

// With returns the mapping with an account's own rows before it.
func (m Mapping) With(rows ...Row) Mapping { return append(slices.Clone(Mapping(rows)), m...) }

// Check returns the first fault of a mapping that comes from settings.
func (m Mapping) Check() error {
	for i, r := range m {
		if err := r.check(); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return nil
}

func (r Row) check() error {
	for _, c := range r.Channels {
		if !slices.Contains([]Channel{ChannelTrade, ChannelCredit, ChannelHK, ChannelKoubei}, c) {
			return fmt.Errorf("no channel %q", c)
		}
	}
	for _, t := range r.Types {
		if t == TypeUnknown || !slices.Contains(EventTypes(), t) {
			return fmt.Errorf("no event type %q", t)
		}
	}
	for _, c := range r.If {
		if !slices.Contains([]Condition{NoTradeNo, HasStatus, HasBizType, HasBizInfo, HasKoubeiNo, RefundedWhole}, c) {
			return fmt.Errorf("no condition %q", c)
		}
	}
	return r.checkAction()
}

// channelsOf lists where a call can be made at all: each gateway knows only its own orders.
var channelsOf = map[Action][]Channel{
	Create:      {ChannelTrade, ChannelCredit},
	Query:       {ChannelTrade, ChannelCredit},
	Sync:        {ChannelCredit},
	SyncAsGiven: {ChannelCredit},
	HKSync:      {ChannelHK},
	HKAsGiven:   {ChannelHK},
	KoubeiQuery: {ChannelKoubei},
}

func (r Row) checkAction() error {
	channels, calls := channelsOf[r.Do]
	if !calls && r.Do != Skip && r.Do != Refuse {
		return fmt.Errorf("no action %q", r.Do)
	}
	if needsWord := !calls || r.Do == Sync || r.Do == HKSync; needsWord != (r.Word != "") {
		return fmt.Errorf("action %q and word %q do not go together", r.Do, r.Word)
	}
	if calls && len(r.Channels) == 0 {
		return fmt.Errorf("action %q for every channel", r.Do)
	}
	for _, c := range r.Channels {
		if calls && !slices.Contains(channels, c) {
			return fmt.Errorf("action %q for channel %s", r.Do, c)
		}
	}
	return nil
}

// find returns the row for an event of this channel.
func (m Mapping) find(e *Event, c Channel) Row {
	for _, r := range m {
		if r.matches(e, c) {
			return r
		}
	}
	return Row{Do: Skip, Word: ReasonUnmapped}
}

func (r Row) matches(e *Event, c Channel) bool {
	if len(r.Channels) > 0 && !slices.Contains(r.Channels, c) || len(r.Types) > 0 && !slices.Contains(r.Types, e.Type) {
		return false
	}
	for _, condition := range r.If {
		if !condition.holds(e) {
			return false
		}
	}
	return true
}

func (c Condition) holds(e *Event) bool {
	switch c {
	case NoTradeNo:
		return e.TradeNo == ""
	case HasStatus:
		return e.Status != ""
	case HasBizType:
		return e.BizType != ""
	case HasBizInfo:
		return e.OrderBizInfoJSON != ""
	case HasKoubeiNo:
		return e.KoubeiOrderNo != ""
	case RefundedWhole:
		return e.Refunded == nil || sameAmount(e.Refunded, e.Total)
	}
	return false
}

// sameAmount reports whether both amounts are given and equal, with their currency.
func sameAmount(a, b *alipay.Money) bool { return a != nil && b != nil && *a == *b }
