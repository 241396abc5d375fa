package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
)

// call is what an exchange needs to know about a request.
type call interface {
	Method() alipay.Method
	Repeatable() bool
}

// sealedRequest is a signed request. It is a credential: whoever holds it can send it.
type sealedRequest struct {
	url        *url.URL
	header     http.Header
	body       []byte
	secret     string    // a token that the gateway could echo: no text of the answer may show it
	at         time.Time // when it was signed
	signed     []byte    // classic: the text that was signed, to compare with what the gateway computed
	generation int       // classic: generation of the signer that signed
}

// answer is what came back over HTTP, read to its end.
type answer struct {
	status     int
	header     http.Header
	body       []byte
	retryAfter time.Duration
	place      places // of a long answer, until it is opened
	buffer     []byte // of the place
}

// httpError classifies an answer whose HTTP status is not 200. Business errors come with 200,
// so its content is not Alipay's decision on the call.
func httpError(r call, a *answer) *alipay.Error {
	e := &alipay.Error{Method: r.Method(), HTTPStatus: a.status, RetryAfter: a.retryAfter}
	e.Message = fmt.Sprintf("HTTP status %d", a.status)
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Class = alipay.Throttled
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		e.Class = lostClass(r)
	case a.status < 300: // neither 200 nor a failure
		e.Class = alipay.Ambiguous
	default: // a redirect, or a refusal of the path: a wrong address, not this event
		e.Class, e.Scope, e.Proof = alipay.Misconfigured, alipay.ScopeApp, alipay.ProofCanary
	}
	return e
}

// lostClass is the class of a call that may have arrived but whose answer is not known: it is
// repeated if that is harmless, otherwise its outcome is queried.
func lostClass(r call) alipay.Class {
	if r.Repeatable() {
		return alipay.Transient
	}
	return alipay.Ambiguous
}

// sanitize makes a text of Alipay's safe for logs and topics: valid UTF-8, at most limit
// characters, control and direction characters escaped.
func sanitize(s string, limit int) string {
	plain := len(s) <= limit
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= 0x20 && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > limit {
			b.WriteString("...")
			break
		}
		if unsafeRune(c) {
			fmt.Fprintf(&b, "\\u%04x", c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// unsafeRune reports whether a character controls a terminal or hides text: C0, DEL, C1,
// zero-width, bidi controls, line separators, the byte order mark, and bytes that were not UTF-8.
func unsafeRune(c rune) bool {
	switch {
	case c < 0x20, c >= 0x7f && c < 0xa0, c == utf8.RuneError, c == 0xfeff, c == 0x061c:
		return true
	case c >= 0x200b && c <= 0x200f, c >= 0x2028 && c <= 0x202e, c >= 0x2060 && c <= 0x206f:
		return true
	}
	return false
}

// Bounds of untrusted texts in a reply, in characters.
const (
	maxMessage = 256
	maxCode    = 128
	maxTraceID = 128
)

// subMessage returns what Alipay says about a refusal. It withholds the texts of the gateway's
// own checks (codes 40001 to 40003): for a bad signature they echo the whole signed text,
// including app_auth_token, and for a bad parameter its value.
func (s *sealedRequest) subMessage(code, text string) string {
	switch code {
	case "40001", "40002", "40003":
		if text != "" {
			return withheld
		}
	}
	return s.sanitize(text, maxMessage)
}

// withheld replaces a text that may hold a secret.
const withheld = "withheld"

// echoes reports whether an answer holds the token of its request.
func (s *sealedRequest) echoes(body []byte) bool {
	return s.secret != "" && bytes.Contains(body, []byte(s.secret))
}

// sanitize is the function of that name, for texts that could echo the token of the request.
func (s *sealedRequest) sanitize(text string, limit int) string {
	if s.echoes([]byte(text)) {
		return withheld
	}
	return sanitize(text, limit)
}

func unusable(r call, a *answer, err error) *alipay.Error {
	return &alipay.Error{Method: r.Method(), Class: alipay.Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
}
