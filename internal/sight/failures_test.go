package sight

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// What Alipay or the way to it failed is kept with the numbers by which Alipay finds it; refusals are not.
func TestFailures(t *testing.T) {
	var f failures
	began := time.Now()
	broken := &alipay.Error{Method: "alipay.trade.create", Class: alipay.Transient, Code: "20000", SubCode: "aop.ACQ.SYSTEM_ERROR", HTTPStatus: 200}
	f.note("main", "shop", &alipay.TradeCreate{OutTradeNo: "T1"}, alipay.Reply{TraceID: "trace"}, broken, began)
	f.note("main", "shop", &alipay.TradeCreate{OutTradeNo: "T2"}, alipay.Reply{}, nil, began)
	f.note("main", "shop", &alipay.TradeCreate{OutTradeNo: "T3"}, alipay.Reply{}, &alipay.Error{Class: alipay.Rejected, Healthy: true, SubCode: "ACQ.TRADE_HAS_CLOSE"}, began)
	f.note("main", "shop", &alipay.TradeQuery{TradeNo: "2026"}, alipay.Reply{}, errors.New("no answer"), began)
	f.note("hk", "shop", &alipay.HKOrderSync{MerchantBizNo: "H1", TradeNo: "9", RequestID: "r"}, alipay.Reply{}, broken, began)
	last, kinds := f.of("main")
	if len(last) != 2 || len(kinds) != 2 || last[0].TradeNo != "2026" {
		t.Fatalf("%+v\n%+v", last, kinds)
	}
	if got := last[1]; got.OrderNo != "T1" || got.TraceID != "trace" || got.SubCode != "aop.ACQ.SYSTEM_ERROR" || got.HTTPStatus != 200 || got.Class != "TRANSIENT" || got.Account != "shop" {
		t.Errorf("%+v", got)
	}
	if last, _ := f.of("hk"); len(last) != 1 || last[0].OrderNo != "H1" || last[0].TradeNo != "9" || last[0].RequestNo != "r" {
		t.Errorf("%+v", last)
	}
	if last, kinds := f.of("never called"); last == nil || kinds == nil {
		t.Error("JSON would show null")
	}
}

// Both lists are bounded, whatever codes a gateway invents.
func TestFailuresAreBounded(t *testing.T) {
	var f failures
	for i := range 1000 {
		f.note("main", "shop", &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint(i))}, alipay.Reply{}, &alipay.Error{Class: alipay.Transient, Code: fmt.Sprint("code", i)}, time.Now())
	}
	last, kinds := f.of("main")
	if len(last) != maxFailures || last[0].OrderNo != "999" || len(kinds) != maxFailureKinds+1 || kinds[0].Code != otherCode || kinds[0].Calls != 1000-maxFailureKinds {
		t.Errorf("%d calls, the last is %s; %d kinds, the first is %+v", len(last), last[0].OrderNo, len(kinds), kinds[0])
	}
}
