package order

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
)

// Reasons of an [InvalidError], as results and dead letters carry them.
const (
	ReasonInvalid     = "invalid"           // a field is missing or not as Alipay accepts it
	ReasonUnknownType = "unknown_type"      // a newer symbol than this version knows; replay after an upgrade
	ReasonPayee       = "payee_not_allowed" // names a receiver that the account's settings do not list
)

// SkipError means that an event is mapped to no call. It is an outcome, not a fault.
type SkipError struct {
	Reason string // a word for machines, e.g. no_trade_no
}

func (e *SkipError) Error() string { return "skipped: " + e.Reason }

// InvalidError means that an event can never be sent as it is: a dead letter. Its texts name
// fields and never hold their values, which may be personal.
type InvalidError struct {
	Reason string // one of the Reason constants
	Field  string // as Alipay or the schema names it; empty when it is the whole event
	Msg    string // for people
}

func (e *InvalidError) Error() string { return e.Reason + ": " + e.detail() }

// detail is the error without its reason, which results carry in a field of its own.
func (e *InvalidError) detail() string {
	if e.Field == "" {
		return e.Msg
	}
	return e.Field + " " + e.Msg
}

func invalid(field, msg string) error { return &InvalidError{ReasonInvalid, field, msg} }

// Defaults are what an account's settings add to its events, and what they allow. The zero
// Defaults add nothing and allow no payee and no further member.
type Defaults struct {
	Channel        Channel // for events of channel ACCOUNT
	ProductCode    string  // for events without one, as the next two
	TimeoutExpress string
	StoreID        string

	// ExpiresAsTimeout sends expires_at as timeout_express, in whole minutes from occurred_at,
	// instead of as time_expire (2026).
	ExpiresAsTimeout bool
	// BusinessParamsObject sends business_params as an object (2026) instead of as a text (page).
	BusinessParamsObject bool
	// AllowViolated lets order_biz_info say VIOLATED, which writes a negative credit record.
	AllowViolated bool

	// Payees lists the receivers that events may name, by field of OrderEvent (security K2).
	Payees Payees
	// ExtraNames lists the members that extra_json may hold, as they are spelled (security K2).
	ExtraNames []string
	// ExtraMoney lets members of free JSON texts through that pay, settle or agree to be charged.
	ExtraMoney bool
}

// Planner turns an account's events into requests. It is pure: the same event gives the same
// request with the same bytes, whenever and however often it is planned.
type Planner struct {
	mapping  Mapping
	defaults Defaults
}

// NewPlanner returns the planner of one account. Both arguments come from checked settings:
// see [Mapping.Check].
func NewPlanner(m Mapping, d Defaults) *Planner {
	return &Planner{mapping: m, defaults: d}
}

// Channel returns the channel of an event: its own, or the account's.
func (p *Planner) Channel(e Event) Channel {
	if e.Channel != ChannelAccount {
		return e.Channel
	}
	if p.defaults.Channel == "" {
		return ChannelUnknown
	}
	return p.defaults.Channel
}

// Action returns what an event of this type and channel mostly leads to. Its values are those of
// the mapping.
func (p *Planner) Action(t EventType, c Channel) Action {
	e := Event{Type: t, Channel: c}
	return p.mapping.find(&e, p.Channel(e)).Do
}

// Plan returns the request that an event leads to, validated. The error is a [*SkipError] or
// an [*InvalidError].
func (p *Planner) Plan(e Event) (alipay.Request, error) {
	channel := p.Channel(e)
	if err := checkEvent(e, channel); err != nil {
		return nil, err
	}
	row := p.mapping.find(&e, channel)
	if row.Do == Skip {
		return nil, &SkipError{row.Word}
	}
	if row.Do == Refuse {
		return nil, invalid(row.Word, "is missing")
	}
	r, err := p.request(e, channel, row)
	if err != nil {
		return nil, err
	}
	if err := p.checkMoney(r); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, fromField(err)
	}
	return r, nil
}

// checkEvent refuses what no row may see. An unknown type or channel is never a call,
// not even if an account's own rows match it.
func checkEvent(e Event, channel Channel) error {
	switch {
	case e.Type == TypeUnknown || e.Type == "":
		return &InvalidError{ReasonUnknownType, "event_type", "is not known to this version"}
	case channel == ChannelUnknown || channel == "":
		return &InvalidError{ReasonUnknownType, "channel", "is not known to this version, or the account has none"}
	case e.ID == "" || utf8.RuneCountInString(string(e.ID)) > 64:
		return invalid("event_id", "is not 1 to 64 characters")
	case strings.TrimSpace(string(e.OrderNo)) == "" || utf8.RuneCountInString(string(e.OrderNo)) > 64:
		return invalid("order_no", "is not 1 to 64 characters")
	case e.OccurredAt.UnixMilli() <= 0:
		return invalid("occurred_at", "is missing")
	}
	return nil
}

