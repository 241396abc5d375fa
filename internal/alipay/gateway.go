package alipay

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// charsetUTF8 is how the charset is spelled everywhere: in the query, in the signed text and
// in Content-Type. Two spellings in one request break its signature at the gateway.
const charsetUTF8 = "utf-8"

// signRSA2 is SHA256withRSA (public parameter "sign_type").
const signRSA2 = "RSA2"

// gateway is the classic gateway: it seals requests into signed parameters and opens answers
// by the exact bytes of their node.
type gateway struct {
	url    *url.URL
	appID  string
	signer Signer
	key    *rsa.PublicKey // Alipay's
	now    func() time.Time
}

// param is one parameter of a request.
type param struct{ name, value string }

// canonical returns the text that is signed: every parameter that is sent but sign, sorted by
// name in byte order, name=value joined by &, values raw. sign_type is among them.
func canonical(params []param) []byte {
	sorted := slices.SortedFunc(slices.Values(params), func(a, b param) int { return strings.Compare(a.name, b.name) })
	var b []byte
	for i, p := range sorted {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	return b
}

// encode writes parameters as a form, in their order.
func encode(params []param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}

// seal signs the parameters of one call. The public ones and the signature go into the query,
// where the gateway learns the charset before it decodes anything; biz_content and
// app_auth_token go into the body: a URL ends in logs and error texts.
func (g *gateway) seal(ctx context.Context, m Merchant, r Request, content []byte) (*sealed, error) {
	at := g.now()
	query := []param{
		{"app_id", g.appID},
		{"charset", charsetUTF8},
		{"format", "JSON"},
		{"method", string(r.Method())},
		{"sign_type", signRSA2},
		{"timestamp", at.In(beijing).Format(classicTime)}, // Beijing time, whatever the machine's zone
		{"version", "1.0"},
	}
	if m.NotifyURL != "" && r.Method() == MethodTradeCreate {
		query = append(query, param{"notify_url", m.NotifyURL})
	}
	body := []param{{"biz_content", string(content)}}
	if m.AppAuthToken != "" {
		body = append(body, param{"app_auth_token", m.AppAuthToken})
	}
	digest := sha256.Sum256(canonical(slices.Concat(query, body)))
	sig, err := g.signer.Sign(ctx, digest[:])
	if err != nil {
		return nil, err
	}
	query = append(query, param{"sign", base64.StdEncoding.EncodeToString(sig)})
	u := *g.url
	u.RawQuery = encode(query)
	return &sealed{
		url:    &u,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=" + charsetUTF8}},
		body:   []byte(encode(body)),
		secret: m.AppAuthToken,
		at:     at,
	}, nil
}

func (g *gateway) speaks(m Method) bool { return m != MethodHKOrderSync }

// open verifies an answer and says what it means. The reply is filled as far as the answer
// could be read, also beside an error.
func (g *gateway) open(r Request, s *sealed, a *answer) (Reply, error) {
	rep := Reply{Method: r.Method(), TraceID: foreign(a.header.Get("trace_id"), maxTraceID)}
	if a.status != http.StatusOK {
		return rep, httpError(r, a)
	}
	env, err := cutEnvelope(a.body, r.Method())
	if errors.Is(err, errSyntax) {
		return rep, &Error{Method: r.Method(), Class: Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
	}
	if err != nil {
		return rep, untrusted(r, err.Error())
	}
	if env.sign != "" && !g.verify(env) {
		return rep, untrusted(r, "the signature does not match")
	}
	node, err := members(env.node)
	if errors.Is(err, errDuplicate) || err != nil && env.sign != "" {
		return rep, untrusted(r, "the node is not one JSON object: "+err.Error())
	}
	if err != nil {
		return rep, &Error{Method: r.Method(), Class: Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
	}
	rep.Verified = env.sign != ""
	if rep.Verified {
		rep.Body = env.node
	}
	return rep, g.understand(r, s, a, newFields(node), &rep)
}

// verify checks the signature over the bytes of the node as they were sent. Some gateways
// sign before they escape slashes: a text with \/ is tried once more with / (official Java
// and .NET SDKs).
func (g *gateway) verify(env envelope) bool {
	sig, err := base64.StdEncoding.DecodeString(env.sign)
	if err != nil {
		return false
	}
	if verifyRSA(g.key, env.node, sig) {
		return true
	}
	text := string(env.node)
	return strings.Contains(text, `\/`) && verifyRSA(g.key, []byte(strings.ReplaceAll(text, `\/`, "/")), sig)
}

// understand reads the node and returns nil only for a success that is proven to be Alipay's
// answer to r.
func (g *gateway) understand(r Request, s *sealed, a *answer, f *fields, rep *Reply) error {
	rep.Code, rep.SubCode = s.foreign(f.text("code"), maxCode), s.foreign(f.text("sub_code"), maxCode)
	rep.Message = s.foreign(f.text("msg"), maxMessage)
	rep.SubMessage = s.subMessage(rep.Code, f.text("sub_msg"))
	if rep.SubMessage == withheld || s.echoes(rep.Body) {
		rep.Body = nil
	}
	v := judgeUnsigned(r.Method(), rep.Code, rep.SubCode)
	if rep.Verified {
		v = judge(r.Method(), rep.Code, rep.SubCode)
	}
	ids := identify(f)
	if rep.Verified {
		if err := ids.belong(r, v.class == Done || v.class == Accepted); err != nil {
			return untrusted(r, err.Error())
		}
	}
	if v.class == Done || v.class == Accepted { // error nodes carry business fields with zero values
		rep.OutTradeNo, rep.TradeNo = ids.out, ids.trade
		rep.BuyerUserID, rep.BuyerOpenID = f.text("buyer_user_id"), f.text("buyer_open_id")
		if rep.BuyerUserID == "" {
			rep.BuyerUserID = f.text("buyer_id")
		}
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
