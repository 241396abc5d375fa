package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// hkReading is one answer of AlipayHK on its way to a reply. Each check fills in what the next
// ones need.
type hkReading struct {
	gateway *hk
	call    call
	request *sealedRequest
	answer  *answer
	record  *recorder // nil in calls

	sig     hkSignature
	signed  bool   // by AlipayHK
	body    []byte // in plain
	members jsonscan.Object
	verdict alipay.Classification
	orderID string
	reply   alipay.Reply // filled as far as the answer could be read
}

// hkRule is what makes an answer of AlipayHK believed, in this order. Nothing is read before it
// is verified, except from answers that carry no signature at all, which HK cannot always make.
var hkRule = []step[*hkReading]{
	{"signature", (*hkReading).authenticate, nil},
	{"status", (*hkReading).statusIsReadable, nil},
	{"decrypt", (*hkReading).decrypt, (*hkReading).decryptFacts},
	{"body", (*hkReading).parse, (*hkReading).parseFacts},
	{"result", (*hkReading).classify, (*hkReading).classFacts},
	{"result", (*hkReading).signedIfSuccess, nil},
	{"status", (*hkReading).statusFitsSuccess, nil},
	{"order", (*hkReading).successNamesOrder, nil},
	{"time", (*hkReading).clockIsRight, nil},
	{"time", (*hkReading).isFresh, nil},
	{"order", (*hkReading).belongs, nil},
	{"repeat", (*hkReading).isNew, nil},
}

// hkSignatureRule is what makes its signature one of AlipayHK's.
var hkSignatureRule = []step[*hkReading]{
	{"signature", (*hkReading).headersAreUnique, nil},
	{"signature", (*hkReading).clientIsOurs, nil},
	{"signature", (*hkReading).hasSignature, nil},
	{"signature", (*hkReading).decodeSignature, nil},
	{"signature", (*hkReading).signatureMatches, (*hkReading).signatureFacts},
}

// open verifies an answer and says what it means.
func (h *hk) open(_ context.Context, r call, s *sealedRequest, a *answer) (alipay.Reply, error) {
	rd := &hkReading{gateway: h, call: r, request: s, answer: a}
	err := rd.read()
	return rd.reply, err
}

// read returns nil only for a signed, fresh success that belongs to this request.
func (rd *hkReading) read() error {
	rd.reply = alipay.Reply{Method: rd.call.Method(), TraceID: sanitize(rd.answer.header.Get("Tracer-Id"), maxTraceID)}
	err := run(rd.record, rd, hkRule)
	if err != nil {
		return disbelieved(rd.call, err)
	}
	return rd.outcome()
}

// authenticate verifies the signature of the answer over its raw bytes. An answer that has
// neither signature nor time is read on as not verified. Half of that is refused, and so is a
// signature that does not match, in all answers.
func (rd *hkReading) authenticate() error {
	err := run(rd.record, rd, hkSignatureRule)
	rd.signed = err == nil
	if errors.Is(err, errHKNoSignature) {
		return nil
	}
	return err
}

// Reasons why an answer of HK is not believed.
var (
	errHKNoSignature    = errors.New("the answer carries neither Signature nor Response-Time")
	errHKIncomplete     = errors.New("only one of Signature and Response-Time is present")
	errHKRepeatedHeader = errors.New("a header appears twice")
	errHKClient         = errors.New("Client-Id is not ours")
	errHKEncrypted      = errors.New("encrypted, but not signed")
	errHKAlgorithm      = errors.New("the algorithm of the signature is not supported")
	errHKVersion        = errors.New("the key version is not configured")
	errHKSignature      = errors.New("the signature does not match")
	errHKSkew           = errors.New("Response-Time is too far from the call")
	errHKOrder          = errors.New("orderId belongs to another order")
	errHKUnsigned       = errors.New("not signed")
)

func (rd *hkReading) headersAreUnique() error {
	for _, name := range []string{"Signature", "Response-Time", "Client-Id", "Encrypt"} {
		if len(rd.answer.header.Values(name)) > 1 {
			return errHKRepeatedHeader
		}
	}
	return nil
}

func (rd *hkReading) clientIsOurs() error {
	if id := rd.answer.header.Get("Client-Id"); id != "" && id != rd.gateway.clientID {
		return errHKClient
	}
	return nil
}

func (rd *hkReading) hasSignature() error {
	header := rd.answer.header
	signature, at := header.Get("Signature") != "", header.Get("Response-Time") != ""
	switch {
	case signature && at:
		return nil
	case signature || at:
		return errHKIncomplete
	case header.Get("Encrypt") != "":
		return errHKEncrypted
	case rd.gateway.refuseUnsigned:
		return errHKUnsigned
	}
	return errHKNoSignature
}

func (rd *hkReading) decodeSignature() (err error) {
	rd.sig, err = parseHKSignature(rd.answer.header.Get("Signature"))
	return err
}

func (rd *hkReading) signatureMatches() error { return rd.gateway.check(rd.sig, rd.signedText()) }

// signedText is what the answer signed: path and client id are those of the request.
func (rd *hkReading) signedText() []byte {
	return hkContent(rd.gateway.path, rd.gateway.clientID, rd.answer.header.Get("Response-Time"), rd.answer.body)
}

func (rd *hkReading) signatureFacts(err error) string {
	if err != nil {
		return rd.gateway.explainMismatch(rd.sig, rd.signedText(), err)
	}
	return fmt.Sprintf("%s, key version %s, over the raw body", sanitize(rd.sig.algorithm, maxCode), sanitize(rd.sig.keyVersion, maxCode))
}

