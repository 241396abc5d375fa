package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"reflect"
	"testing"

	"alipay-kafka-bridge/schemas"
)

// visit calls see for every named type and every field below node, with the path of its names.
func visit(node any, path string, see func(path string, n map[string]any)) {
	switch n := node.(type) {
	case []any:
		for _, branch := range n {
			visit(branch, path, see)
		}
	case map[string]any:
		if name, named := n["name"].(string); named {
			path += "/" + name
			see(path, n)
		}
		for _, key := range []string{"type", "fields", "items", "values"} {
			visit(n[key], path, see)
		}
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var node map[string]any
	if err := json.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	return node
}

func TestAllNamesEveryFile(t *testing.T) {
	files, err := fs.Glob(schemas.FS, "*.avsc")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(schemas.All()), len(files); got != want {
		t.Errorf("All has %d schemas, the folder %d", got, want)
	}
	for _, s := range schemas.All() {
		onDisk, err := fs.ReadFile(schemas.FS, s.File)
		if err != nil || !bytes.Equal(onDisk, []byte(s.Text)) {
			t.Errorf("%s: text is not the file's (%v)", s.File, err)
		}
		if got := parse(t, s.Text)["name"]; got != s.Name {
			t.Errorf("%s: record is named %v, want %s", s.File, got, s.Name)
		}
	}
}

// A new symbol must read as UNKNOWN in an older reader, so UNKNOWN is there from the start.
func TestEnumsBeginWithUnknown(t *testing.T) {
	for _, s := range schemas.All() {
		visit(parse(t, s.Text), "", func(path string, n map[string]any) {
			symbols, isEnum := n["symbols"].([]any)
			if !isEnum {
				return
			}
			if symbols[0] != "UNKNOWN" || n["default"] != "UNKNOWN" {
				t.Errorf("%s: first symbol %v, default %v; want UNKNOWN for both", path, symbols[0], n["default"])
			}
		})
	}
}

func TestEverythingHasADoc(t *testing.T) {
	for _, s := range schemas.All() {
		visit(parse(t, s.Text), "", func(path string, n map[string]any) {
			if doc, _ := n["doc"].(string); doc == "" {
				t.Errorf("%s has no doc", path)
			}
		})
	}
}

// Readers generate one class per name: the same name must mean the same everywhere.
func TestSharedTypesAreEqual(t *testing.T) {
	seen := map[any]map[string]any{}
	for _, s := range schemas.All() {
		visit(parse(t, s.Text), "", func(path string, n map[string]any) {
			if n["fields"] == nil && n["symbols"] == nil {
				return
			}
			if before, ok := seen[n["name"]]; ok && !reflect.DeepEqual(before, n) {
				t.Errorf("%s differs from its namesake in another file", path)
			}
			seen[n["name"]] = n
		})
	}
}

// The compacted status topic outlives every deletion, so it may name no person (security O7).
func TestStatusAndObservationHoldNoPersonalData(t *testing.T) {
	for _, text := range []string{schemas.TradeStatus, schemas.TradeObservation} {
		visit(parse(t, text), "", func(path string, n map[string]any) {
			name, _ := n["name"].(string)
			if bytes.Contains([]byte(name), []byte("buyer")) {
				t.Errorf("%s names the buyer", path)
			}
		})
	}
}
