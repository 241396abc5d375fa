package inspect

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// capture is a captured message: the bare body, or a whole HTTP message. Its body is every byte
// after the blank line, whatever length the headers give.
type capture struct {
	first  []string // the fields of the first line; nil for a bare body
	Header http.Header
	Body   []byte
}

// ReadCapture recognises a whole HTTP message by its first line.
func ReadCapture(b []byte) (capture, error) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := strings.Fields(string(line))
	answer := len(fields) >= 2 && strings.HasPrefix(fields[0], "HTTP/")
	request := len(fields) == 3 && strings.HasPrefix(fields[2], "HTTP/")
	if !answer && !request {
		return capture{Header: http.Header{}, Body: b}, nil
	}
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if lf, rest, found := bytes.Cut(b, []byte("\n\n")); found && (!ok || len(lf) < len(head)) {
		head, body, ok = lf, rest, true
	}
	if !ok {
		return capture{}, fmt.Errorf("no blank line after the headers")
	}
	_, head, _ = bytes.Cut(head, []byte("\n"))
	lines := strings.TrimRight(string(head), "\r\n") + "\r\n\r\n"
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines))).ReadMIMEHeader()
	if err != nil && len(head) > 0 {
		return capture{}, fmt.Errorf("the headers: %w", err)
	}
	return capture{first: fields, Header: http.Header(header), Body: body}, nil
}

// Status returns the status of an answer; 0 if it was not captured.
func (c capture) Status() (int, error) {
	if c.first == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(c.first[1])
	if err != nil || !strings.HasPrefix(c.first[0], "HTTP/") {
		return 0, fmt.Errorf("this is not an answer: it begins with %q", strings.Join(c.first, " "))
	}
	return n, nil
}

// Path returns the path of a request line; empty if it was not captured.
func (c capture) Path() string {
	if c.first == nil || strings.HasPrefix(c.first[0], "HTTP/") {
		return ""
	}
	path := c.first[1]
	if _, rest, ok := strings.Cut(path, "://"); ok { // absolute form, as some SDKs and proxies write it
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
	}
	return path
}
