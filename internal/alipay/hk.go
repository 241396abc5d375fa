package alipay

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// hkPath is the path of AlipayHK Synchronize Order.
const hkPath = "/api/open/alipay/v1/merchant/order/sync"

// hkSkew is how far Response-Time may lie from our clock when the answer is a success, so
// that an old one cannot be played again. [inferred: a sibling gateway allows 5 minutes]
const hkSkew = 5 * time.Minute

// hk is AlipayHK's merchant gateway: headers carry who, when and the signature; the body is
// JSON, perhaps encrypted.
type hk struct {
	url        *url.URL
	path       string // in the signed text
	clientID   string
	signer     Signer
	algorithm  string // of signer, as it is sent
	hash       crypto.Hash
	keyVersion string // of signer
	keys       hkKeys
	ecc        ECCOptions
	encryption *encryption // nil: bodies are sent in plain
	layout     HKTimeLayout
	zone       *time.Location
	skew       time.Duration // negative: not checked
	seconds    bool          // unit of the order's times
	dashed     bool          // form of requestId
	classes    map[string]Class
	orders     *seenOrders
	now        func() time.Time

	tryAll         bool // a key version that is not configured means any key
	refuseUnsigned bool
	own            crypto.PublicKey // ours, to explain a mix-up; nil in calls
}

func (h *hk) speaks(m Method) bool { return m == MethodHKOrderSync }

