package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// valueForm is what a member of biz_content has to be.
type valueForm uint8

const (
	isText     valueForm = iota
	isYuan               // 0.01 to 100000000, text or number
	isPrice              // as isYuan, but may be zero: a gift has a price too [inferred]
	isQuantity           // whole number above zero, text or number
	isObject
	isList         // of objects
	isTextList     // list of texts
	isJSON         // text that holds a JSON object
	isJSONOrObject // the same, or the object itself: business_params since 2026
)

// rule is one row of a page's table of request parameters.
type rule struct {
	name     string
	form     valueForm
	max      int // characters of a text, digits of a quantity, entries of a list; 0: no limit on the page
	required bool
	pattern  *regexp.Regexp
	oneOf    []string
	inner    []rule
}

// checkRules applies a table. Members that it does not name are ignored, as the gateway does.
func checkRules(table []rule, f wire.Fields) error {
	for i := range table {
		r := &table[i]
		v := f[r.name]
		if v == nil || v == "" {
			if r.required {
				return fmt.Errorf("%s is missing", r.name)
			}
			continue
		}
		if err := r.check(v); err != nil {
			return fmt.Errorf("%s %w", r.name, err)
		}
	}
	return nil
}

// check applies one row to a value that is there.
func (r *rule) check(v any) error {
	switch r.form {
	case isYuan, isPrice:
		return r.checkAmount(v)
	case isQuantity:
		if t := wire.Literal(v); !wire.IsDigits(t) || t[0] == '0' || len(t) > r.max {
			return fmt.Errorf("is no whole number of at most %d digits", r.max)
		}
		return nil
	case isObject:
		o, ok := v.(wire.Fields)
		if !ok {
			return wire.ErrNotObject
		}
		return checkRules(r.inner, o)
	case isList:
		return r.checkList(v)
	case isTextList:
		return r.checkTexts(v)
	case isJSONOrObject:
		if _, ok := v.(wire.Fields); ok {
			return nil
		}
		return r.checkText(v)
	default:
		return r.checkText(v)
	}
}

func (r *rule) checkAmount(v any) error {
	a, err := wire.ParseYuan(wire.Literal(v))
	if err != nil {
		return err
	}
	if a > wire.MaxTotal || (r.form == isYuan && a < wire.MinTotal) {
		return fmt.Errorf("is outside %s to %s", wire.MinTotal, wire.MaxTotal)
	}
	return nil
}

func (r *rule) checkText(v any) error {
	t, ok := v.(string)
	switch {
	case !ok:
		return fmt.Errorf("is no text")
	case r.max > 0 && utf8.RuneCountInString(t) > r.max: // characters, not bytes: the pages do not say [inferred]
		return fmt.Errorf("has more than %d characters", r.max)
	case r.required && strings.TrimSpace(t) == "":
		return fmt.Errorf("is blank")
	case r.pattern != nil && !r.pattern.MatchString(t):
		return fmt.Errorf("has another form")
	case r.oneOf != nil && !slices.Contains(r.oneOf, t):
		return fmt.Errorf("is none of %s", strings.Join(r.oneOf, ", "))
	}
	if r.form == isJSON || r.form == isJSONOrObject {
		if _, err := wire.ParseObject([]byte(t)); err != nil {
			return fmt.Errorf("holds no JSON object: %w", err)
		}
	}
	return nil
}

func (r *rule) checkList(v any) error {
	list, ok := v.([]any)
	switch {
	case !ok:
		return fmt.Errorf("is no list")
	case r.required && len(list) == 0:
		return fmt.Errorf("is empty")
	case r.max > 0 && len(list) > r.max:
		return fmt.Errorf("has more than %d entries", r.max)
	}
	for _, entry := range list {
		o, ok := entry.(wire.Fields)
		if !ok {
			return wire.ErrNotObject
		}
		if err := checkRules(r.inner, o); err != nil {
			return err
		}
	}
	return nil
}

func (r *rule) checkTexts(v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("is no list")
	}
	for _, entry := range list {
		if _, ok := entry.(string); !ok {
			return fmt.Errorf("holds something else than texts")
		}
	}
	return nil
}