func (p *Planner) request(e Event, channel Channel, row Row) (alipay.Request, error) {
	switch row.Do {
	case Create:
		return p.create(e)
	case Query:
		return p.query(e, channel)
	case Sync, SyncAsGiven:
		return p.sync(e, row.Word)
	case HKSync:
		return p.hk(e, row.Word)
	case HKAsGiven:
		return p.hk(e, e.Status)
	case KoubeiQuery:
		extra, err := p.queryExtra(e)
		return &alipay.ItemOrderQuery{OrderNo: e.KoubeiOrderNo, Extra: extra}, err
	}
	return nil, invalid("", fmt.Sprintf("no action %q", row.Do))
}

// query asks by the order number, and by the trade number where it is known: an answer must
// then fit both. A credit order may have been made under another number than the event's, so
// there only the trade number is used [inferred].
func (p *Planner) query(e Event, channel Channel) (alipay.Request, error) {
	extra, err := p.queryExtra(e)
	if err != nil {
		return nil, err
	}
	q := &alipay.TradeQuery{
		OutTradeNo: e.OrderNo, TradeNo: e.TradeNo, OrgPID: e.OrgPID, QueryOptions: e.QueryOptions, Extra: extra}
	if channel == ChannelCredit && e.TradeNo != "" {
		q.OutTradeNo = ""
	}
	return q, nil
}

// queryExtra gives further members to requested queries only: other events carry the
// order's whole view, with members that are meant for a create.
func (p *Planner) queryExtra(e Event) (alipay.Members, error) {
	if e.Type != TypeQueryRequested {
		return alipay.Members{}, nil
	}
	return p.extra("extra_json", e.ExtraJSON)
}

func (p *Planner) sync(e Event, status string) (alipay.Request, error) {
	extra, err := p.extra("extra_json", e.ExtraJSON)
	if err != nil {
		return nil, err
	}
	info := e.OrderBizInfoJSON
	if info == "" {
		info = `{"status":"` + status + `"}`
	}
	number := e.RequestNo
	if number == "" {
		number = e.ID.dashed()
	}
	return &alipay.OrderInfoSync{
		TradeNo: e.TradeNo, OutRequestNo: number, BizType: e.BizType, OrderBizInfo: info,
		OrigRequestNo: e.OrigRequestNo, Extra: extra, AllowViolated: p.defaults.AllowViolated,
	}, nil
}

// hk sends the whole current view of the order. orderModifyTime is occurred_at, always: the
// producer must make it grow for each order (DESIGN.md, "Repeats").
func (p *Planner) hk(e Event, status string) (alipay.Request, error) {
	extra, err := p.extra("extra_json", e.ExtraJSON)
	if err != nil {
		return nil, err
	}
	r := &alipay.HKOrderSync{
		RequestID: e.ID.hex32(), MerchantID: e.MerchantID, TradeNo: e.TradeNo,
		MerchantBizNo: e.OrderNo, MerchantBizType: e.BizType,
		Amount: e.Total, PayAmount: e.Payable, DiscountAmount: e.Discount,
		OrderStatus: status, ModifyTime: e.OccurredAt,
		UserID: e.BuyerUserID, OpenID: e.BuyerOpenID, ExtInfo: e.ExtInfoJSON, Extra: extra,
	}
	if r.MerchantBizType == "" {
		r.MerchantBizType = "TRADE_ORDER"
	}
	switch {
	case e.OrderCreatedAt != nil:
		r.CreateTime = *e.OrderCreatedAt
	case e.Type == TypeCreated:
		r.CreateTime = e.OccurredAt
	default: // "now" would differ from what the other events of the order say
		return nil, invalid("order_created_at", "is missing")
	}
	return r, nil
}

// timeoutExpress writes a life as whole minutes, rounded down: never longer than asked for.
func timeoutExpress(from, to time.Time) string {
	return fmt.Sprintf("%dm", int64(to.Sub(from)/time.Minute))
}

// fromField turns an error of a request's own checks into an [InvalidError].
func fromField(err error) error {
	var f *alipay.FieldError
	if errors.As(err, &f) {
		return invalid(f.Field, f.Text)
	}
	return invalid("", err.Error())
}
