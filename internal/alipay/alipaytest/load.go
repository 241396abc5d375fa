package alipaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
)

// Load reads a file of internal/alipay/testdata, from a test of that package or of one below it; a member that the type does not name fails the test.
func Load[T any](t testing.TB, file string) T {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = os.ReadFile("../testdata/" + file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var v T
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// Armour puts back the five dashes that vectors leave out of PEM texts.
func Armour(text string) []byte { return []byte(strings.ReplaceAll(text, "<5d>", "-----")) }

// SameJSON compares two JSON texts by value.
func SameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	read := func(text []byte) any {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return v
	}
	return reflect.DeepEqual(read(a), read(b))
}
