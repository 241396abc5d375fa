package standalone

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The reference names every key of the settings.
func TestReferenceNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../../docs/simulator-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() || typ.PkgPath() != reflect.TypeFor[Config]().PkgPath() {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if key == "" {
				continue
			}
			if name := strings.TrimSuffix(key, "_file"); !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s of %s is not in the reference", key, typ.Name())
			}
			check(f.Type)
		}
	}
	check(reflect.TypeFor[Config]())
	if want := "every " + strings.TrimSuffix(saveEvery.String(), "s") + " seconds"; !strings.Contains(string(text), want) {
		t.Errorf("the reference does not say that the state is written %s", want)
	}
}
