package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// valueForm is the type of a member of biz_content.
type valueForm uint8

const (
	isText     valueForm = iota
	isYuan               // 0.01 to 100000000, text or number
	isPrice              // as isYuan, but may be zero: a gift has a price, too [inferred]
	isQuantity           // whole number above zero, text or number
	isObject
	isList         // of objects
	isTextList     // list of texts
	isJSON         // text with a JSON object in it
	isJSONOrObject // the same, or the object itself: business_params since 2026
)

// rule is one row of the table of request parameters on a page.
type rule struct {
	name     string
	form     valueForm
	max      int // characters of a text, digits of a quantity, entries of a list; 0: no limit on the page
	required bool
	pattern  *regexp.Regexp
	oneOf    []string
	inner    []rule
}

// checkRules checks an object by a table. Members that the table does not name are ignored, as at the gateway.
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

// check checks a value that is present by its row.
func (r *rule) check(v any) error {
	switch r.form {
	case isYuan, isPrice:
		return r.checkAmount(v)
	case isQuantity:
		if t := wire.Literal(v); !wire.IsDigits(t) || t[0] == '0' || len(t) > r.max {
			return fmt.Errorf("is not a whole number above zero of at most %d digits", r.max)
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
		return errors.New("is not a text")
	case r.max > 0 && utf8.RuneCountInString(t) > r.max: // characters, not bytes: the pages do not say [inferred]
		return fmt.Errorf("has more than %d characters", r.max)
	case r.required && strings.TrimSpace(t) == "":
		return errors.New("is blank")
	case r.pattern != nil && !r.pattern.MatchString(t):
		return fmt.Errorf("does not match %s", r.pattern)
	case r.oneOf != nil && !slices.Contains(r.oneOf, t):
		return fmt.Errorf("is not one of %s", strings.Join(r.oneOf, ", "))
	}
	if r.form == isJSON || r.form == isJSONOrObject {
		if _, err := wire.ParseObject([]byte(t)); err != nil {
			return fmt.Errorf("does not contain a JSON object: %w", err)
		}
	}
	return nil
}

func (r *rule) checkList(v any) error {
	list, ok := v.([]any)
	switch {
	case !ok:
		return errors.New("is not a list")
	case r.required && len(list) == 0:
		return errors.New("is empty")
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
		return errors.New("is not a list")
	}
	for _, entry := range list {
		if _, ok := entry.(string); !ok {
			return errors.New("has an entry that is not a text")
		}
	}
	return nil
}
