package alipay

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// hkPath is the path of AlipayHK Synchronize Order.
const hkPath = "/api/open/alipay/v1/merchant/order/sync"

// algRSA256 is SHA256withRSA, PKCS#1 v1.5: the 256 is the hash.
const algRSA256 = "RSA256"

// hkSkew is how far Response-Time may lie from our clock when the answer is a success, so
// that an old one cannot be played again. [inferred: a sibling gateway allows 5 minutes]
const hkSkew = 5 * time.Minute

// hk is AlipayHK's merchant gateway: headers carry who, when and the signature; the body is
// plain JSON.
type hk struct {
	url        *url.URL
	clientID   string
	signer     Signer
	keyVersion string                    // of our key
	keys       map[string]*rsa.PublicKey // the platform's, by version
	versions   []string                  // of keys, newest first
	now        func() time.Time
}

// newestFirst sorts key versions: numbers by value, all else after them by text.
func newestFirst(keys map[string]*rsa.PublicKey) []string {
	versions := make([]string, 0, len(keys))
	for v := range keys {
		versions = append(versions, v)
	}
	slices.SortFunc(versions, func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		switch {
		case errX == nil && errY == nil && x != y:
			return y - x
		case (errX == nil) != (errY == nil):
			if errX == nil {
				return -1
			}
			return 1
		case a < b:
			return 1
		}
		return -1
	})
	return versions
}

func (h *hk) speaks(m Method) bool { return m == MethodHKOrderSync }

// hkContent is what is signed, both ways: of an answer the method, the path and the client id
// are the request's, the time is the text of its own header and the body its raw bytes.
func hkContent(path, clientID, timeText string, body []byte) []byte {
	b := make([]byte, 0, len(path)+len(clientID)+len(timeText)+len(body)+8)
	b = append(append(append(b, "POST "...), path...), '\n')
	b = append(append(append(b, clientID...), '.'), timeText...)
	return append(append(b, '.'), body...)
}

// seal signs one call anew: its time must be fresh in every attempt, its body the same.
func (h *hk) seal(ctx context.Context, m Merchant, _ Request, content []byte) (*sealed, error) {
	at := h.now()
	text := at.In(beijing).Format(hkTime)
	digest := sha256.Sum256(hkContent(h.url.RequestURI(), h.clientID, text, content))
	sig, err := h.signer.Sign(ctx, digest[:])
	if err != nil {
		return nil, err
	}
	header := http.Header{
		"Accept":       {"application/json"},
		"Client-Id":    {h.clientID},
		"Content-Type": {"application/json; charset=UTF-8"},
		"Request-Time": {text},
		"Signature":    {formatHKSignature(algRSA256, h.keyVersion, sig)},
	}
	if m.AgentToken != "" {
		header.Set("Agent-Token", m.AgentToken)
	}
	return &sealed{url: h.url, header: header, body: content, secret: m.AgentToken, at: at}, nil
}

// open verifies an answer and says what it means. Nothing is read before it is verified,
// except from answers that carry no signature at all, which HK cannot always make.
func (h *hk) open(_ context.Context, r Request, s *sealed, a *answer) (Reply, error) {
	rep := Reply{Method: r.Method(), TraceID: foreign(a.header.Get("Tracer-Id"), maxTraceID)}
	verified, err := h.verify(a)
	if err != nil {
		return rep, untrusted(r, err.Error())
	}
	if a.status >= 500 || a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests ||
		a.status >= 300 && a.status < 400 {
		return rep, h.refusal(r, verified, a)
	}
	list, err := members(a.body)
	if errors.Is(err, errDuplicate) {
		return rep, untrusted(r, err.Error())
	}
	if err != nil && a.status != http.StatusOK {
		return rep, httpError(r, a)
	}
	if err != nil {
		return rep, &Error{Method: r.Method(), Class: Ambiguous, HTTPStatus: a.status, Message: "no usable answer", Err: err}
	}
	rep.Verified = verified
	if verified && !s.echoes(a.body) {
		rep.Body = a.body
	}
	return rep, h.understand(r, s, a, newFields(list), &rep)
}

// refusal classifies an answer by its HTTP status. A signed success beside a failure contradicts
// itself.
func (h *hk) refusal(r Request, verified bool, a *answer) error {
	e := httpError(r, a)
	if list, err := members(a.body); verified && err == nil && readHKResult(newFields(list)).status == "S" {
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
	errHKSkew      = errors.New("Response-Time of the success is not within 5 minutes of the call")
)

// verify checks the signature of an answer over its raw bytes. It returns false without an
// error for an answer that has neither signature nor time; half of that is refused, and so is
// a signature that does not match, whatever the answer says.
func (h *hk) verify(a *answer) (bool, error) {
	for _, name := range []string{"Signature", "Response-Time", "Client-Id", "Encrypt"} {
		if len(a.header.Values(name)) > 1 {
			return false, errHKTwice
		}
	}
	if id := a.header.Get("Client-Id"); id != "" && id != h.clientID {
		return false, errHKClient
	}
	signature, at := a.header.Get("Signature"), a.header.Get("Response-Time")
	switch {
	case signature == "" && at == "":
		if a.header.Get("Encrypt") != "" {
			return false, errHKEncrypted
		}
		return false, nil
	case signature == "" || at == "":
		return false, errHKHalf
	}
	sig, err := parseHKSignature(signature)
	if err != nil {
		return false, err
	}
	return true, h.check(sig, hkContent(h.url.RequestURI(), h.clientID, at, a.body))
}

// check verifies under the key that the header names; where it names none, under each, the
// newest first.
func (h *hk) check(sig hkSignature, content []byte) error {
	if !sig.isRSA256() {
		return errHKAlgorithm
	}
	versions := h.versions
	if sig.keyVersion != "" {
		versions = []string{sig.keyVersion}
	}
	for _, v := range versions {
		key, ok := h.keys[v]
		if !ok {
			return errHKVersion
		}
		if verifyAny(crypto.SHA256, []*rsa.PublicKey{key}, content, sig.signature) {
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
		return untrusted(r, errHKSkew.Error())
	}
	rep.HKOrderID = orderID
	if sync, ok := r.(*HKOrderSync); ok {
		rep.OutTradeNo, rep.TradeNo = sync.MerchantBizNo, sync.TradeNo
	}
	return nil
}

// fresh says whether the time of an answer lies within the skew of the attempt.
func (h *hk) fresh(text string, sent time.Time) bool {
	t, err := parseHKTime(text)
	return err == nil && !t.Before(sent.Add(-hkSkew)) && !t.After(h.now().Add(hkSkew))
}

func (h *hk) checkSigner(ctx context.Context) error { return checkSigner(ctx, h.signer, crypto.SHA256) }
