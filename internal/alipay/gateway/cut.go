package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// answerParts is an answer of the classic gateway cut into its parts, by the exact bytes.
type answerParts struct {
	node    []byte         // the value of the node: what is signed
	bare    bool           // the node is error_response, which names no method
	sign    string         // empty: the answer is not signed
	certSN  string         // of the certificate whose key signed; not signed itself
	charset alipay.Charset // in which the bytes are
}

// encrypted reports whether the node is a ciphertext. The request does not decide it: a gateway that
// could not decrypt answers in plain.
func (p answerParts) encrypted() bool { return p.node[0] == '"' }

var (
	errNoNode    = errors.New("no node for this method")
	errTwoNodes  = errors.New("a node for this method and an error_response")
	errSignValue = errors.New("sign is not a text")
)

// cutAnswer finds the node of an answer without parsing and writing it again: a signature
// covers the bytes as sent. The members of the answer come in any order. It returns an error
// wrapping ErrSyntax when the bytes are not a JSON object (a page of a proxy, a body cut short),
// and another one when they are an answer that must not be believed.
func cutAnswer(body []byte, m alipay.Method, c alipay.Charset) (answerParts, error) {
	err := fmt.Errorf("bytes of no charset: %w", jsonscan.ErrSyntax)
	for _, c := range c.Candidates(body) {
		var list jsonscan.Object
		if list, err = scanOptions(c).ParseObject(body); err == nil {
			return pickParts(list, m, c)
		}
		if !errors.Is(err, jsonscan.ErrSyntax) {
			break
		}
	}
	return answerParts{}, err
}

// scanOptions say how an answer in a charset is cut.
func scanOptions(c alipay.Charset) jsonscan.Options {
	if c.Wide() {
		return jsonscan.Options{DecodeGBK: alipay.CharsetGBK.Decode}
	}
	return jsonscan.Options{}
}

func pickParts(list jsonscan.Object, m alipay.Method, c alipay.Charset) (answerParts, error) {
	var (
		parts = answerParts{charset: c}
		node  = strings.ReplaceAll(string(m), ".", "_") + "_response"
		nodes int
		err   error
	)
	for _, e := range list {
		switch e.Name {
		case node, "error_response":
			parts.node, parts.bare = e.Raw, e.Name != node
			nodes++
		case "sign":
			parts.sign, err = signText(e.Raw)
		case "alipay_cert_sn":
			parts.certSN, err = signText(e.Raw)
		}
		if err != nil {
			return answerParts{}, err
		}
	}
	switch nodes {
	case 0:
		return answerParts{}, errNoNode
	case 1:
		return parts, nil
	}
	return answerParts{}, errTwoNodes
}

// signText reads the members sign and alipay_cert_sn. Gateways leave them out, empty or null
// where they do not sign.
func signText(raw []byte) (string, error) {
	if string(raw) == "null" {
		return "", nil
	}
	if raw[0] != '"' || hasNonASCII(raw) {
		return "", errSignValue
	}
	return jsonscan.Unquote(raw), nil
}

func hasNonASCII(b []byte) bool {
	return bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf })
}
