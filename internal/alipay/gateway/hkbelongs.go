package gateway

import (
	"fmt"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// The signature of AlipayHK covers the time of an answer and its body, and nothing of the request but who asked. So an
// answer that was recorded and sent again is found by its time, by its orderId and by having been seen before.

// final reports whether a signed answer would end its event: all but a U, after which the call is repeated.
func (rd *hkReading) final() bool {
	status := rd.reply.ResultStatus
	return rd.reply.Verified && (status == "S" || status == "F" || status == "A")
}

// isFresh refuses an answer that was recorded and sent again later.
func (rd *hkReading) isFresh() error {
	if rd.final() && !rd.gateway.withinSkew(rd.answer.header.Get("Response-Time"), rd.request.at) {
		return errHKSkew
	}
	return nil
}

// belongs refuses an answer whose orderId was another order's before.
func (rd *hkReading) belongs() error {
	sync, ok := rd.call.(*alipay.HKOrderSync)
	if !ok || !rd.final() || rd.orderID == "" {
		return nil
	}
	if !rd.gateway.orders.belongs(rd.orderID, sync.MerchantBizNo) {
		return errHKOrder
	}
	return nil
}

// isNew refuses an answer that came before, for another event. Within the resolution of Response-Time, genuine answers to
// two calls may be the same bytes, and under load they are: what came before in the same moment is believed.
func (rd *hkReading) isNew() error {
	sync, ok := rd.call.(*alipay.HKOrderSync)
	if !ok || !rd.final() {
		return nil
	}
	event := digestOf(string(sync.RequestID))
	first, again := rd.gateway.seen.first(rd.signedText(), hkSeen{event, rd.gateway.now()})
	if !again || first.event == event {
		return nil
	}
	if rd.request.at.After(first.at.Add(hkResolution(rd.answer.header.Get("Response-Time")))) {
		return errReplayed
	}
	return nil
}

// hkResolution is how far apart two answers can be that have the same Response-Time.
func hkResolution(text string) time.Duration {
	if strings.Contains(text, ".") || !strings.Contains(text, "T") {
		return time.Millisecond
	}
	return time.Second
}

// clockLimit is how far our clock may be from Alipay's before refusals of our times are put down to it.
const clockLimit = time.Minute

// clockIsRight finds a refusal for which our own clock is to blame: HK refuses a Request-Time that is off by
// minutes as PARAM_ILLEGAL, for every order alike.
func (rd *hkReading) clockIsRight() error {
	if !rd.reply.Verified || rd.reply.ResultStatus != "F" || rd.reply.Code != "PARAM_ILLEGAL" && rd.reply.Code != "TIMESTAMP_INVALID" {
		return nil
	}
	at, err := parseHKTime(rd.answer.header.Get("Response-Time"))
	if err != nil {
		return nil
	}
	off := offBy(rd.request.at, rd.gateway.now(), at)
	if off.Abs() <= clockLimit {
		return nil
	}
	e := rd.refusal(alipay.Misconfigured, fmt.Sprintf("our clock is %s AlipayHK's by %s: correct the clock of this host", aheadOrBehind(off), off.Abs().Round(time.Second)))
	e.Scope, e.Proof = alipay.ScopeApp, alipay.ProofOrders
	return e
}

// offBy is how far our clock is ahead of a time that was written between sent and received; negative: behind.
func offBy(sent, received, theirs time.Time) time.Duration {
	switch {
	case theirs.Before(sent):
		return sent.Sub(theirs)
	case theirs.After(received):
		return received.Sub(theirs)
	}
	return 0
}

func aheadOrBehind(off time.Duration) string {
	if off > 0 {
		return "ahead of"
	}
	return "behind"
}
