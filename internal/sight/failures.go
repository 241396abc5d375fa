package sight

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Bounds of what is remembered of calls that failed, for each app.
const (
	maxFailures     = 20  // the last ones
	maxFailureKinds = 100 // by method, class and code; what comes later counts as another code of its method and class
	otherCode       = "_other"
)

// failures remembers exchanges that Alipay or the way to it failed, so that Alipay can find them.
type failures struct {
	mu   sync.Mutex
	apps map[string]*appFailures // guarded by mu; one entry for each app
}

type appFailures struct {
	last  []admin.Failure
	kinds map[failureKind]*admin.FailureKind
}

type failureKind struct {
	method, class, code string
}

// note notes how an exchange ended. Healthy answers, such as refusals, are left out.
func (f *failures) note(app string, account order.Account, r alipay.Request, reply alipay.Reply, err error, began time.Time) {
	if alipay.HealthOf(err) == alipay.Healthy {
		return
	}
	one := admin.Failure{
		At: began, Took: time.Since(began).Seconds(), Account: string(account), Method: string(r.Method()), Class: alipay.ClassOf(err).String(),
		Code: reply.Code, SubCode: reply.SubCode, TraceID: reply.TraceID,
	}
	if ae, ok := errors.AsType[*alipay.Error](err); ok {
		one.Code, one.SubCode, one.HTTPStatus = cmp.Or(ae.Code, one.Code), cmp.Or(ae.SubCode, one.SubCode), ae.HTTPStatus
	}
	one.OrderNo, one.TradeNo, one.RequestNo = numbers(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.apps[app]
	if a == nil {
		a = &appFailures{kinds: map[failureKind]*admin.FailureKind{}}
		if f.apps == nil {
			f.apps = map[string]*appFailures{}
		}
		f.apps[app] = a
	}
	if len(a.last) == maxFailures {
		a.last = slices.Delete(a.last, 0, 1)
	}
	a.last = append(a.last, one)
	kind := failureKind{one.Method, one.Class, cmp.Or(one.SubCode, one.Code)}
	if a.kinds[kind] == nil && len(a.kinds) >= maxFailureKinds {
		kind.code = otherCode
	}
	k := a.kinds[kind]
	if k == nil {
		k = &admin.FailureKind{Method: kind.method, Class: kind.class, Code: kind.code, First: began}
		a.kinds[kind] = k
	}
	k.Calls++
	if began.Before(k.First) { // calls end in another order than they begin
		k.First = began
	}
	if began.After(k.Last) {
		k.Last = began
	}
}

// of returns the last failures of an app, the last one first, and all by kind, the most frequent first.
func (f *failures) of(app string) ([]admin.Failure, []admin.FailureKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, kinds := []admin.Failure{}, []admin.FailureKind{}
	a := f.apps[app]
	if a == nil {
		return last, kinds
	}
	last = append(last, a.last...)
	slices.Reverse(last)
	for _, k := range a.kinds {
		kinds = append(kinds, *k)
	}
	slices.SortFunc(kinds, func(a, b admin.FailureKind) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Code, b.Code))
	})
	return last, kinds
}

// numbers are the numbers by which Alipay finds a request.
func numbers(r alipay.Request) (orderNo, tradeNo, requestNo string) {
	switch r := r.(type) {
	case *alipay.TradeCreate:
		return string(r.OutTradeNo), "", ""
	case *alipay.TradeQuery:
		return string(r.OutTradeNo), string(r.TradeNo), ""
	case *alipay.OrderInfoSync:
		return "", string(r.TradeNo), string(r.OutRequestNo)
	case *alipay.HKOrderSync:
		return string(r.MerchantBizNo), string(r.TradeNo), string(r.RequestID)
	case *alipay.ItemOrderQuery:
		return string(r.OrderNo), "", ""
	}
	return "", "", ""
}
