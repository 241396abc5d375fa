package gateway

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
	"alipay-kafka-bridge/internal/recent"
)

// open verifies an answer and says what it means. Nothing is read before it is verified,
// except from answers that carry no signature at all, which HK cannot always make.
func (h *hk) open(_ context.Context, r call, s *signedRequest, a *answer) (alipay.Reply, error) {
	rep := alipay.Reply{Method: r.Method(), TraceID: sanitize(a.header.Get("Tracer-Id"), maxTraceID)}
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
	list, err := jsonscan.ParseObject(body)
	if err != nil {
		s.steps.bad("body", "%v", err)
		return rep, hkUnreadable(r, a, err)
	}
	rep.Verified = verified
	if verified && !s.echoes(body) {
		rep.Body = body
	}
	return rep, h.understand(r, s, a, list, &rep)
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
func hkUnreadable(r call, a *answer, err error) error {
	switch {
	case errors.Is(err, jsonscan.ErrDuplicate):
		return untrusted(r, err.Error())
	case a.status != http.StatusOK:
		return httpError(r, a)
	}
	return unusable(r, a, err)
}

// refusal classifies an answer by its HTTP status. A signed success with a failure status contradicts
// itself.
func (h *hk) refusal(r call, verified bool, a *answer) error {
	e := httpError(r, a)
	body, err := h.plain(a, nil)
	if err != nil {
		return e
	}
	if list, err := jsonscan.ParseObject(body); verified && err == nil && readHKResult(list).status == "S" {
		e.Class, e.Scope, e.Proof = alipay.Ambiguous, alipay.ScopeNone, alipay.ProofNone
	}
	return e
}

// Reasons why an answer of HK is not believed.
var (
	errHKIncomplete     = errors.New("one of Signature and Response-Time without the other")
	errHKRepeatedHeader = errors.New("a header stands twice")
	errHKClient         = errors.New("Client-Id is not ours")
	errHKEncrypted      = errors.New("encrypted, but not signed")
	errHKAlgorithm      = errors.New("the algorithm of the signature is not supported")
	errHKVersion        = errors.New("the key version is not configured")
	errHKSignature      = errors.New("the signature does not match")
	errHKSkew           = errors.New("Response-Time of the success is too far from the call")
	errHKOrder          = errors.New("orderId belongs to another order")
	errHKUnsigned       = errors.New("not signed")
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
			return refuse(errHKRepeatedHeader)
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
		return refuse(errHKIncomplete)
	}
	sig, err := parseHKSignature(signature)
	if err != nil {
		return refuse(err)
	}
	content := hkContent(h.path, h.clientID, at, a.body)
	if err := h.check(sig, content); err != nil {
		if st != nil {
			st.bad("signature", "%s", h.explainMismatch(sig, content, err))
		}
		return false, err
	}
	st.ok("signature", "%s, key version %s, over the raw body", sanitize(sig.algorithm, maxCode), sanitize(sig.keyVersion, maxCode))
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

// verifyUnder checks a signature over content under one key.
func (h *hk) verifyUnder(key any, content, sig []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return verifyAny(crypto.SHA256, []*rsa.PublicKey{k}, content, sig)
	case *ecdsa.PublicKey:
		return h.ecc.verify(k, content, sig)
	}
	return false
}

// hkResult is the object result of an answer.
type hkResult struct{ status, code, message string }

func readHKResult(f jsonscan.Object) (res hkResult) {
	in, err := jsonscan.ParseObject(f.Raw("result"))
	if err != nil {
		return hkResult{}
	}
	return hkResult{status: in.Text("resultStatus"), code: in.Text("resultCode"), message: in.Text("resultMessage")}
}

