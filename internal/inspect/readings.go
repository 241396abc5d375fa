package inspect

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// bodies returns the bodies that a capture may have had, for every kind of message.
func bodies(c capture) []reading {
	list := []reading{{"", c.Body}}
	add := func(name string, body []byte) {
		if body != nil && !bytes.Equal(body, c.Body) {
			list = append(list, reading{name, body})
		}
	}
	if trimmed, ok := bytes.CutPrefix(c.Body, []byte("\ufeff")); ok {
		add("the file begins with a byte order mark, which is not the body's", trimmed)
		add("the file begins with a byte order mark and ends in white space, which are not the body's", bytes.TrimSpace(trimmed))
	}
	add("the file ends in a line feed that is not the body's", bytes.TrimRight(c.Body, "\r\n"))
	add("white space stands round the body, and is not the body's", bytes.TrimSpace(c.Body))
	add("the body is in chunks (Transfer-Encoding: chunked)", unchunk(c.Body))
	for _, line := range []string{"\r\n\r\n", "\n\n"} { // headers without their first line
		if head, body, ok := bytes.Cut(c.Body, []byte(line)); ok && headers.Match(head) {
			add("the file has headers in front of the body", body)
			add("the file has headers in front of the body, and a line feed after it", bytes.TrimRight(body, "\r\n"))
			add("the file has headers in front of the body, which is in chunks", unchunk(body))
		}
	}
	add("this is the output of curl -v, not the body alone", fromCurl(c.Body))
	for _, text := range jsonTexts(c.Body) {
		add("the body is a text inside JSON, as logs write it", []byte(text))
	}
	return list
}

var headers = regexp.MustCompile(`^(?:[A-Za-z0-9-]+: [^\n]*\r?\n)*[A-Za-z0-9-]+: [^\n]*$`)

// unchunk decodes a body in chunks (RFC 9112, 7.1); nil if it is none.
func unchunk(b []byte) []byte {
	var body []byte
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if !ok && n > 0 || err != nil {
			return nil
		}
		if n == 0 {
			return body
		}
		if uint64(len(rest)) < n {
			return nil
		}
		body = append(body, rest[:n]...)
		b = bytes.TrimPrefix(bytes.TrimPrefix(rest[n:], []byte("\r")), []byte("\n"))
	}
}

// fromCurl removes what curl -v writes round a body; nil if there is nothing of it.
func fromCurl(b []byte) []byte {
	var body []byte
	found := false
	for line := range bytes.Lines(b) {
		if len(line) > 1 && strings.IndexByte("<>*{}", line[0]) >= 0 && (line[1] == ' ' || line[1] == '\r' || line[1] == '\n') {
			found = true
			continue
		}
		// A note may follow the body on its line.
		if i := bytes.Index(line, []byte("* Connection #")); i > 0 {
			line = line[:i]
		}
		body = append(body, line...)
	}
	if !found {
		return nil
	}
	return bytes.TrimSpace(body)
}

// jsonTexts returns the texts of a JSON value that could be a message: with a sign.
func jsonTexts(b []byte) []string {
	var v any
	if json.Unmarshal(bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff"))), &v) != nil {
		return nil
	}
	var found []string
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		switch v := v.(type) {
		case string:
			if strings.Contains(v, "sign") && len(found) < 8 {
				found = append(found, v)
			}
		case []any:
			for _, e := range v {
				walk(e, depth+1)
			}
		case map[string]any:
			for _, e := range v {
				walk(e, depth+1)
			}
		}
	}
	walk(v, 0)
	return found
}

// ReadingsOfAnswer returns the ways to take a captured answer.
func ReadingsOfAnswer(c capture) []reading { return bodies(c) }

// ReadingsOfNotification returns the ways to take a captured notification: first as the raw body.
func ReadingsOfNotification(c capture) []reading {
	var list []reading
	for _, r := range bodies(c) {
		list = append(list, r)
		for _, p := range formsIn(r.body, c.Header) {
			name := p.name
			if r.name != "" {
				name = r.name + "; " + name
			}
			list = append(list, reading{name, p.body})
		}
	}
	if _, query, ok := strings.Cut(c.Path(), "?"); ok {
		list = append(list, reading{"the parameters are in the URL, so the notification came by GET", []byte(query)})
	}
	return list
}

// formsIn returns the forms that a text holds in another notation.
func formsIn(b []byte, h http.Header) []reading {
	text := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff"))
	var list []reading
	add := func(name string, params []param) {
		if hasSign(params) {
			list = append(list, reading{name, encodeForm(params)})
		}
	}
	if address, query, ok := strings.Cut(text, "?"); ok && !strings.ContainsAny(address, "=& \n") {
		query, _, _ = strings.Cut(query, "#")
		query, _, _ = strings.Cut(query, " HTTP/")
		list = append(list, reading{"this is a URL, and its query has the parameters", []byte(query)})
		add("this is a URL that was decoded before it was captured", splitDecoded(query))
	}
	add("this is JSON, not the raw body", fromJSON(text))
	add("this is multipart/form-data, not the form that Alipay sends", fromMultipart(b, h))
	add("this is a printed array or map, not the raw body", fromPrinted(text))
	add("the parameters stand on lines, one each; this is not the raw body", fromLines(text))
	if decoded, err := url.PathUnescape(text); err == nil && decoded != text && strings.Contains(text, "%25") {
		list = append(list, reading{"the body was encoded for URLs twice", []byte(decoded)})
	}
	if decoded, err := url.QueryUnescape(text); err == nil && decoded != text && strings.Contains(text, "sign%3D") {
		list = append(list, reading{"the whole body was encoded for URLs", []byte(decoded)})
	}
	if !encoded.MatchString(text) {
		add("the body was decoded before it was captured", splitDecoded(text))
	}
	if plain := strings.ReplaceAll(text, "&amp;", "&"); plain != text {
		list = append(list, reading{"the separators were escaped for HTML (&amp;)", []byte(plain)})
	}
	return list
}

// encoded is a form as clients write it.
var encoded = regexp.MustCompile(`^[A-Za-z0-9%&=+_.*~-]*$`)

// fromMultipart reads a body of multipart/form-data; its boundary may stand in the body alone.
func fromMultipart(b []byte, h http.Header) []param {
	start := bytes.Index(b, []byte("--"))
	if start < 0 || !bytes.Contains(b, []byte("form-data")) {
		return nil
	}
	line, _, _ := bytes.Cut(b[start:], []byte("\n"))
	boundary := strings.TrimSpace(strings.TrimPrefix(string(line), "--"))
	if boundary == "" || len(boundary) > 70 {
		return nil
	}
	if !bytes.Contains(b, []byte("\r\n")) { // captured with other line ends
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	r := multipart.NewReader(bytes.NewReader(b), boundary)
	var params []param
	for len(params) < maxParams {
		p, err := r.NextRawPart()
		if err != nil {
			return params
		}
		var value bytes.Buffer
		if _, err := value.ReadFrom(p); err != nil {
			return params
		}
		params = append(params, param{p.FormName(), value.String()})
	}
	return params
}
