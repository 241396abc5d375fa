package inspect

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
)

// undo undoes one damage to a value; it returns the value itself if there was none.
type undo struct {
	name string // what was done to it, after "its value was" or "the values were"
	do   func(value string) string
}

// undos are the damages that tools and frameworks do to values.
var undos = []undo{
	{"decoded so that + became a blank", func(v string) string { return strings.ReplaceAll(v, " ", "+") }},
	{"decoded so that + between blanks became a blank", func(v string) string { return strings.ReplaceAll(v, "   ", " + ") }},
	{"encoded so that a blank became +", func(v string) string { return strings.ReplaceAll(v, "+", " ") }},
	{"encoded for URLs once too often", unescapeURL},
	{"decoded once too often", url.QueryEscape},
	{"decoded once too often, blanks as %20", url.PathEscape},
	{"escaped for HTML", unescapeHTML},
	{"escaped for HTML twice", func(v string) string { return unescapeHTML(unescapeHTML(v)) }},
	{"escaped with backslashes", unslash},
	{"cleared of backslashes", func(v string) string { return strings.ReplaceAll(v, "/", `\/`) }},
	{"converted from GBK to UTF-8", toGBK},
	{"converted from UTF-8 to GBK", func(v string) string { return string(alipay.CharsetGBK.Decode([]byte(v))) }},
	{"read as Latin-1 and written as UTF-8", fromLatin},
	{"written anew as JSON, with blanks", compact},
	{"written anew as JSON, with \\u escapes", unescapeUnicode},
	{"written anew as JSON, without \\u escapes", escapeUnicode},
	{"given other line ends (CR LF)", func(v string) string { return strings.ReplaceAll(v, "\r\n", "\n") }},
	{"given other line ends (LF)", func(v string) string { return strings.ReplaceAll(v, "\n", "\r\n") }},
	{"trimmed at its end", func(v string) string { return v + " " }},
	{"trimmed at its beginning", func(v string) string { return " " + v }},
	{"padded with white space", strings.TrimSpace},
}

// RepairsOfNotification returns the forms in which one damage is undone. Damages to all values come
// first, then those to one; then one parameter is left out; then both.
func RepairsOfNotification(body []byte) []repair {
	params := signable(decodeForm(body))
	if !hasSign(params) {
		return nil
	}
	var list []repair
	add := func(name string, p []param) { list = append(list, repair{name, encodeForm(p)}) }
	add("over the same parameters, with sign cleared of blanks and line feeds", params)
	var whole [][]param
	for _, u := range undos {
		p, changed := applied(params, u, -1)
		if changed > 1 {
			add("over the same parameters before the values were "+u.name, p)
		}
		if changed > 0 {
			whole = append(whole, p)
		}
	}
	for i, p := range params {
		if p.name == "sign" {
			continue
		}
		for _, u := range undos {
			if one, changed := applied(params, u, i); changed > 0 {
				add("with "+quoted(p.name)+" as it was before its value was "+u.name, one)
			}
		}
		add("without the parameter "+quoted(p.name)+", which was added after signing (by a framework, a proxy or the URL of notify_url)", without(params, i))
	}
	for i, p := range params {
		if slices.Contains([]string{"sign", "sign_type"}, p.name) {
			continue
		}
		for _, w := range whole {
			add("without the parameter "+quoted(p.name)+", and with another damage to the values undone", without(w, i))
		}
	}
	return list
}

// signable returns parameters whose sign is Base64 again: blanks were + signs, and line feeds none.
func signable(params []param) []param {
	out := slices.Clone(params)
	for i, p := range out {
		if p.name != "sign" {
			continue
		}
		sign := p.value
		if plain, err := url.PathUnescape(sign); err == nil && strings.Contains(sign, "%") {
			sign = plain
		}
		sign = strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(strings.Trim(sign, " \r\n\t\""))
		sign = strings.TrimRight(strings.NewReplacer(" ", "+", "-", "+", "_", "/", `\/`, "/").Replace(sign), "=")
		for len(sign)%4 != 0 && len(sign)%4 != 1 {
			sign += "="
		}
		out[i].value = sign
	}
	return out
}

// applied undoes a damage to one value, or to all (-1), and counts the values that it changed.
func applied(params []param, u undo, only int) (out []param, changed int) {
	out = slices.Clone(params)
	for i, p := range out {
		if p.name == "sign" || only >= 0 && i != only {
			continue
		}
		if v := u.do(p.value); v != p.value {
			out[i].value = v
			changed++
		}
	}
	return out, changed
}