// write writes what the pages leave open as the settings say.
func (h *hk) write(r Request) ([]byte, error) {
	sync, ok := r.(*HKOrderSync)
	if !ok || !h.seconds && !h.dashed {
		return r.content()
	}
	as := *sync
	as.Seconds = h.seconds
	if id := string(as.RequestID); h.dashed && len(id) == 32 {
		as.RequestID = RequestNo(strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-"))
	}
	return as.content()
}

// hkContent is what is signed, both ways: of an answer the method, the path and the client id
// are the request's, the time is the text of its own header and the body its raw bytes.
func hkContent(path, clientID, timeText string, body []byte) []byte {
	b := make([]byte, 0, len(path)+len(clientID)+len(timeText)+len(body)+8)
	b = append(append(append(b, "POST "...), path...), '\n')
	b = append(append(append(b, clientID...), '.'), timeText...)
	return append(append(b, '.'), body...)
}

// seal signs one call anew: its time must be fresh in every attempt, its content the same.
func (h *hk) seal(ctx context.Context, m Merchant, _ Request, content []byte) (*sealed, error) {
	at := h.now()
	header := http.Header{
		"Accept":       {"application/json"},
		"Client-Id":    {h.clientID},
		"Content-Type": {"application/json; charset=UTF-8"},
		"Request-Time": {h.layout.text(at, h.zone)},
	}
	if e := h.encryption; e != nil {
		body, encrypt, err := e.seal(content)
		if err != nil {
			return nil, err
		}
		content = body
		header["Accept"], header["Content-Type"], header["Encrypt"] = []string{"application/json, text/plain"}, []string{e.mediaType}, []string{encrypt}
	}
	signed := hkContent(h.path, h.clientID, header.Get("Request-Time"), content)
	sig, err := h.sign(ctx, signed)
	if err != nil {
		return nil, errors.Join(ErrSigner, err)
	}
	header["Signature"] = []string{formatHKSignature(h.algorithm, h.keyVersion, sig)}
	if m.AgentToken != "" {
		header.Set("Agent-Token", m.AgentToken)
	}
	return &sealed{url: h.url, header: header, body: content, secret: m.AgentToken, at: at, signed: signed}, nil
}

func (h *hk) sign(ctx context.Context, text []byte) ([]byte, error) {
	sig, err := h.signer.Sign(ctx, digestOf(h.hash, text))
	if err != nil || ellipticOf(h.signer) == nil {
		return sig, err
	}
	return h.ecc.wire(sig)
}

func (h *hk) checkSigner(ctx context.Context) error { return checkSigner(ctx, h.signer, h.hash) }

// open verifies an answer and says what it means. Nothing is read before it is verified,
// except from answers that carry no signature at all, which HK cannot always make.
func (h *hk) open(_ context.Context, r Request, s *sealed, a *answer) (Reply, error) {
	rep := Reply{Method: r.Method(), TraceID: foreign(a.header.Get("Tracer-Id"), maxTraceID)}
	verified, err := h.verify(a, s.steps)
	if err != nil {
		return rep, untrusted(r, err.Error())
	}
	if a.status >= 500 || a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests ||
		a.status >= 300 && a.status < 400 {
		s.steps.bad("status", "HTTP status %d", a.status)
		return rep, h.refusal(r, verified, a)
	}
	body, err := h.plain(a, s.steps)
	if err != nil {
		return rep, untrusted(r, err.Error())
	}
	list, err := members(body)
	if err != nil {
		s.steps.bad("body", "%v", err)
		return rep, hkUnreadable(r, a, err)
	}
	rep.Verified = verified
	if verified && !s.echoes(body) {
		rep.Body = body
	}
	return rep, h.understand(r, s, a, newFields(list), &rep)
}

// plain returns the body of an answer in plain. Whether it is encrypted its header says; an
// unsigned one that is was refused before.
func (h *hk) plain(a *answer, st *steps) ([]byte, error) {
	header := a.header.Get("Encrypt")
	if header == "" {
		return a.body, nil
	}
	body, err := h.keys.decrypt(header, a.body)
	if err != nil {
		st.bad("decrypt", "the body does not open under our keys (algorithm, key version, key or padding)")
		return nil, err
	}
	st.ok("decrypt", "%d bytes", len(body))
	return body, nil
}

// hkUnreadable classifies an answer whose body is no JSON object.
func hkUnreadable(r Request, a *answer, err error) error {
	switch {
	case errors.Is(err, errDuplicate):
		return untrusted(r, err.Error())
	case a.status != http.StatusOK:
		return httpError(r, a)
	}
	return unusable(r, a, err)
}

// refusal classifies an answer by its HTTP status. A signed success beside a failure contradicts
// itself.
func (h *hk) refusal(r Request, verified bool, a *answer) error {
	e := httpError(r, a)
	body, err := h.plain(a, nil)
	if err != nil {
		return e
	}
	if list, err := members(body); verified && err == nil && readHKResult(newFields(list)).status == "S" {
		e.Class, e.Scope, e.Proof = Ambiguous, ScopeNone, ProofNone
	}
	return e
}

// Reasons why an answer of HK is not believed.
var (
	errHKHalf      = errors.New("one of Signature and Response-Time without the other")
	errHKTwice     = errors.New("a header stands twice")
	errHKClient    = errors.New("Client-Id is not ours")
	errHKEncrypted = errors.New("encrypted, but not signed")
	errHKAlgorithm = errors.New("the algorithm of the signature is not supported")
	errHKVersion   = errors.New("the key version is not configured")
	errHKSignature = errors.New("the signature does not match")
	errHKSkew      = errors.New("Response-Time of the success is too far from the call")
	errHKOrder     = errors.New("orderId belongs to another order")
	errHKUnsigned  = errors.New("not signed")
)

// verify checks the signature of an answer over its raw bytes. It returns false without an
// error for an answer that has neither signature nor time; half of that is refused, and so is
// a signature that does not match, whatever the answer says.
func (h *hk) verify(a *answer, st *steps) (bool, error) {
	refuse := func(err error) (bool, error) {
		st.bad("signature", "%v", err)
		return false, err
	}
	for _, name := range []string{"Signature", "Response-Time", "Client-Id", "Encrypt"} {
		if len(a.header.Values(name)) > 1 {
			return refuse(errHKTwice)
		}
	}
	if id := a.header.Get("Client-Id"); id != "" && id != h.clientID {
		return refuse(errHKClient)
	}
	signature, at := a.header.Get("Signature"), a.header.Get("Response-Time")
	switch {
	case signature == "" && at == "" && a.header.Get("Encrypt") != "":
		return refuse(errHKEncrypted)
	case signature == "" && at == "" && h.refuseUnsigned:
		return refuse(errHKUnsigned)
	case signature == "" && at == "":
		st.bad("signature", "the answer carries neither Signature nor Response-Time")
		return false, nil
	case signature == "" || at == "":
		return refuse(errHKHalf)
	}
	sig, err := parseHKSignature(signature)
	if err != nil {
		return refuse(err)
	}
	content := hkContent(h.path, h.clientID, at, a.body)
	if err := h.check(sig, content); err != nil {
		if st != nil {
			st.bad("signature", "%s", h.whyNot(sig, content, err))
		}
		return false, err
	}
	st.ok("signature", "%s, key version %s, over the raw body", foreign(sig.algorithm, maxCode), foreign(sig.keyVersion, maxCode))
	return true, nil
}

// check verifies under the key that the header names; where it names none, under each, the
// newest first.
func (h *hk) check(sig hkSignature, content []byte) error {
	purpose := sig.purpose()
	if purpose == "" {
		return errHKAlgorithm
	}
	versions := h.keys.versions(hkPlatform, purpose)
	if v := sig.keyVersion; v != "" {
		if h.keys[hkKeyID{hkPlatform, purpose, v}] != nil {
			versions = []string{v}
		} else if !h.tryAll {
			return errHKVersion
		}
	}
	for _, v := range versions {
		if h.verifyUnder(h.keys[hkKeyID{hkPlatform, purpose, v}], content, sig.signature) {
			return nil
		}
	}
	return errHKSignature
}

// hkResult is the object result of an answer.
type hkResult struct{ status, code, message string }

func readHKResult(f *fields) (res hkResult) {
	raw := f.take("result")
	list, err := members(raw)
	if err != nil {
		return hkResult{}
	}
	in := newFields(list)
	return hkResult{status: in.text("resultStatus"), code: in.text("resultCode"), message: in.text("resultMessage")}
}

// understand reads the answer and returns nil only for a signed, fresh success with an order id.
func (h *hk) understand(r Request, s *sealed, a *answer, f *fields, rep *Reply) error {
	res := readHKResult(f)
	rep.ResultStatus, rep.Code = s.foreign(res.status, maxCode), s.foreign(res.code, maxCode)
	rep.Message = s.foreign(res.message, maxMessage)
	if res.status == "" && a.status != http.StatusOK {
		return httpError(r, a)
	}
	orderID := f.text("orderId")
	v := judgeHK(res.status, res.code, rep.Verified)
	if c, ok := h.classes[res.code]; ok && (res.status == "F" || res.status == "U") && v.class != Untrusted {
		v.class = c
	}
	s.steps.ok("result", "%s %s: class %s", rep.ResultStatus, rep.Code, v.class)
	e := &Error{
		Method: r.Method(), Class: v.class, Code: rep.Code, Message: rep.Message, HTTPStatus: a.status,
		RetryAfter: a.retryAfter, Scope: v.scope, Proof: v.proof, Alert: v.alert,
	}
	switch {
	case v.class == Untrusted:
		e.Message = "not signed"
		return e
	case v.class != Done:
		if v.class == Accepted {
			rep.HKOrderID = orderID
		}
		return e
	case a.status != http.StatusOK:
		e.Class, e.Message = Ambiguous, "a success beside a failure status"
		return e
	case orderID == "":
		e.Class, e.Message = Ambiguous, "a success without orderId"
		return e
	case !h.fresh(a.header.Get("Response-Time"), s.at):
		s.steps.bad("time", "%v", errHKSkew)
		return untrusted(r, errHKSkew.Error())
	}
	if sync, ok := r.(*HKOrderSync); ok {
		if !h.orders.belongs(orderID, sync.MerchantBizNo) {
			s.steps.bad("order", "%v", errHKOrder)
			return untrusted(r, errHKOrder.Error())
		}
		rep.OutTradeNo, rep.TradeNo = sync.MerchantBizNo, sync.TradeNo
	}
	rep.HKOrderID = orderID
	return nil
}

// fresh says whether the time of an answer lies within the skew of the attempt.
func (h *hk) fresh(text string, sent time.Time) bool {
	if h.skew < 0 {
		return true
	}
	t, err := parseHKTime(text)
	return err == nil && !t.Before(sent.Add(-h.skew)) && !t.After(h.now().Add(h.skew))
}
