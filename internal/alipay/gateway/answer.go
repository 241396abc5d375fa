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

// call is what an exchange needs to know of a request.
type call interface {
	Method() alipay.Method
	Repeatable() bool
}

// sealedRequest is a signed request. It is a credential: whoever holds it can send it.
type sealedRequest struct {
	url        *url.URL
	header     http.Header
	body       []byte
	secret     string    // what no text of the answer may show: a token that the gateway could echo
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
}

// httpError classifies an answer whose HTTP status is not 200. Business errors come with 200,
// so whatever else it holds is not Alipay's word on the call.
func httpError(r call, a *answer) *alipay.Error {
	e := &alipay.Error{Method: r.Method(), HTTPStatus: a.status, RetryAfter: a.retryAfter}
	e.Message = fmt.Sprintf("HTTP status %d", a.status)
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Class = alipay.Throttled
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		e.Class = lostClass(r)
	case a.status < 300: // not 200, and yet no failure
		e.Class = alipay.Ambiguous
	default: // a redirect, or a refusal of the path: a wrong address, not this event
		e.Class, e.Scope, e.Proof = alipay.Misconfigured, alipay.ScopeApp, alipay.ProofCanary
	}
	return e
}

// lostClass is the class of a call that may have arrived but whose answer is not known: to be
// repeated if that is harmless, else to be asked for.
func lostClass(r call) alipay.Class {
	if r.Repeatable() {
		return alipay.Transient
	}
	return alipay.Ambiguous
}

// sanitize makes a text of Alipay's fit for logs and topics: valid UTF-8, at most limit
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

// unsafeRune says whether a character steers a terminal or hides text: C0, DEL, C1,
// zero-width, bidi controls, line separators, the byte order mark, and what was no UTF-8.
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

// subMessage keeps what Alipay says about a refusal, but for the gateway's own checks (codes
// 40001 to 40003): about a bad signature it echoes the whole text that was signed, with
// app_auth_token in it, and about a bad parameter its value.
func (s *sealedRequest) subMessage(code, text string) string {
	switch code {
	case "40001", "40002", "40003":
		if text != "" {
			return withheld
		}
	}
	return s.sanitize(text, maxMessage)
}

// withheld stands in place of a text that may hold a secret.
const withheld = "withheld"

// echoes says whether an answer holds the token of its request.
func (s *sealedRequest) echoes(body []byte) bool {
	return s.secret != "" && bytes.Contains(body, []byte(s.secret))
}

// sanitize is the function of that name for texts that could echo the token of the request.
func (s *sealedRequest) sanitize(text string, limit int) string {
	if s.echoes([]byte(text)) {
		return withheld
	}
	return sanitize(text, limit)
}

func unusable(r call, a *answer, err error) *alipay.Error {
	return &alipay.Error{Method: r.Method(), Class: alipay.Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
}
