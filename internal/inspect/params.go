package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxParams bounds the parameters of a notification; Alipay sends about 30.
const maxParams = 100

// param is a parameter with its decoded value.
type param struct{ name, value string }

func hasSign(params []param) bool {
	return len(params) > 2 && slices.ContainsFunc(params, func(p param) bool { return p.name == "sign" })
}

// encodeForm writes parameters as the body of a form.
func encodeForm(params []param) []byte {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value))
	}
	return []byte(b.String())
}

// decodeForm reads the body of a form; nil if it is none.
func decodeForm(body []byte) []param {
	var params []param
	for part := range bytes.SplitSeq(body, []byte("&")) {
		name, value, ok := strings.Cut(string(part), "=")
		if !ok || len(params) == maxParams {
			return nil
		}
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			v = value // it is decoded already
			n = name
		}
		params = append(params, param{n, v})
	}
	return params
}

// nameForm is the form of the names of Alipay's parameters.
const nameForm = `[a-z][a-z0-9_]{0,40}`

var decodedPart = regexp.MustCompile(`(?:^|&)(` + nameForm + `)=`)

// splitDecoded splits name=value&name=value whose values are not encoded: & and = may be in them.
func splitDecoded(text string) []param {
	at := decodedPart.FindAllStringSubmatchIndex(text, maxParams)
	if len(at) == 0 || at[0][0] != 0 {
		return nil
	}
	var params []param
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		params = append(params, param{text[m[2]:m[3]], text[m[1]:end]})
	}
	return params
}

// fromJSON reads an object whose members are the parameters, at the top or one level below.
func fromJSON(text string) []param {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil
	}
	if params := members(object); hasSign(params) {
		return params
	}
	for _, name := range sortedKeys(object) {
		if inner, ok := object[name].(map[string]any); ok {
			if params := members(inner); hasSign(params) {
				return params
			}
		}
	}
	return nil
}

func members(object map[string]any) []param {
	var params []param
	for _, name := range sortedKeys(object) {
		value := object[name]
		if list, ok := value.([]any); ok && len(list) == 1 { // as servlets and Go have them
			value = list[0]
		}
		switch v := value.(type) {
		case string:
			params = append(params, param{name, v})
		case nil:
		default:
			b, err := json.Marshal(v)
			if err != nil {
				continue
			}
			params = append(params, param{name, string(b)})
		}
	}
	return params
}

func sortedKeys(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// printed are the notations of arrays and maps: where a name begins (submatch 1 is the name, the value begins
// at its end), what ends each value, and what ends the whole.
var printed = []struct{ name, end, last *regexp.Regexp }{
	{regexp.MustCompile(`(?:^|\n)\s*\[(` + nameForm + `)\] => `), regexp.MustCompile(`\s*$`), regexp.MustCompile(`\n\s*\)\s*$`)},          // print_r
	{regexp.MustCompile(`\s*\["(` + nameForm + `)"\]\s*=>\s*string\(\d+\) "`), regexp.MustCompile(`"\s*$`), regexp.MustCompile(`\}\s*$`)}, // var_dump
	{regexp.MustCompile(`\s*'(` + nameForm + `)' => '`), regexp.MustCompile(`',?\s*$`), regexp.MustCompile(`[)\]]\s*;?\s*$`)},             // var_export
	{regexp.MustCompile(`(?:^\{|, )'(` + nameForm + `)': '`), regexp.MustCompile(`'$`), regexp.MustCompile(`\}\s*$`)},                     // Python
	{regexp.MustCompile(`(?:^map\[| )(` + nameForm + `):\[`), regexp.MustCompile(`\]$`), regexp.MustCompile(`\]\s*$`)},                    // Go, url.Values
	{regexp.MustCompile(`(?:^map\[| )(` + nameForm + `):`), regexp.MustCompile(`$`), regexp.MustCompile(`\]\s*$`)},                        // Go
	{regexp.MustCompile(`(?:^\{|, )(` + nameForm + `)=`), regexp.MustCompile(`$`), regexp.MustCompile(`\}\s*$`)},                          // Java
	{regexp.MustCompile(`(?:^\{|,)\s*"?(` + nameForm + `)"?\s*[:=]>?\s*"`), regexp.MustCompile(`"\s*$`), regexp.MustCompile(`\}\s*$`)},    // Ruby, JavaScript
}

// fromPrinted reads an array or map as a debugger prints it.
func fromPrinted(text string) []param {
	for _, notation := range printed {
		params := cutValues(text, notation.name, notation.end, notation.last)
		if hasSign(params) {
			return params
		}
	}
	return nil
}

var onLines = regexp.MustCompile(`(?:^|\n)\s*"?(` + nameForm + `)"?\s*(?:=|:|\t)[ \t]*`)

var onlyBlanks = regexp.MustCompile(`\s*$`)

// fromLines reads a parameter on each line.
func fromLines(text string) []param {
	if strings.Count(text, "\n") < 2 {
		return nil
	}
	return cutValues(strings.ReplaceAll(text, "\r\n", "\n"), onLines, onlyBlanks, onlyBlanks)
}

func cutValues(text string, name, end, last *regexp.Regexp) []param {
	at := name.FindAllStringSubmatchIndex(text, maxParams)
	var params []param
	for i, m := range at {
		stop := len(text)
		if i+1 < len(at) {
			stop = at[i+1][0]
		}
		value := text[m[1]:stop]
		if cut := last.FindStringIndex(value); cut != nil && i == len(at)-1 {
			value = value[:cut[0]]
		}
		if cut := end.FindStringIndex(value); cut != nil {
			value = value[:cut[0]]
		}
		params = append(params, param{text[m[2]:m[3]], value})
	}
	return params
}

// quoted names a parameter in a sentence.
func quoted(name string) string { return fmt.Sprintf("%.40q", name) }
