package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Change is one setting that differs between two loads.
type Change struct {
	Path    string // of the key, as in a [fault.Fault]
	Content bool   // the setting names the same file, with other contents
}

// Changes returns the differences by path. An app or an account that only one side has is one change.
func Changes(before, after Config) []Change {
	var out []Change
	diff("", reflect.ValueOf(before), reflect.ValueOf(after), func(c Change) { out = append(out, c) })
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func diff(path string, a, b reflect.Value, found func(Change)) {
	switch x := a.Interface().(type) {
	case File:
		diffFile(path, x.Path, x.Text, b.Interface().(File).Path, b.Interface().(File).Text, found)
		return
	case SecretFile:
		y := b.Interface().(SecretFile)
		diffFile(path, x.Path, x.Text.Reveal(), y.Path, y.Text.Reveal(), found)
		return
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if key, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ","); key != "" {
				diff(join(path, key), a.Field(i), b.Field(i), found)
			}
		}
	case reflect.Map:
		diffMap(path, a, b, found)
	case reflect.Slice:
		if a.Len() != b.Len() {
			found(Change{Path: path})
			return
		}
		for i := range a.Len() {
			diff(fault.Index(path, i), a.Index(i), b.Index(i), found)
		}
	default:
		if !a.Equal(b) {
			found(Change{Path: path})
		}
	}
}

func diffMap(path string, a, b reflect.Value, found func(Change)) {
	names := map[string]bool{}
	for _, m := range []reflect.Value{a, b} {
		for _, k := range m.MapKeys() {
			names[k.String()] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		key := reflect.ValueOf(name)
		x, y := a.MapIndex(key), b.MapIndex(key)
		if !x.IsValid() || !y.IsValid() {
			found(Change{Path: join(path, name)})
			continue
		}
		diff(join(path, name), x, y, found)
	}
}

func diffFile(path, beforePath, beforeText, afterPath, afterText string, found func(Change)) {
	switch {
	case beforePath != afterPath:
		found(Change{Path: path})
	case beforeText != afterText:
		found(Change{Path: path, Content: true})
	}
}
