package alipay

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// A text inside a JSON text may be JSON again: order_biz_info on the page of
// alipay.trade.orderinfo.sync is one. A receiver reads it, so what is forbidden outside is forbidden inside.

// looseName finds names in a text that only looks like JSON. Some readers accept such texts,
// with single quotes, without quotes, or with escapes that are left.
var looseName = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_-]*)[^A-Za-z0-9:=,{}\[\]]{0,32}[:=]`)

// escapedCharacter is a character that is written as JSON or as a URL writes it.
var escapedCharacter = regexp.MustCompile(`\\+u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})`)

// mayNest reports whether a JSON text has a string that could be JSON. It may be wrong only
// when it says yes.
func mayNest(text string) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] == '"' && (strings.IndexByte(" \t\\{[%&(", text[i+1]) >= 0 || text[i+1] >= 0x80) {
			return true
		}
	}
	return false
}

// looksLikeJSON returns a text without what stands in front of JSON or hides it (escapes of URLs and HTML),
// and whether an object, a list or a quoted text begins there.
func looksLikeJSON(text string) (string, bool) {
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
	if plain, err := url.PathUnescape(text); err == nil && strings.HasPrefix(text, "%") {
		text = strings.TrimSpace(plain)
	}
	if strings.Contains(text, "&") && !json.Valid([]byte(text)) {
		text = strings.TrimSpace(html.UnescapeString(text))
	}
	return text, text != "" && strings.IndexByte(`{["\`, text[0]) >= 0
}

// addNested adds the names of the JSON texts that are values in text, to the bottom.
// Level counts texts within texts; each escapes the next, so that a text has few.
func (m *Members) addNested(text string, level int) error {
	if level > maxMembersDepth {
		return fmt.Errorf("texts in texts, nested deeper than %d: %w", maxMembersDepth, ErrMembers)
	}
	return eachString(text, func(s string, isName bool) error {
		if isName && level > 0 {
			m.addName(jsonscan.FoldBytes([]byte(s)))
		}
		inner, ok := looksLikeJSON(s)
		if !ok {
			if level > 0 && !isName {
				m.inner = append(m.inner, s)
			}
			return nil
		}
		if json.Valid([]byte(inner)) {
			return m.addNested(inner, level+1)
		}
		m.addLoose(inner)
		return nil
	})
}

// addLoose adds what may be names in a text that only looks like JSON.
func (m *Members) addLoose(text string) {
	text = escapedCharacter.ReplaceAllStringFunc(text, func(escaped string) string {
		n, err := strconv.ParseUint(strings.TrimLeft(escaped, `\u%`), 16, 16)
		if err != nil {
			return escaped
		}
		return string(rune(n))
	})
	for _, found := range looseName.FindAllStringSubmatch(text, -1) {
		m.addName(jsonscan.FoldBytes([]byte(found[1])))
	}
	m.loose = append(m.loose, text)
}

// eachString calls visit for each text of a JSON value, in order: names of members and values.
func eachString(text string, visit func(s string, isName bool) error) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var objects []bool // what is open; true: an object
	name := false      // the next text is a name
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.Join(err, ErrMembers)
		}
		isName := false
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				objects = append(objects, t == '{')
				name = t == '{'
				continue
			}
			objects = objects[:len(objects)-1]
		case string:
			isName = name
			if err := visit(t, isName); err != nil {
				return err
			}
		}
		name = !isName && len(objects) > 0 && objects[len(objects)-1]
	}
}

// Mentions reports whether a text value at any depth is word, ignoring case and surrounding
// white space. In texts that only look like JSON it is enough that word occurs.
func (m Members) Mentions(word string) bool {
	for i := range m.list {
		found := errors.New("found")
		err := eachString(string(m.list[i].Raw), func(s string, isName bool) error {
			if !isName && strings.EqualFold(strings.TrimSpace(s), word) {
				return found
			}
			return nil
		})
		if errors.Is(err, found) {
			return true
		}
	}
	if slices.ContainsFunc(m.inner, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), word) }) {
		return true
	}
	return slices.ContainsFunc(m.loose, func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(word)) })
}
