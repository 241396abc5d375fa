package order_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

func handling(e order.Event, r alipay.Request) order.Handling {
	return order.Handling{
		Event: e, Account: "shop", Channel: e.Channel, Environment: "simulator", Request: r,
		Origin: order.Origin{Topic: "order-events", Partition: 3, Offset: 42}, ReplayCount: 1, Rewound: true,
	}
}

// The table of DESIGN.md, "Classes": a class decides the outcome.
func TestResultByClass(t *testing.T) {
	for _, tt := range []struct {
		class   alipay.Class
		outcome order.CallOutcome
		known   order.ResolvedBy
		reason  string
	}{
		{alipay.Done, order.OutcomeApplied, order.ResolvedByReply, ""},
		{alipay.Accepted, order.OutcomeAccepted, order.ResolvedByReply, ""},
		{alipay.Rejected, order.OutcomeRejected, order.ResolvedByReply, ""},
		{alipay.Misconfigured, order.OutcomeStopped, order.ResolvedByNone, "account_stopped"},
		{alipay.Transient, order.OutcomeExhausted, order.ResolvedByNone, ""},
		{alipay.Throttled, order.OutcomeExhausted, order.ResolvedByNone, ""},
		{alipay.Ambiguous, order.OutcomeExhausted, order.ResolvedByNone, ""},
		{alipay.Untrusted, order.OutcomeExhausted, order.ResolvedByNone, ""},
	} {
		var err error
		if tt.class != alipay.Done {
			err = &alipay.Error{Method: alipay.MethodTradeQuery, Class: tt.class, Message: "m"}
		}
		r := order.ResultOf(handling(event(order.ChannelTrade, order.TypeQueryRequested), &alipay.TradeQuery{}), alipay.Reply{}, err, finished)
		if r.Outcome != tt.outcome || string(r.CallClass) != tt.class.String() || r.ResolvedBy != tt.known || r.Reason != tt.reason {
			t.Errorf("%s: got %s, class %s, known by %s, reason %q", tt.class, r.Outcome, r.CallClass, r.ResolvedBy, r.Reason)
		}
	}
}

// An error that no one classified is never taken for an answer.
func TestResultOfAnUnknownError(t *testing.T) {
	r := order.ResultOf(handling(event(order.ChannelTrade, order.TypeCreated), &alipay.TradeCreate{}), alipay.Reply{}, errors.New("odd"), finished)
	if r.Outcome != order.OutcomeExhausted || r.CallClass != order.ClassAmbiguous {
		t.Errorf("got %s, class %s", r.Outcome, r.CallClass)
	}
}

