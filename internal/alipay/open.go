package alipay

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
)

// open verifies an answer and says what it means. The reply is filled as far as the answer
// could be read, also beside an error.
func (g *gateway) open(ctx context.Context, r Request, s *sealed, a *answer) (Reply, error) {
	rep := Reply{Method: r.Method(), TraceID: foreign(a.header.Get("trace_id"), maxTraceID)}
	if a.status != http.StatusOK {
		s.steps.bad("status", "HTTP status %d: business answers come with 200", a.status)
		return rep, httpError(r, a)
	}
	env, err := cutEnvelope(a.body, r.Method(), g.charset)
	if errors.Is(err, errSyntax) {
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
	list, err := members(node)
	if errors.Is(err, errDuplicate) || err != nil && (env.sign != "" || env.encrypted()) {
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
	return rep, g.understand(r, s, a, newFields(list), &rep)
}

func unusable(r Request, a *answer, err error) *Error {
	return &Error{Method: r.Method(), Class: Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
}

// authenticate says whether an answer is signed, and refuses one whose signature is not
// Alipay's. Some errors genuinely carry none. In certificate mode an answer that names no
// certificate counts as not signed, as with the official Java SDK: no success without it.
func (g *gateway) authenticate(ctx context.Context, r Request, s *sealed, env envelope) (bool, error) {
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
	keys, err := g.keysFor(ctx, env.certSN, s.steps)
	if err != nil {
		var e *Error
		if errors.As(err, &e) { // the certificate could not be asked for
			return false, &Error{Method: r.Method(), Class: lost(r), Message: "the certificate that signed the answer could not be fetched", Err: e}
		}
		return false, untrusted(r, err.Error())
	}
	if !verifyNode(g.signType.hash(), keys, env.node, sig) {
		if s.steps != nil {
			s.steps.bad("signature", "%s", g.trust.whyNot(g.signType.hash(), keys, env.node, sig))
		}
		return false, untrusted(r, "the signature does not match")
	}
	s.steps.ok("signature", "%s over the bytes of the node", g.signType)
	return true, nil
}

// keysFor returns the keys that may have signed an answer. In certificate mode the answer names
// the certificate, and one that is not known yet is asked for.
func (g *gateway) keysFor(ctx context.Context, sn string, st *steps) ([]*rsa.PublicKey, error) {
	keys, err := g.trust.candidates(sn)
	if errors.Is(err, errUnknownCert) && g.send != nil {
		st.ok("certificate", "%s is not known yet and is asked for", foreign(sn, certSNLength))
		if err = g.trust.certs.fetch(ctx, sn, g.downloadChain); err == nil {
			keys, err = g.trust.candidates(sn)
		}
	}
	if err != nil {
		st.bad("certificate", "%v", err)
	} else if g.trust.certs != nil {
		st.ok("certificate", "%s is trusted", foreign(sn, certSNLength))
	}
	return keys, err
}

// verifyNode checks a signature over the bytes of the node as they were sent. Some gateways
// sign before they escape slashes: a text with \/ is tried once more with / (official Java
// and .NET SDKs).
func verifyNode(h crypto.Hash, keys []*rsa.PublicKey, node, sig []byte) bool {
	if verifyAny(h, keys, node, sig) {
		return true
	}
	return bytes.Contains(node, []byte(`\/`)) && verifyAny(h, keys, bytes.ReplaceAll(node, []byte(`\/`), []byte("/")), sig)
}

// plain returns the node as JSON in UTF-8. What is signed and cannot be decrypted is not to be
// believed; what is not signed is decrypted for its code alone.
func (g *gateway) plain(env envelope, st *steps) ([]byte, error) {
	if !env.encrypted() {
		return env.charset.decode(env.node), nil
	}
	text := ""
	if ascii(env.node) {
		text = unquote(env.node)
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
	for _, c := range g.charset.candidates(plain) {
		st.ok("decrypt", "%d bytes in %s", len(plain), c)
		return c.decode(plain), nil
	}
	st.bad("decrypt", "what came out is no text: another AES key")
	return nil, errDecrypt
}

// understand reads the node and returns nil only for a success that is proven to be Alipay's
// answer to r.
func (g *gateway) understand(r Request, s *sealed, a *answer, f *fields, rep *Reply) error {
	rep.Code, rep.SubCode = s.foreign(f.text("code"), maxCode), s.foreign(f.text("sub_code"), maxCode)
	rep.Message = s.foreign(f.text("msg"), maxMessage)
	subMsg := f.text("sub_msg")
	rep.SubMessage = s.subMessage(rep.Code, subMsg)
	if rep.SubMessage == withheld || s.echoes(rep.Body) {
		rep.Body = nil
	}
	v := judgeUnsigned(r.Method(), rep.Code, rep.SubCode)
	if rep.Verified {
		v = judge(r.Method(), rep.Code, rep.SubCode)
	}
	s.steps.ok("code", "%s %s: class %s", rep.Code, rep.SubCode, v.class)
	success := v.class == Done || v.class == Accepted
	ids := identify(f)
	if rep.Verified {
		if err := ids.belong(r, success); err != nil {
			s.steps.bad("request", "%v", err)
			return untrusted(r, err.Error())
		}
	}
	if success { // error nodes carry business fields with zero values
		rep.OutTradeNo, rep.TradeNo = ids.out, ids.trade
		rep.BuyerUserID, rep.BuyerOpenID = cmp.Or(f.text("buyer_user_id"), f.text("buyer_id")), f.text("buyer_open_id")
	}
	if rep.Verified && (success || rep.Code == "40004") { // a business answer: the signature was good
		g.keys.succeeded(s.signer)
	}
	if v.class == Done {
		return nil
	}
	e := &Error{
		Method: r.Method(), Class: v.class, Code: rep.Code, SubCode: rep.SubCode, Message: rep.Message,
		HTTPStatus: a.status, RetryAfter: a.retryAfter, Scope: v.scope, Proof: v.proof, Alert: v.alert,
	}
	if v.class == Untrusted {
		e.Message = "success without signature"
	}
	if rep.SubCode == invalidSignature {
		g.refused(s, e, subMsg, rep.Verified)
	}
	return e
}

// identities are the numbers in an answer that tie it to its request.
type identities struct {
	out    OutTradeNo
	trade  TradeNo
	koubei KoubeiOrderNo
}

func identify(f *fields) identities {
	ids := identities{
		out:    OutTradeNo(f.text("out_trade_no")),
		trade:  TradeNo(f.text("trade_no")),
		koubei: KoubeiOrderNo(f.text("order_no")),
	}
	if ids.out == "" {
		ids.out = OutTradeNo(f.text("out_order_no"))
	}
	return ids
}

var errOtherAnswer = errors.New("the answer is that of another request")

// belong checks that a signed answer is the answer to r. The signature covers no nonce: a
// replaying or confused proxy can hand us another order's genuine answer. Numbers that are
// present on both sides must be equal, and a success must have such a number.
func (ids identities) belong(r Request, success bool) error {
	bound, equal := false, true
	compare := func(asked, got string) {
		if asked != "" && got != "" {
			bound, equal = true, equal && asked == got
		}
	}
	switch r := r.(type) {
	case *TradeCreate:
		compare(string(r.OutTradeNo), string(ids.out))
	case *TradeQuery:
		compare(string(r.OutTradeNo), string(ids.out))
		compare(string(r.TradeNo), string(ids.trade))
	case *OrderInfoSync:
		compare(string(r.TradeNo), string(ids.trade))
	case *ItemOrderQuery:
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

// Bounds of foreign texts in a reply, in characters.
const (
	maxMessage = 256
	maxCode    = 128
	maxTraceID = 128
)

// subMessage keeps what Alipay says about a refusal, but for the gateway's own checks (codes
// 40001 to 40003): about a bad signature it echoes the whole text that was signed, with
// app_auth_token in it, and about a bad parameter its value.
func (s *sealed) subMessage(code, text string) string {
	switch code {
	case "40001", "40002", "40003":
		if text != "" {
			return withheld
		}
	}
	return s.foreign(text, maxMessage)
}

// withheld stands in place of a text that may hold a secret.
const withheld = "withheld"

// echoes says whether an answer holds the token of its request.
func (s *sealed) echoes(body []byte) bool {
	return s.secret != "" && bytes.Contains(body, []byte(s.secret))
}

// foreign is [foreign] for texts that could echo the token of the request.
func (s *sealed) foreign(text string, limit int) string {
	if s.echoes([]byte(text)) {
		return withheld
	}
	return foreign(text, limit)
}

func untrusted(r Request, why string) *Error {
	return &Error{Method: r.Method(), Class: Untrusted, Message: why}
}
