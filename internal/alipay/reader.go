package alipay

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// fields reads the members of an answer by name. A member that cannot be read exactly becomes
// absent and goes to unparsed with its literal; it never fails the others. What was not
// asked for goes to more.
type fields struct {
	byName   map[string][]byte
	path     string // where the object stands: "fund_bill_list[0].", "" for the node
	more     map[string]string
	unparsed map[string]string
}

func newFields(list Object) *fields {
	f := &fields{byName: make(map[string][]byte, len(list))}
	for _, e := range list {
		f.byName[e.Name] = e.Raw
	}
	return f
}

// take removes a member and returns its value; nil when it is absent or null.
func (f *fields) take(name string) []byte {
	raw := f.byName[name]
	delete(f.byName, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (f *fields) unread(name string, raw []byte) {
	if f.unparsed == nil {
		f.unparsed = map[string]string{}
	}
	f.unparsed[f.path+name] = string(raw)
}

// literal returns a member that is a string or a number as its text.
func (f *fields) literal(name string) (text string, raw []byte) {
	raw = f.take(name)
	if raw == nil {
		return "", nil
	}
	if text, ok := TextOf(raw); ok {
		return text, raw
	}
	f.unread(name, raw)
	return "", nil
}

// text reads a text. Numbers are taken by their literal.
func (f *fields) text(name string) string {
	s, _ := f.literal(name)
	return s
}

// money reads an amount in a currency; nil when it is absent or empty.
func (f *fields) money(name, currency string) *Money {
	s, raw := f.literal(name)
	if s == "" {
		return nil
	}
	m, err := ParseAmount(s, currency)
	if err != nil {
		f.unread(name, raw)
		return nil
	}
	return &m
}

// currency reads a currency code; a number in its place, as on the page of alipay.trade.query,
// is no currency.
func (f *fields) currency(name string) string {
	s, raw := f.literal(name)
	if s == "" {
		return ""
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		f.unread(name, raw)
		return ""
	}
	return s
}

// rate reads a decimal text. Rates are never computed with.
func (f *fields) rate(name string) string {
	s, raw := f.literal(name)
	whole, frac, point := strings.Cut(s, ".")
	if s != "" && (!allDigits(whole) || point && !allDigits(frac)) {
		f.unread(name, raw)
		return ""
	}
	return s
}

// whole reads a whole number.
func (f *fields) whole(name string) int64 {
	s, raw := f.literal(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f.unread(name, raw)
		return 0
	}
	return n
}

// time reads a time without zone, which is Beijing time [inferred from "timestamp"]; some
// have milliseconds, which time.Parse takes by itself.
func (f *fields) time(name string) *time.Time {
	s, raw := f.literal(name)
	if s == "" {
		return nil
	}
	t, err := time.ParseInLocation(classicTime, s, beijing)
	if err != nil {
		f.unread(name, raw)
		return nil
	}
	t = t.UTC()
	return &t
}

// list reads an array of objects, plain or wrapped in an object whose only member is the
// array (the official Java SDK takes both), or a single object in its place, as the page of
// koubei.trade.itemorder.query has it in its table.
func (f *fields) list(name string, read func(in *fields)) {
	raw := f.take(name)
	if raw == nil || string(raw) == `""` {
		return
	}
	elements, ok := elementsOf(raw)
	if !ok {
		f.unread(name, raw)
		return
	}
	for i, e := range elements {
		path := name + "[" + strconv.Itoa(i) + "]"
		list, err := ParseObject(e)
		if err != nil {
			f.unread(path, e)
			continue
		}
		in := newFields(list)
		in.path = f.path + path + "."
		read(in)
		in.rest()
		f.adopt(in)
	}
}

// rest moves every member that was not asked for to more.
func (f *fields) rest() {
	for name, raw := range f.byName {
		if f.more == nil {
			f.more = make(map[string]string, len(f.byName))
		}
		f.more[f.path+name] = string(raw)
	}
	clear(f.byName)
}

func (f *fields) adopt(in *fields) {
	if len(in.more) > 0 {
		if f.more == nil {
			f.more = map[string]string{}
		}
		maps.Copy(f.more, in.more)
	}
	if len(in.unparsed) > 0 {
		if f.unparsed == nil {
			f.unparsed = map[string]string{}
		}
		maps.Copy(f.unparsed, in.unparsed)
	}
}

// elementsOf returns the elements of a list in any of its three forms.
func elementsOf(raw []byte) ([][]byte, bool) {
	if raw[0] == '{' {
		list, err := ParseObject(raw)
		if err != nil {
			return nil, false
		}
		if len(list) != 1 || list[0].Raw[0] != '[' {
			return [][]byte{raw}, true
		}
		raw = list[0].Raw
	}
	if raw[0] != '[' {
		return nil, false
	}
	elements, err := Elements(raw)
	return elements, err == nil
}
