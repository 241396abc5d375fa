package order_test

import (
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

var (
	occurred = time.UnixMilli(1700000000123).UTC()
	created  = time.UnixMilli(1690000000456).UTC()
	finished = time.UnixMilli(1700000005789).UTC()
)

const eventID = "0D1C7f2e-1111-4222-8333-444455556666"

func cny(minor int64) *alipay.Money { return &alipay.Money{Minor: minor, Currency: "CNY"} }
func hkd(minor int64) *alipay.Money { return &alipay.Money{Minor: minor, Currency: "HKD"} }

// event returns an event of a channel with all that the channel's calls need.
func event(c order.Channel, typ order.EventType) order.Event {
	at := created
	e := order.Event{ID: eventID, Type: typ, OccurredAt: occurred, OrderNo: "o_1", Channel: c, OrderCreatedAt: &at}
	switch c {
	case order.ChannelTrade:
		e.Total, e.Subject, e.BuyerUserID = cny(8888), "Iphone6 16G", "2088102146225135"
	case order.ChannelCredit:
		e.TradeNo = "2018061021001004680073956707"
		e.Total, e.Subject, e.BuyerUserID = cny(8888), "Bike", "2088102146225135"
	case order.ChannelHK:
		e.TradeNo, e.BuyerUserID, e.Total = "2024052222001412345678901234", "2160120051483575", hkd(10800)
	case order.ChannelKoubei:
		e.KoubeiOrderNo = "20170427000000001000000001"
	}
	return e
}

func planner(d order.Defaults) *order.Planner {
	return order.NewPlanner(order.DefaultMapping(), d)
}

// body returns the bytes that a request sends.
func body(t *testing.T, r alipay.Request) string {
	t.Helper()
	b, err := alipay.Content(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// verdict says in short what planning led to: the method, or why there is none.
func verdict(r alipay.Request, err error) string {
	var skip *order.SkipError
	var bad *order.InvalidError
	switch {
	case errors.As(err, &skip):
		return "skip " + skip.Reason
	case errors.As(err, &bad):
		return bad.Reason + " " + bad.Field
	case err != nil:
		return "error " + err.Error()
	}
	word := ""
	switch r := r.(type) {
	case *alipay.HKOrderSync:
		word = " " + r.OrderStatus
	case *alipay.OrderInfoSync:
		word = " " + r.OrderBizInfo
	}
	return string(r.Method()) + word
}

func codec(t testing.TB) *order.Codec {
	t.Helper()
	registry, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		t.Fatal(err)
	}
	return order.NewCodec(registry)
}

// fill sets every field of a struct to something that is not its zero, each differently, so
// that a field that is forgotten or swapped on the way shows.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(1700000000000 + int64(*n)).UTC()))
		return
	case order.EventType:
		v.SetString("SHIPPED")
		return
	case order.Channel:
		v.SetString("KOUBEI")
		return
	case order.CallOutcome:
		v.SetString("EXHAUSTED")
		return
	case order.CallClass:
		v.SetString("UNTRUSTED")
		return
	case order.ResolvedBy:
		v.SetString("QUERY")
		return
	case order.AskedBy:
		v.SetString("RESOLVE")
		return
	case order.ObservationKind:
		v.SetString("NOTIFICATION")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text" + strconv.Itoa(*n))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n) + 100)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		key, value := "key"+strconv.Itoa(*n), "value"+strconv.Itoa(*n)
		v.Set(reflect.ValueOf(map[string]string{key: value}))
	default:
		panic("fill: " + v.Kind().String())
	}
}

func filled[T any]() T {
	var record T
	n := 0
	fill(reflect.ValueOf(&record).Elem(), &n)
	return record
}