// understand reads the answer and returns nil only for a signed, fresh success with an order id.
func (h *hk) understand(r call, s *signedRequest, a *answer, f jsonscan.Object, rep *alipay.Reply) error {
	res := readHKResult(f)
	rep.ResultStatus, rep.Code = s.sanitize(res.status, maxCode), s.sanitize(res.code, maxCode)
	rep.Message = s.sanitize(res.message, maxMessage)
	if res.status == "" && a.status != http.StatusOK {
		return httpError(r, a)
	}
	orderID := f.Text("orderId")
	v := alipay.ClassifyHK(res.status, res.code, rep.Verified)
	if c, ok := h.classes[res.code]; ok && (res.status == "F" || res.status == "U") && v.Class != alipay.Untrusted {
		v.Class = c
	}
	s.steps.ok("result", "%s %s: class %s", rep.ResultStatus, rep.Code, v.Class)
	e := &alipay.Error{
		Method: r.Method(), Class: v.Class, Code: rep.Code, Message: rep.Message, HTTPStatus: a.status,
		RetryAfter: a.retryAfter, Scope: v.Scope, Proof: v.Proof, Alert: v.Alert,
	}
	switch {
	case v.Class == alipay.Untrusted:
		e.Message = "not signed"
		return e
	case v.Class != alipay.Done:
		if v.Class == alipay.Accepted {
			rep.HKOrderID = orderID
		}
		return e
	case a.status != http.StatusOK:
		e.Class, e.Message = alipay.Ambiguous, "a success beside a failure status"
		return e
	case orderID == "":
		e.Class, e.Message = alipay.Ambiguous, "a success without orderId"
		return e
	case !h.withinSkew(a.header.Get("Response-Time"), s.at):
		s.steps.bad("time", "%v", errHKSkew)
		return untrusted(r, errHKSkew.Error())
	}
	if sync, ok := r.(*alipay.HKOrderSync); ok {
		if !h.orders.belongs(orderID, sync.MerchantBizNo) {
			s.steps.bad("order", "%v", errHKOrder)
			return untrusted(r, errHKOrder.Error())
		}
		rep.OutTradeNo, rep.TradeNo = sync.MerchantBizNo, sync.TradeNo
	}
	rep.HKOrderID = orderID
	return nil
}

// withinSkew says whether the time of an answer lies within the skew of the attempt.
func (h *hk) withinSkew(text string, sent time.Time) bool {
	if h.skew < 0 {
		return true
	}
	t, err := parseHKTime(text)
	return err == nil && !t.Before(sent.Add(-h.skew)) && !t.After(h.now().Add(h.skew))
}

// seenLimit is how many orders seenOrders remembers at least; twice as many at most.
const seenLimit = 20_000

// seenOrders remembers to which order of ours each orderId of AlipayHK belongs. An answer has
// nothing else of its request, so one that was kept and is played again for another order would
// pass as that order's (security G3). It forgets orders that it has not seen for a long time.
type seenOrders struct {
	mu   sync.Mutex
	byID recent.Map[string, alipay.OutTradeNo] // by orderId; guarded by mu
}

func newSeenOrders() *seenOrders {
	return &seenOrders{byID: recent.NewMap[string, alipay.OutTradeNo](seenLimit)}
}

// belongs says whether an orderId may be this order's: it is, or it is seen for the first time.
func (s *seenOrders) belongs(orderID string, no alipay.OutTradeNo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.byID.Get(orderID); ok && have != no {
		return false
	}
	s.byID.Set(orderID, no)
	return true
}

// explainMismatch says the same of AlipayHK's signatures.
func (h *hk) explainMismatch(sig hkSignature, content []byte, err error) string {
	purpose := sig.purpose()
	versions := h.keys.versions(hkPlatform, purpose)
	if errors.Is(err, errHKVersion) {
		return fmt.Sprintf("the answer names key version %s; configured are %v: add that version's platform key", sanitize(sig.keyVersion, maxCode), versions)
	}
	if !errors.Is(err, errHKSignature) {
		return err.Error()
	}
	if h.own != nil && h.verifyUnder(h.own, content, sig.signature) {
		return "the signature was made with our own private key: this is not AlipayHK's answer"
	}
	for _, v := range versions {
		if h.verifyUnder(h.keys[hkKeyID{hkPlatform, purpose, v}], content, sig.signature) {
			return fmt.Sprintf("the answer names key version %s, but the signature is good under version %s: two keys are configured under each other's version", sanitize(sig.keyVersion, maxCode), v)
		}
	}
	var keys []*rsa.PublicKey
	for _, v := range versions {
		if k, ok := h.keys[hkKeyID{hkPlatform, purpose, v}].(*rsa.PublicKey); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return err.Error()
	}
	return explainKey(crypto.SHA256, keys, sig.signature) + "; what is signed is POST, path, Client-Id, Response-Time and the raw body"
}
