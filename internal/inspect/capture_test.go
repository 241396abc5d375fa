package inspect

import (
	"net/http"
	"testing"
)

// TestCaptures: bare bodies and whole messages, with either line end; the body is exact.
func TestCaptures(t *testing.T) {
	for name, tt := range map[string]struct {
		in, body, path string
		status         int
		header         http.Header
	}{
		"bare":          {"{\"a\":1}\n\n", "{\"a\":1}\n\n", "", 0, nil},
		"answer":        {"HTTP/1.1 502 Bad Gateway\r\nA: b\r\n\r\nx\r\n\r\ny", "x\r\n\r\ny", "", 502, http.Header{"A": {"b"}}},
		"line feeds":    {"HTTP/2 200\nA: b\n\nx\r\n\r\n", "x\r\n\r\n", "", 200, http.Header{"A": {"b"}}},
		"no headers":    {"HTTP/1.1 200 OK\r\n\r\nx", "x", "", 200, nil},
		"request":       {"POST /p?q HTTP/1.1\r\nA: b\r\n\r\nx", "x", "/p?q", 0, http.Header{"A": {"b"}}},
		"absolute form": {"POST https://h/p HTTP/1.1\r\n\r\n", "", "/p", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ReadCapture([]byte(tt.in))
			if err != nil || string(c.Body) != tt.body || c.Path() != tt.path || c.Header.Get("A") != tt.header.Get("A") {
				t.Errorf("%+v, %v", c, err)
			}
			if n, err := c.Status(); n != tt.status || (err != nil) != (tt.path != "") {
				t.Errorf("status %d, %v", n, err)
			}
		})
	}
	if _, err := ReadCapture([]byte("HTTP/1.1 200 OK\r\nA: b")); err == nil {
		t.Error("a message without its end was read")
	}
}