// statusIsReadable refuses statuses with which no business answer comes.
func (rd *hkReading) statusIsReadable() error {
	status := rd.answer.status
	if status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 300 && status < 400 {
		return rd.statusError()
	}
	return nil
}

// statusError classifies an answer by its HTTP status. A signed success with a failure status
// contradicts itself.
func (rd *hkReading) statusError() error {
	e := httpError(rd.call, rd.answer)
	body, err := rd.gateway.plain(rd.answer)
	if err != nil {
		return e
	}
	if list, err := jsonscan.ParseObject(body); rd.signed && err == nil && readHKResult(list).status == "S" {
		e.Class, e.Scope, e.Proof = alipay.Ambiguous, alipay.ScopeNone, alipay.ProofNone
	}
	return e
}

func (rd *hkReading) decrypt() (err error) {
	rd.body, err = rd.gateway.plain(rd.answer)
	return err
}

func (rd *hkReading) decryptFacts(err error) string {
	switch {
	case err != nil:
		return "the body cannot be decrypted with our keys: check the algorithm, the key version and the key"
	case rd.answer.header.Get("Encrypt") == "":
		return ""
	}
	return fmt.Sprintf("%d bytes", len(rd.body))
}

// plain returns the body of an answer in plain. The header says whether it is encrypted; an
// unsigned answer that is encrypted was refused before.
func (h *hk) plain(a *answer) ([]byte, error) {
	if header := a.header.Get("Encrypt"); header != "" {
		return h.keys.decrypt(header, a.body)
	}
	return a.body, nil
}

func (rd *hkReading) parse() (err error) {
	if rd.members, err = jsonscan.ParseObject(rd.body); err != nil {
		return hkUnreadable(rd.call, rd.answer, err)
	}
	rd.reply.Verified = rd.signed
	if rd.reply.Verified && !rd.request.echoes(rd.body) {
		rd.reply.Body = rd.body
	}
	return nil
}

func (rd *hkReading) parseFacts(err error) string {
	if err == nil {
		return ""
	}
	_, syntax := jsonscan.ParseObject(rd.body)
	return syntax.Error()
}

// hkUnreadable classifies an answer whose body is not a JSON object.
func hkUnreadable(r call, a *answer, err error) error {
	switch {
	case errors.Is(err, jsonscan.ErrDuplicate):
		return err
	case a.status != http.StatusOK:
		return httpError(r, a)
	}
	return unusable(r, a, err)
}

// classify reads what the answer says.
func (rd *hkReading) classify() error {
	rep, s, res := &rd.reply, rd.request, readHKResult(rd.members)
	rep.ResultStatus, rep.Code = s.sanitize(res.status, maxCode), s.sanitize(res.code, maxCode)
	rep.Message = s.sanitize(res.message, maxMessage)
	if res.status == "" && rd.answer.status != http.StatusOK {
		return httpError(rd.call, rd.answer)
	}
	rd.orderID = rd.members.Text("orderId")
	rd.verdict = alipay.ClassifyHK(res.status, res.code, rep.Verified)
	rd.applySetting(rd.gateway.classes[res.code])
	return nil
}

// applySetting replaces the class of a failure by the one that the settings give its code; they never make an unsigned
// answer final.
func (rd *hkReading) applySetting(c alipay.Class) {
	failed := rd.reply.ResultStatus == "F" || rd.reply.ResultStatus == "U"
	if c == alipay.Done || !failed || rd.verdict.Class == alipay.Untrusted || c == alipay.Rejected && !rd.reply.Verified {
		return
	}
	rd.verdict.Class = c
}

func (rd *hkReading) classFacts(err error) string {
	if err != nil {
		return cause(err).Error()
	}
	return fmt.Sprintf("%s %s: class %s", rd.reply.ResultStatus, rd.reply.Code, rd.verdict.Class)
}

// signedIfSuccess: no success is believed without a signature, and few failures are.
func (rd *hkReading) signedIfSuccess() error {
	if rd.verdict.Class == alipay.Untrusted {
		return rd.refusal(alipay.Untrusted, "not signed")
	}
	return nil
}

func (rd *hkReading) success() bool { return rd.verdict.Class == alipay.Done }

func (rd *hkReading) statusFitsSuccess() error {
	if rd.success() && rd.answer.status != http.StatusOK {
		return rd.refusal(alipay.Ambiguous, "a success with a failure status")
	}
	return nil
}

// successNamesOrder refuses a success without what the page requires.
func (rd *hkReading) successNamesOrder() error {
	if rd.success() && alipay.CheckAnswer(rd.call.Method(), rd.members, true) != nil {
		return rd.refusal(alipay.Ambiguous, "a success without orderId")
	}
	return nil
}

// outcome is what an answer means that passed every step.
func (rd *hkReading) outcome() error {
	if rd.success() || rd.verdict.Class == alipay.Accepted {
		rd.reply.HKOrderID = rd.orderID
	}
	if !rd.success() {
		return rd.refusal(rd.verdict.Class, rd.reply.Message)
	}
	if sync, ok := rd.call.(*alipay.HKOrderSync); ok {
		rd.reply.OutTradeNo, rd.reply.TradeNo = sync.MerchantBizNo, sync.TradeNo
	}
	return nil
}

// refusal is the error of an answer that is not a success.
func (rd *hkReading) refusal(c alipay.Class, message string) *alipay.Error {
	return &alipay.Error{
		Method: rd.reply.Method, Class: c, Code: rd.reply.Code, Message: message, HTTPStatus: rd.answer.status,
		RetryAfter: rd.answer.retryAfter, Scope: rd.verdict.Scope, Proof: rd.verdict.Proof, Alert: rd.verdict.Alert, Healthy: rd.verdict.Healthy,
	}
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