func TestResultKeepsAllOfAReply(t *testing.T) {
	e := event(order.ChannelHK, order.TypePaid)
	req := mustPlan(t, order.Defaults{}, e)
	first := occurred.Add(time.Second)
	reply := alipay.Reply{
		Method: alipay.MethodHKOrderSync, Code: "SUCCESS", SubCode: "sub", Message: "success", SubMessage: "submsg", ResultStatus: "S",
		TradeNo: "T", HKOrderID: "hk1", BuyerUserID: "b", BuyerOpenID: "o", Verified: true, TraceID: "trace",
		Body: json.RawMessage(`{"orderId":"hk1"}`), Attempts: 2, FirstAttemptAt: first,
	}
	got := order.ResultOf(handling(e, req), reply, nil, finished)
	want := order.Result{
		EventID: eventID, EventType: order.TypePaid, Account: "shop", Environment: "simulator", Channel: order.ChannelHK, OrderNo: "o_1",
		TradeNo: "T", Method: alipay.MethodHKOrderSync, Outcome: order.OutcomeApplied, CallClass: order.ClassDone,
		Code: "SUCCESS", SubCode: "sub", Message: "success", SubMessage: "submsg", ResultStatus: "S",
		RequestNo: "0d1c7f2e111142228333444455556666", SentStatus: "PAID", HKOrderID: "hk1", BuyerUserID: "b", BuyerOpenID: "o",
		ResolvedBy: order.ResolvedByReply, Verified: true, Rewound: true, Attempts: 2, ReplayCount: 1, FirstAttemptAt: &first,
		FinishedAt: finished, AlipayTraceID: "trace", Origin: order.Origin{Topic: "order-events", Partition: 3, Offset: 42},
		ReplyJSON: `{"orderId":"hk1"}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Details of an unsigned answer are not passed on as Alipay's.
func TestUnverifiedBodyIsNotKept(t *testing.T) {
	reply := alipay.Reply{Code: "20000", Body: json.RawMessage(`{}`)}
	r := order.ResultOf(handling(event(order.ChannelTrade, order.TypeCreated), &alipay.TradeCreate{}), reply,
		&alipay.Error{Class: alipay.Ambiguous}, finished)
	if r.ReplyJSON != "" || r.Verified {
		t.Errorf("kept %q", r.ReplyJSON)
	}
}

func TestResultSaysWhyThereWasNoAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		err  *alipay.Error
		want string
	}{
		"our words":        {&alipay.Error{Class: alipay.Transient, Message: "no answer in 15 s", Err: errors.New("below")}, "no answer in 15 s"},
		"what lies below":  {&alipay.Error{Class: alipay.Transient, Err: errors.New("connection refused")}, "connection refused"},
		"a code of theirs": {&alipay.Error{Class: alipay.Throttled, Code: "40005", Message: "call limited"}, "call limited"},
	} {
		r := order.ResultOf(handling(event(order.ChannelTrade, order.TypeCreated), nil), alipay.Reply{}, tt.err, finished)
		if r.Message != tt.want || r.Code != tt.err.Code {
			t.Errorf("%s: got %q %q", name, r.Code, r.Message)
		}
	}
}

func TestResultOfWhatWasNotPlanned(t *testing.T) {
	h := handling(event(order.ChannelHK, order.TypeDelivered), nil)
	for name, tt := range map[string]struct {
		err             error
		outcome         order.CallOutcome
		reason, message string
	}{
		"skipped": {&order.SkipError{Reason: "not_terminal"}, order.OutcomeSkipped, "not_terminal", ""},
		"invalid": {&order.InvalidError{Reason: "invalid", Field: "total", Msg: "is missing"}, order.OutcomeInvalid, "invalid", "total is missing"},
		"unknown": {&order.InvalidError{Reason: "unknown_type", Msg: "whole event"}, order.OutcomeInvalid, "unknown_type", "whole event"},
	} {
		r := order.ResultOf(h, alipay.Reply{}, tt.err, finished)
		if r.Outcome != tt.outcome || r.Reason != tt.reason || r.Message != tt.message || r.CallClass != order.ClassNone ||
			r.ResolvedBy != order.ResolvedByNone || r.Method != "" || r.EventID != eventID || r.Origin.Offset != 42 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// An event that could not be decoded has empty ids and still a result (DESIGN.md, "Outcomes").
func TestResultOfAnUndecodableEvent(t *testing.T) {
	r := order.Ended(order.Handling{Account: "shop", Origin: order.Origin{Topic: "order-events", Offset: 7}},
		order.OutcomeInvalid, "undecodable", "no frame", finished)
	if r.EventID != "" || r.OrderNo != "" || r.Outcome != order.OutcomeInvalid || r.Origin.Offset != 7 {
		t.Errorf("got %+v", r)
	}
	if _, err := codec(t).EncodeResult(t.Context(), "alipay-results", r); err != nil {
		t.Error(err)
	}
}

func TestResolvedByQuery(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	h := handling(e, mustPlan(t, order.Defaults{}, e))
	query := alipay.Reply{Method: alipay.MethodTradeQuery, Code: "10000", TradeNo: "T", Verified: true, Attempts: 3}
	applied := order.Resolved(h, query, order.OutcomeApplied, "", finished)
	other := order.Resolved(h, query, order.OutcomeRejected, "conflict", finished)
	if applied.Method != alipay.MethodTradeCreate || applied.TradeNo != "T" || applied.ResolvedBy != order.ResolvedByQuery ||
		applied.CallClass != order.ClassDone || applied.Attempts != 3 {
		t.Errorf("applied: %+v", applied)
	}
	if other.Outcome != order.OutcomeRejected || other.Reason != "conflict" || other.CallClass != order.ClassRejected {
		t.Errorf("conflict: %+v", other)
	}
}

func TestSentStatusOfASync(t *testing.T) {
	for info, want := range map[string]string{
		`{"status":"COMPLETE"}`: "COMPLETE", `{"status":7}`: "", `{"other":"x"}`: "", ``: "", `[]`: "",
	} {
		r := order.Ended(handling(event(order.ChannelCredit, order.TypeCompleted), &alipay.OrderInfoSync{OutRequestNo: "N", OrderBizInfo: info}),
			order.OutcomeApplied, "", "", finished)
		if r.SentStatus != want || r.RequestNo != "N" {
			t.Errorf("%s: got %q, number %q", info, r.SentStatus, r.RequestNo)
		}
	}
}
