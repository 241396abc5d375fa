package alipay

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// FieldError says why a request cannot be sent. It names the field as Alipay does and never
// holds its value, which may be personal.
type FieldError struct {
	Field  string // "goods_detail.price"; of one-of rules the first name
	Reason string // a word for machines: missing, length, form, range, word, currency, sum, conflict, json, typed, forbidden
	Text   string // for people
}

// Error returns the field and what is wrong with it.
func (e *FieldError) Error() string { return e.Field + " " + e.Text }

// checks collects the first fault of a request; later checks cost nothing then.
type checks struct {
	path string
	err  error
}

func (c *checks) fail(field, reason, format string, args ...any) {
	if c.err == nil {
		c.err = &FieldError{Field: c.path + field, Reason: reason, Text: fmt.Sprintf(format, args...)}
	}
}

// at runs check with field names below path.
func (c *checks) at(path string, check func()) {
	old := c.path
	c.path += path + "."
	check()
	c.path = old
}

// text checks an optional text: UTF-8 and at most limit characters; limit 0 is none.
func (c *checks) text(field, v string, limit int) {
	if !utf8.ValidString(v) {
		c.fail(field, "form", "is not UTF-8")
		return
	}
	if n := characters(v); limit > 0 && n > limit {
		c.fail(field, "length", "has %d characters, more than %d", n, limit)
	}
}

// need checks a text that must be there.
func (c *checks) need(field, v string, limit int) {
	if strings.TrimSpace(v) == "" {
		c.fail(field, "missing", "is missing")
		return
	}
	c.text(field, v, limit)
}

// word checks an optional text against the words that are allowed.
func (c *checks) word(field, v string, words ...string) {
	if v != "" && !slices.Contains(words, v) {
		c.fail(field, "word", "is none of %s", strings.Join(words, ", "))
	}
}

// yuan checks an optional amount: CNY, least to 100000000 yuan.
func (c *checks) yuan(field string, m *Money, least int64) {
	switch {
	case m == nil:
	case m.Currency != CNY:
		c.fail(field, "currency", "is not in CNY")
	case m.Minor < least || m.Minor > maxFen:
		c.fail(field, "range", "is not in %s to 100000000 yuan", decimal(least, 2))
	}
}

// json checks an optional JSON object text and returns its members.
func (c *checks) json(field, v string, limit int) Members {
	c.text(field, v, limit)
	m, err := ParseMembers(v)
	if err != nil {
		c.fail(field, "json", "is no JSON object text that may be sent: %v", err)
	}
	return m
}

// httpURL checks an optional absolute http or https address.
func (c *checks) httpURL(field, v string, limit int) {
	if v == "" {
		return
	}
	c.text(field, v, limit)
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		c.fail(field, "form", "is no absolute http or https address")
	}
}

// validate returns the first fault of a request, else whatever writing its content finds.
func validate(r Request) error {
	if err := r.check(); err != nil {
		return err
	}
	_, err := r.content()
	return err
}

// isUserID says whether v is the number of a mainland Alipay user: 16 digits beginning with
// 2088 (alipay.trade.create, "buyer_id").
func isUserID(v string) bool {
	return len(v) == 16 && strings.HasPrefix(v, "2088") && allDigits(v)
}

// fits says whether v is a whole number from 1 to limit followed by unit, without a leading zero.
func fits(v string, unit byte, limit int) bool {
	if len(v) < 2 || v[len(v)-1] != unit || v[0] == '0' || len(v) > 6 || !allDigits(v[:len(v)-1]) {
		return false
	}
	n := 0
	for _, c := range []byte(v[:len(v)-1]) {
		n = n*10 + int(c-'0')
	}
	return n >= 1 && n <= limit
}
