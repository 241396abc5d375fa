package state

import (
	"reflect"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// A change of any field is news: what is not compared would never be published.
func TestEveryFieldIsCompared(t *testing.T) {
	other := map[reflect.Type]any{
		reflect.TypeFor[time.Time]():     time.UnixMilli(1),
		reflect.TypeFor[*time.Time]():    new(time.Time),
		reflect.TypeFor[*alipay.Money](): &alipay.Money{Minor: 1},
		reflect.TypeFor[[]string]():      []string{"a"},
		reflect.TypeFor[int64]():         int64(1),
	}
	var s Status
	if !s.equals(s) {
		t.Error("a status is not equal to itself")
	}
	for i := range reflect.TypeFor[Status]().NumField() {
		changed := s
		f := reflect.ValueOf(&changed).Elem().Field(i)
		if v, ok := other[f.Type()]; ok {
			f.Set(reflect.ValueOf(v))
		} else {
			f.SetString("a")
		}
		if changed.equals(s) || !changed.equals(changed) {
			t.Errorf("%s is not compared", reflect.TypeFor[Status]().Field(i).Name)
		}
	}
}
