package alipay

import (
	"context"
	"crypto/rsa"
	"net/http"
	"net/url"
	"time"
)

// What the external tests need of the inside: pure functions that vectors speak of directly.

// CanonicalText returns the text that is signed for these parameters.
func CanonicalText(params map[string]string) string {
	var list []param
	for name, value := range params {
		list = append(list, param{name, value})
	}
	return string(canonical(list))
}

// CutAnswer returns the signed bytes and the signature of an answer.
func CutAnswer(body []byte, m Method) (node []byte, sign string, err error) {
	env, err := cutEnvelope(body, m)
	return env.node, env.sign, err
}

// OpenAnswer opens an answer of the classic gateway as a client with that key would.
func OpenAnswer(key *rsa.PublicKey, r Request, body []byte) (Reply, error) {
	g := &gateway{key: key, now: time.Now}
	return g.open(r, &sealed{}, &answer{status: http.StatusOK, body: body})
}

// SealAndOpen does all of a call but the network.
func SealAndOpen(signer Signer, key *rsa.PublicKey, r Request, body []byte) error {
	g := &gateway{url: &url.URL{Scheme: "https", Host: "gateway.test", Path: gatewayPath}, appID: "1", signer: signer, key: key, now: time.Now}
	if err := r.Validate(); err != nil {
		return err
	}
	content, err := r.content()
	if err != nil {
		return err
	}
	s, err := g.seal(context.Background(), Merchant{}, r, content)
	if err != nil {
		return err
	}
	_, err = g.open(r, s, &answer{status: http.StatusOK, body: body})
	return err
}

// ScanObject validates one JSON object as answers are read.
func ScanObject(b []byte) error {
	_, err := members(b)
	return err
}

// Errors of the scanner.
var (
	ErrSyntax    = errSyntax
	ErrDuplicate = errDuplicate
)

// The parts of HK's signature.
var (
	HKContent         = hkContent
	FormatHKSignature = formatHKSignature
	ParseHKTime       = parseHKTime
)

// ParseHKSignature returns the decoded signature of a header.
func ParseHKSignature(header string) ([]byte, error) {
	h, err := parseHKSignature(header)
	return h.signature, err
}

// VerifyHK verifies a header over content under the keys.
func VerifyHK(keys map[string]*rsa.PublicKey, header string, content []byte) error {
	sig, err := parseHKSignature(header)
	if err != nil {
		return err
	}
	return (&hk{keys: keys, versions: newestFirst(keys)}).check(sig, content)
}

// Foreign makes a text of Alipay's fit for logs.
var Foreign = foreign
