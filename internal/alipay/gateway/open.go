package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// open verifies an answer and says what it means. The reply is filled as far as the answer
// could be read, even with an error.
func (g *classic) open(ctx context.Context, r call, s *signedRequest, a *answer) (alipay.Reply, error) {
	rep := alipay.Reply{Method: r.Method(), TraceID: sanitize(a.header.Get("trace_id"), maxTraceID)}
	if a.status != http.StatusOK {
		s.steps.bad("status", "HTTP status %d: business answers come with 200", a.status)
		return rep, httpError(r, a)
	}
	env, err := cutAnswer(a.body, r.Method(), g.charset)
	if errors.Is(err, jsonscan.ErrSyntax) {
		s.steps.bad("cut", "no complete JSON object: %v", err)
		return rep, unusable(r, a, err)
	}
	if err != nil {
		s.steps.bad("cut", "%v", err)
		return rep, untrusted(r, err.Error())
	}
	s.steps.ok("cut", "the node has %d bytes in %s", len(env.node), env.charset)
	if rep.Verified, err = g.authenticate(ctx, r, s, env); err != nil {
		return rep, err
	}
	node, err := g.plain(env, s.steps)
	if err != nil {
		rep.Verified = false
		return rep, untrusted(r, err.Error())
	}
	list, err := jsonscan.ParseObject(node)
	if errors.Is(err, jsonscan.ErrDuplicate) || err != nil && (env.sign != "" || env.encrypted()) {
		s.steps.bad("node", "%v", err)
		return rep, untrusted(r, "the node is not one JSON object: "+err.Error())
	}
	if err != nil {
		s.steps.bad("node", "%v", err)
		return rep, unusable(r, a, err)
	}
	if rep.Verified {
		rep.Body = node
	}
	return rep, g.understand(r, s, a, list, &rep)
}

// authenticate says whether an answer is signed, and refuses one whose signature is not
// Alipay's. Some errors genuinely carry none. In certificate mode an answer that names no
// certificate counts as not signed, as with the official Java SDK: no success without it.
func (g *classic) authenticate(ctx context.Context, r call, s *signedRequest, env answerParts) (bool, error) {
	if env.sign == "" {
		s.steps.bad("signature", "the answer carries no sign")
		return false, nil
	}
	if g.trust.certs != nil && env.certSN == "" {
		s.steps.bad("certificate", "the answer names no alipay_cert_sn, so it counts as not signed")
		return false, nil
	}
	sig, err := decodeSign(env.sign)
	if err != nil {
		s.steps.bad("signature", "%v", err)
		return false, untrusted(r, err.Error())
	}
	candidates, err := g.keysFor(ctx, env.certSN, s.steps)
	if err != nil {
		var e *alipay.Error
		if errors.As(err, &e) { // the certificate could not be asked for
			return false, &alipay.Error{Method: r.Method(), Class: lostClass(r), Message: "the certificate that signed the answer could not be fetched", Err: e}
		}
		return false, untrusted(r, err.Error())
	}
	if !verifyNode(g.signType.Hash(), candidates, env.node, sig) {
		if s.steps != nil {
			s.steps.bad("signature", "%s", g.trust.explainMismatch(g.signType.Hash(), candidates, env.node, sig))
		}
		return false, untrusted(r, "the signature does not match")
	}
	s.steps.ok("signature", "%s over the bytes of the node", g.signType)
	return true, nil
}

// keysFor returns the keys that may have signed an answer. In certificate mode the answer names
// the certificate, and one that is not known yet is asked for.
func (g *classic) keysFor(ctx context.Context, sn string, st *steps) ([]*rsa.PublicKey, error) {
	candidates, err := g.trust.candidates(sn)
	if errors.Is(err, certs.ErrUnknown) && g.send != nil {
		st.ok("certificate", "%s is not known yet and is asked for", sanitize(sn, certs.SNLength))
		if err = g.trust.certs.Fetch(ctx, sn, g.downloadChain); err == nil {
			candidates, err = g.trust.candidates(sn)
		}
	}
	if err != nil {
		st.bad("certificate", "%v", err)
	} else if g.trust.certs != nil {
		st.ok("certificate", "%s is trusted", sanitize(sn, certs.SNLength))
	}
	return candidates, err
}

// verifyNode checks a signature over the bytes of the node as they were sent. Some gateways
// sign before they escape slashes: a text with \/ is tried once more with / (official Java
// and .NET SDKs).
func verifyNode(h crypto.Hash, candidates []*rsa.PublicKey, node, sig []byte) bool {
	if verifyAny(h, candidates, node, sig) {
		return true
	}
	return bytes.Contains(node, []byte(`\/`)) && verifyAny(h, candidates, bytes.ReplaceAll(node, []byte(`\/`), []byte("/")), sig)
}

// plain returns the node as JSON in UTF-8. What is signed and cannot be decrypted is not to be
// believed; what is not signed is decrypted for its code alone.
func (g *classic) plain(env answerParts, st *steps) ([]byte, error) {
	if !env.encrypted() {
		return env.charset.Decode(env.node), nil
	}
	text := ""
	if !hasNonASCII(env.node) {
		text = jsonscan.Unquote(env.node)
	}
	if g.content == nil {
		st.bad("decrypt", "the node is encrypted, but no AES key is configured")
		return nil, errDecrypt
	}
	plain, err := g.content.decrypt(text)
	if err != nil {
		st.bad("decrypt", "it is no ciphertext under the configured AES key")
		return nil, err
	}
	for _, c := range g.charset.Candidates(plain) {
		st.ok("decrypt", "%d bytes in %s", len(plain), c)
		return c.Decode(plain), nil
	}
	st.bad("decrypt", "what came out is no text: another AES key")
	return nil, errDecrypt
}

