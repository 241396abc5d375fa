package alipay

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// sealed is a signed request. It is a credential: whoever holds it can send it.
type sealed struct {
	url    *url.URL
	header http.Header
	body   []byte
	secret string    // what no text of the answer may show: a token that the gateway could echo
	at     time.Time // when it was signed
	signed []byte    // classic: the text that was signed, to compare with what the gateway computed
	signer int       // classic: generation of the signer that signed
	steps  *steps    // nil but where somebody asks why
}

// answer is what came back over HTTP, read to its end.
type answer struct {
	status     int
	header     http.Header
	body       []byte
	retryAfter time.Duration
}

// envelope is an answer of the classic gateway cut into its parts, by the exact bytes.
type envelope struct {
	node    []byte  // the value of the node: what is signed
	sign    string  // empty: the answer is not signed
	certSN  string  // of the certificate whose key signed; not signed itself
	charset Charset // in which the bytes are
}

// encrypted says whether the node is a ciphertext. What was asked does not tell: a gateway that
// could not decrypt answers in plain.
func (e envelope) encrypted() bool { return e.node[0] == '"' }

var (
	errNoNode   = errors.New("no node for this method")
	errTwoNodes = errors.New("a node for this method and an error_response")
	errSign     = errors.New("sign is not a text")
)

// cutEnvelope finds the node of an answer without parsing and writing it again: a signature
// covers the bytes as sent. The members of the answer come in any order. It returns an error
// wrapping errSyntax when the bytes are no JSON object (a page of a proxy, a body cut short),
// and another one when they are an answer that must not be believed.
func cutEnvelope(body []byte, m Method, c Charset) (envelope, error) {
	err := fmt.Errorf("bytes of no charset: %w", errSyntax)
	for _, c := range c.candidates(body) {
		var list []member
		s := scanner{b: body, wide: c.wide()}
		if list, err = s.document(); err == nil {
			return pickEnvelope(list, m, c)
		}
		if !errors.Is(err, errSyntax) {
			break
		}
	}
	return envelope{}, err
}

func pickEnvelope(list []member, m Method, c Charset) (envelope, error) {
	var (
		env   = envelope{charset: c}
		node  = strings.ReplaceAll(string(m), ".", "_") + "_response"
		nodes int
		err   error
	)
	for _, e := range list {
		switch e.name {
		case node, "error_response":
			env.node = e.raw
			nodes++
		case "sign":
			env.sign, err = signText(e.raw)
		case "alipay_cert_sn":
			env.certSN, err = signText(e.raw)
		}
		if err != nil {
			return envelope{}, err
		}
	}
	switch nodes {
	case 0:
		return envelope{}, errNoNode
	case 1:
		return env, nil
	}
	return envelope{}, errTwoNodes
}

// signText reads the members sign and alipay_cert_sn. Gateways leave them out, empty or null
// where they do not sign.
func signText(raw []byte) (string, error) {
	if string(raw) == "null" {
		return "", nil
	}
	if raw[0] != '"' || !ascii(raw) {
		return "", errSign
	}
	return unquote(raw), nil
}

// httpError classifies an answer whose HTTP status is not 200. Business errors come with 200,
// so whatever else it holds is not Alipay's word on the call.
func httpError(r Request, a *answer) *Error {
	e := &Error{Method: r.Method(), HTTPStatus: a.status, RetryAfter: a.retryAfter}
	e.Message = fmt.Sprintf("HTTP status %d", a.status)
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Class = Throttled
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		e.Class = lost(r)
	case a.status < 300: // not 200, and yet no failure
		e.Class = Ambiguous
	default: // a redirect, or a refusal of the path: a wrong address, not this event
		e.Class, e.Scope, e.Proof = Misconfigured, ScopeApp, ProofCanary
	}
	return e
}

// lost is the class of a call that may have arrived but whose answer is not known: to be
// repeated if that is harmless, else to be asked for.
func lost(r Request) Class {
	if r.Repeatable() {
		return Transient
	}
	return Ambiguous
}

// foreign makes a text of Alipay's fit for logs and topics: valid UTF-8, at most limit
// characters, control and direction characters escaped.
func foreign(s string, limit int) string {
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