func without(params []param, i int) []param { return slices.Delete(slices.Clone(params), i, i+1) }

// RepairsOfAnswer returns answers in which one damage, or two that come together, is undone.
func RepairsOfAnswer(body []byte) []repair {
	text := string(body)
	var list []repair
	seen := map[string]bool{text: true}
	add := func(name, fixed string) {
		if !seen[fixed] {
			seen[fixed] = true
			list = append(list, repair{name, []byte(fixed)})
		}
	}
	const anew = "over the text before it was written anew by a JSON library: "
	forms := []struct{ name, text string }{{"", text}, {"blanks were added", compact(text)}}
	for _, f := range forms {
		slashes := strings.ReplaceAll(f.text, "/", `\/`)
		add(anew+f.name, f.text)
		for _, s := range []struct{ name, text string }{{"", f.text}, {`\/ became /`, slashes}} {
			name := join(f.name, s.name)
			add(anew+name, s.text)
			add(anew+join(name, "characters became \\u escapes"), unescapeUnicode(s.text))
			add(anew+join(name, "\\u escapes became characters"), escapeUnicode(s.text))
			add(anew+join(name, "\\u escapes became characters"), escapeUpper(s.text))
		}
		add(anew+join(f.name, `/ became \/`), strings.ReplaceAll(f.text, `\/`, "/"))
	}
	add("over the text before it was escaped for HTML", unescapeHTML(text))
	add("over the text before it was encoded for URLs", unescapeURL(text))
	add("over the text before it was escaped with backslashes", unslash(text))
	add("over the same text in GBK: it was converted to UTF-8", toGBK(text))
	add("over the same text in UTF-8: it was converted to GBK", string(alipay.CharsetGBK.Decode(body)))
	add("over the text before it was read as Latin-1 and written as UTF-8", fromLatin(text))
	add("over the text before its line ends were changed", strings.ReplaceAll(text, "\r\n", "\n"))
	return list
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", and " + b
}

func unescapeURL(v string) string {
	if plain, err := url.QueryUnescape(v); err == nil {
		return plain
	}
	return v
}

// unescapeHTML knows every spelling: &quot; &#34; &#034; &#x22; and the apostrophe's &#39; and &apos;.
func unescapeHTML(v string) string { return html.UnescapeString(v) }

var backslashed = regexp.MustCompile(`\\(["'\\/])`)

func unslash(v string) string { return backslashed.ReplaceAllString(v, "$1") }

func toGBK(v string) string {
	if b, err := alipay.CharsetGBK.Encode([]byte(v)); err == nil {
		return string(b)
	}
	return v
}

// fromLatin takes each character for a byte.
func fromLatin(v string) string {
	b := make([]byte, 0, len(v))
	for _, c := range v {
		if c > 0xFF {
			return v
		}
		b = append(b, byte(c))
	}
	if !utf8.Valid(b) {
		return v
	}
	return string(b)
}

func compact(v string) string {
	var b bytes.Buffer
	if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
		if json.Compact(&b, []byte(v)) == nil {
			return b.String()
		}
	}
	return v
}

var unicodeEscape = regexp.MustCompile(`(?:\\u[0-9A-Fa-f]{4})+`)

// unescapeUnicode writes \u escapes of characters beyond ASCII as characters.
func unescapeUnicode(v string) string {
	return unicodeEscape.ReplaceAllStringFunc(v, func(escaped string) string {
		var units []uint16
		for part := range strings.SplitSeq(escaped[2:], `\u`) {
			n, err := strconv.ParseUint(part, 16, 16)
			if err != nil || n < 0x80 {
				return escaped
			}
			units = append(units, uint16(n))
		}
		return string(utf16.Decode(units))
	})
}

const lowerHex, upperHex = "0123456789abcdef", "0123456789ABCDEF"

// escapeUnicode writes characters beyond ASCII as \u escapes.
func escapeUnicode(v string) string { return escapeWith(v, lowerHex) }

func escapeUpper(v string) string { return escapeWith(v, upperHex) }

func escapeWith(v, digits string) string {
	var b strings.Builder
	for _, c := range v {
		if c < 0x80 {
			b.WriteRune(c)
			continue
		}
		for _, u := range utf16.Encode([]rune{c}) {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(digits[u>>shift&15])
			}
		}
	}
	return b.String()
}