// understand reads the node and returns nil only for a success that is proven to be Alipay's
// answer to r.
func (g *classic) understand(r call, s *signedRequest, a *answer, f jsonscan.Object, rep *alipay.Reply) error {
	rep.Code, rep.SubCode = s.sanitize(f.Text("code"), maxCode), s.sanitize(f.Text("sub_code"), maxCode)
	rep.Message = s.sanitize(f.Text("msg"), maxMessage)
	subMsg := f.Text("sub_msg")
	rep.SubMessage = s.subMessage(rep.Code, subMsg)
	if rep.SubMessage == withheld || s.echoes(rep.Body) {
		rep.Body = nil
	}
	v := alipay.ClassifyUnsigned(r.Method(), rep.Code, rep.SubCode)
	if rep.Verified {
		v = alipay.Classify(r.Method(), rep.Code, rep.SubCode)
	}
	s.steps.ok("code", "%s %s: class %s", rep.Code, rep.SubCode, v.Class)
	success := v.Class == alipay.Done || v.Class == alipay.Accepted
	ids := readIdentities(f)
	if rep.Verified {
		if err := ids.belong(r, success); err != nil {
			s.steps.bad("request", "%v", err)
			return untrusted(r, err.Error())
		}
	}
	if success { // error nodes carry business fields with zero values
		rep.OutTradeNo, rep.TradeNo = ids.out, ids.trade
		rep.BuyerUserID, rep.BuyerOpenID = cmp.Or(f.Text("buyer_user_id"), f.Text("buyer_id")), f.Text("buyer_open_id")
	}
	if rep.Verified && (success || rep.Code == "40004") { // a business answer: the signature was good
		g.keys.succeeded(s.signer)
	}
	if v.Class == alipay.Done {
		return nil
	}
	e := &alipay.Error{
		Method: r.Method(), Class: v.Class, Code: rep.Code, SubCode: rep.SubCode, Message: rep.Message,
		HTTPStatus: a.status, RetryAfter: a.retryAfter, Scope: v.Scope, Proof: v.Proof, Alert: v.Alert,
	}
	if v.Class == alipay.Untrusted {
		e.Message = "success without signature"
	}
	if rep.SubCode == invalidSignature {
		g.refused(s, e, subMsg, rep.Verified)
	}
	return e
}

// identities are the numbers in an answer that tie it to its request.
type identities struct {
	out    alipay.OutTradeNo
	trade  alipay.TradeNo
	koubei alipay.KoubeiOrderNo
}

func readIdentities(f jsonscan.Object) identities {
	ids := identities{
		out:    alipay.OutTradeNo(f.Text("out_trade_no")),
		trade:  alipay.TradeNo(f.Text("trade_no")),
		koubei: alipay.KoubeiOrderNo(f.Text("order_no")),
	}
	if ids.out == "" {
		ids.out = alipay.OutTradeNo(f.Text("out_order_no"))
	}
	return ids
}

var errOtherAnswer = errors.New("the answer is that of another request")

// belong checks that a signed answer is the answer to r. The signature covers no nonce: a
// replaying or confused proxy can hand us another order's genuine answer. Numbers that are
// present on both sides must be equal, and a success must have such a number.
func (ids identities) belong(r call, success bool) error {
	bound, equal := false, true
	compare := func(asked, got string) {
		if asked != "" && got != "" {
			bound, equal = true, equal && asked == got
		}
	}
	switch r := r.(type) {
	case *alipay.TradeCreate:
		compare(string(r.OutTradeNo), string(ids.out))
	case *alipay.TradeQuery:
		compare(string(r.OutTradeNo), string(ids.out))
		compare(string(r.TradeNo), string(ids.trade))
	case *alipay.OrderInfoSync:
		compare(string(r.TradeNo), string(ids.trade))
	case *alipay.ItemOrderQuery:
		compare(string(r.OrderNo), string(ids.koubei))
	default: // an answer that was captured without its request
		return nil
	}
	if !equal {
		return errOtherAnswer
	}
	if success && !bound {
		return fmt.Errorf("a success without the number that was asked for: %w", errOtherAnswer)
	}
	return nil
}

// answerParts is an answer of the classic gateway cut into its parts, by the exact bytes.
type answerParts struct {
	node    []byte         // the value of the node: what is signed
	sign    string         // empty: the answer is not signed
	certSN  string         // of the certificate whose key signed; not signed itself
	charset alipay.Charset // in which the bytes are
}

// encrypted says whether the node is a ciphertext. The request does not decide it: a gateway that
// could not decrypt answers in plain.
func (e answerParts) encrypted() bool { return e.node[0] == '"' }

var (
	errNoNode    = errors.New("no node for this method")
	errTwoNodes  = errors.New("a node for this method and an error_response")
	errSignValue = errors.New("sign is not a text")
)

// cutAnswer finds the node of an answer without parsing and writing it again: a signature
// covers the bytes as sent. The members of the answer come in any order. It returns an error
// wrapping ErrSyntax when the bytes are no JSON object (a page of a proxy, a body cut short),
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
		env   = answerParts{charset: c}
		node  = strings.ReplaceAll(string(m), ".", "_") + "_response"
		nodes int
		err   error
	)
	for _, e := range list {
		switch e.Name {
		case node, "error_response":
			env.node = e.Raw
			nodes++
		case "sign":
			env.sign, err = signText(e.Raw)
		case "alipay_cert_sn":
			env.certSN, err = signText(e.Raw)
		}
		if err != nil {
			return answerParts{}, err
		}
	}
	switch nodes {
	case 0:
		return answerParts{}, errNoNode
	case 1:
		return env, nil
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
