package avro

import (
	"fmt"
	"time"
)

// Reader reads a decoded record's fields by name, so that a writer's schema may have more
// fields, fewer, or another order. An absent field reads as zero, which is also how readers
// see the schemas' defaults. The first value of a wrong type is kept as the error; read
// everything, then ask [Reader.Err].
type Reader struct {
	record map[string]any
	path   string
	err    *error
}

// NewReader reads this record.
func NewReader(record map[string]any) Reader {
	return Reader{record: record, err: new(error)}
}

// Err returns the first error of this reader and all that were made from it.
func (r Reader) Err() error { return *r.err }

func (r Reader) fail(name string, v any, want string) {
	if *r.err == nil {
		*r.err = fmt.Errorf("field %s%s is a %T, want %s", r.path, name, v, want)
	}
}

// Has reports whether a field is there and not null, for the few whose default is not zero.
func (r Reader) Has(name string) bool { return r.record[name] != nil }

// Text returns a string, or an enum's symbol.
func (r Reader) Text(name string) string {
	switch v := r.record[name].(type) {
	case nil:
	case string:
		return v
	default:
		r.fail(name, v, "text")
	}
	return ""
}

// Long returns a whole number; a time reads as its milliseconds since 1970.
func (r Reader) Long(name string) int64 {
	switch v := r.record[name].(type) {
	case nil:
	case int64:
		return v
	case time.Time:
		return v.UnixMilli()
	default:
		r.fail(name, v, "a whole number")
	}
	return 0
}

// Bool returns true or false.
func (r Reader) Bool(name string) bool {
	switch v := r.record[name].(type) {
	case nil:
	case bool:
		return v
	default:
		r.fail(name, v, "true or false")
	}
	return false
}

// Time returns an instant; a plain long is read as milliseconds since 1970 (DESIGN.md,
// "Records"). Absent: the zero time.
func (r Reader) Time(name string) time.Time {
	switch v := r.record[name].(type) {
	case nil:
	case time.Time:
		return v
	case int64:
		return time.UnixMilli(v).UTC()
	default:
		r.fail(name, v, "a time")
	}
	return time.Time{}
}

// OptionalTime is [Reader.Time] with nil for absent.
func (r Reader) OptionalTime(name string) *time.Time {
	if r.record[name] == nil {
		return nil
	}
	t := r.Time(name)
	return &t
}

// Texts returns a list of strings, nil when it is empty.
func (r Reader) Texts(name string) []string {
	var texts []string
	for _, v := range r.list(name) {
		s, ok := v.(string)
		if !ok {
			r.fail(name, v, "a list of texts")
		}
		texts = append(texts, s)
	}
	return texts
}

// TextMap returns a map of strings, nil when it is empty.
func (r Reader) TextMap(name string) map[string]string {
	given, ok := r.record[name].(map[string]any)
	if !ok && r.record[name] != nil {
		r.fail(name, r.record[name], "a map of texts")
	}
	if len(given) == 0 {
		return nil
	}
	texts := make(map[string]string, len(given))
	for k, v := range given {
		s, ok := v.(string)
		if !ok {
			r.fail(name, v, "a map of texts")
		}
		texts[k] = s
	}
	return texts
}

func (r Reader) list(name string) []any {
	list, ok := r.record[name].([]any)
	if !ok && r.record[name] != nil {
		r.fail(name, r.record[name], "a list")
	}
	return list
}

// Record returns a reader of a nested record, and whether there is one.
func (r Reader) Record(name string) (Reader, bool) {
	switch v := r.record[name].(type) {
	case nil:
	case map[string]any:
		return Reader{v, r.path + name + ".", r.err}, true
	default:
		r.fail(name, v, "a record")
	}
	return Reader{err: r.err}, false
}

// Records returns a reader of each record of a list.
func (r Reader) Records(name string) []Reader {
	var readers []Reader
	for i, v := range r.list(name) {
		m, ok := v.(map[string]any)
		if !ok {
			r.fail(name, v, "a list of records")
		}
		readers = append(readers, Reader{m, fmt.Sprintf("%s%s[%d].", r.path, name, i), r.err})
	}
	return readers
}
