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

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// classicReading is one answer of the classic gateway on its way to a reply. Each check fills
// in what the next ones need.
type classicReading struct {
	gateway *classic
	call    call
	request *sealedRequest
	answer  *answer
	record  *recorder // nil in calls
	// download makes the certificate known that the answer names; nil: it is not downloaded.
	download func() error

	parts   answerParts
	sig     []byte
	keys    []*rsa.PublicKey // one of them must have made sig
	plain   []byte           // of an encrypted node
	charset alipay.Charset   // of plain
	node    []byte           // JSON in UTF-8
	members jsonscan.Object  // of node
	verdict alipay.Classification
	ids     identities
	reply   alipay.Reply // filled as far as the answer could be read
}

// classicRule is what makes an answer of the classic gateway believed, in this order.
var classicRule = []step[*classicReading]{
	{"status", (*classicReading).statusIsOK, (*classicReading).statusFacts},
	{"cut", (*classicReading).cut, (*classicReading).cutFacts},
	{"signature", (*classicReading).authenticate, nil},
	{"decrypt", (*classicReading).decrypt, (*classicReading).decryptFacts},
	{"node", (*classicReading).parse, nil},
	{"code", (*classicReading).classify, (*classicReading).classFacts},
	{"code", (*classicReading).signedIfSuccess, nil},
	{"request", (*classicReading).answersRequest, nil},
	{"members", (*classicReading).answersMethod, nil},
	{"repeat", (*classicReading).isNew, nil},
}

// classicSignature is what makes its signature one of Alipay's.
var classicSignature = []step[*classicReading]{
	{"signature", (*classicReading).hasSignature, nil},
	{"certificate", (*classicReading).namesCertificate, nil},
	{"signature", (*classicReading).decodeSignature, nil},
	{"certificate", (*classicReading).findKeys, (*classicReading).keyFacts},
	{"signature", (*classicReading).signatureMatches, (*classicReading).signatureFacts},
}

// open verifies an answer and says what it means. The reply is filled as far as the answer
// could be read, even with an error.
func (g *classic) open(ctx context.Context, r call, s *sealedRequest, a *answer) (alipay.Reply, error) {
	rd := &classicReading{gateway: g, call: r, request: s, answer: a}
	if g.trust.certs != nil && g.send != nil {
		rd.download = func() error { return g.trust.certs.Fetch(ctx, rd.parts.certSN, g.downloadChain) }
	}
	err := rd.read()
	return rd.reply, err
}

// read returns nil only for a success that is proven to be Alipay's answer to this request.
func (rd *classicReading) read() error {
	rd.reply = alipay.Reply{Method: rd.call.Method(), TraceID: sanitize(rd.answer.header.Get("trace_id"), maxTraceID)}
	err := run(rd.record, rd, classicRule)
	if err != nil {
		return disbelieved(rd.call, err)
	}
	return rd.outcome()
}

// authenticate decides whether the answer is Alipay's. Some errors genuinely carry no
// signature: such an answer is read on as not verified. One whose signature is wrong is not.
func (rd *classicReading) authenticate() error {
	err := run(rd.record, rd, classicSignature)
	rd.reply.Verified = err == nil
	if errors.Is(err, errNoSign) || errors.Is(err, errNoCertSN) {
		return nil
	}
	return err
}

// statusIsOK refuses other HTTP statuses than 200: business answers come with 200.
func (rd *classicReading) statusIsOK() error {
	if rd.answer.status != http.StatusOK {
		return httpError(rd.call, rd.answer)
	}
	return nil
}

func (rd *classicReading) statusFacts(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("HTTP status %d: business answers come with 200", rd.answer.status)
}

// cut finds the bytes that are signed.
func (rd *classicReading) cut() (err error) {
	rd.parts, err = cutAnswer(rd.answer.body, rd.call.Method(), rd.gateway.charset)
	if errors.Is(err, jsonscan.ErrSyntax) {
		return unusable(rd.call, rd.answer, err)
	}
	return err
}

func (rd *classicReading) cutFacts(err error) string {
	switch {
	case err == nil:
		return fmt.Sprintf("the node has %d bytes in %s", len(rd.parts.node), rd.parts.charset)
	case errors.Is(err, jsonscan.ErrSyntax):
		return "no complete JSON object: " + cause(err).Error()
	}
	return err.Error()
}

var (
	errNoSign   = errors.New("the answer carries no sign")
	errNoCertSN = errors.New("the answer names no alipay_cert_sn, so it is treated as not signed")
)

func (rd *classicReading) hasSignature() error {
	if rd.parts.sign == "" {
		return errNoSign
	}
	return nil
}

// namesCertificate: in certificate mode an answer that names no certificate is not signed, as
// with the official Java SDK.
func (rd *classicReading) namesCertificate() error {
	if rd.gateway.trust.certs != nil && rd.parts.certSN == "" {
		return errNoCertSN
	}
	return nil
}

func (rd *classicReading) decodeSignature() (err error) {
	rd.sig, err = decodeSign(rd.parts.sign)
	return err
}

// findKeys finds the keys that may have signed the answer. In certificate mode the answer names
// the certificate, and one that is not known yet is downloaded.
func (rd *classicReading) findKeys() (err error) {
	rd.keys, err = rd.gateway.trust.candidates(rd.parts.certSN)
	if errors.Is(err, certs.ErrUnknown) && rd.download != nil {
		if err = rd.download(); err == nil {
			rd.keys, err = rd.gateway.trust.candidates(rd.parts.certSN)
		}
	}
	var e *alipay.Error
	if errors.As(err, &e) { // no answer to the download
		return &alipay.Error{Method: rd.call.Method(), Class: lostClass(rd.call), Message: "the certificate that signed the answer could not be fetched", Err: e}
	}
	return err
}

func (rd *classicReading) keyFacts(err error) string {
	switch {
	case err != nil:
		return cause(err).Error()
	case rd.gateway.trust.certs == nil:
		return ""
	}
	return sanitize(rd.parts.certSN, certs.SNLength) + " is trusted"
}

// signatureMatches verifies the bytes of the node as they were sent.
func (rd *classicReading) signatureMatches() error {
	if !verifyNode(rd.gateway.signType.Hash(), rd.keys, rd.parts.node, rd.sig) {
		return errSignature
	}
	return nil
}

func (rd *classicReading) signatureFacts(err error) string {
	if err == nil {
		return fmt.Sprintf("%s over the bytes of the node", rd.gateway.signType)
	}
	return rd.gateway.trust.explainMismatch(rd.gateway.signType.Hash(), rd.keys, rd.parts.node, rd.sig)
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

// decrypt turns the node into JSON in UTF-8. A signed node that cannot be decrypted is not
// believed; an unsigned one is decrypted only for its code.
func (rd *classicReading) decrypt() error {
	if !rd.parts.encrypted() {
		rd.node = rd.parts.charset.Decode(rd.parts.node)
		return nil
	}
	if err := rd.decryptNode(); err != nil {
		rd.reply.Verified = false
		return err
	}
	return nil
}

func (rd *classicReading) decryptNode() (err error) {
	if rd.gateway.content == nil {
		return encryption.ErrDecrypt
	}
	text := ""
	if !hasNonASCII(rd.parts.node) {
		text = jsonscan.Unquote(rd.parts.node)
	}
	if rd.plain, err = rd.gateway.content.Decrypt(text); err != nil {
		return err
	}
	for _, c := range rd.gateway.charset.Candidates(rd.plain) {
		rd.charset, rd.node = c, c.Decode(rd.plain)
		return nil
	}
	return encryption.ErrDecrypt
}

// decryptFacts separates what ErrDecrypt does not: only the operator sees it.
func (rd *classicReading) decryptFacts(err error) string {
	switch {
	case err == nil && !rd.parts.encrypted():
		return ""
	case err == nil:
		return fmt.Sprintf("%d bytes in %s", len(rd.plain), rd.charset)
	case rd.gateway.content == nil:
		return "the node is encrypted, but no AES key is configured"
	case rd.plain == nil:
		return "the node is not a ciphertext under the configured AES key"
	}
	return "the decrypted node is not text: it was encrypted with another AES key"
}

// parse reads the node. A repeated member is never believed: the next reader might use the
// other one.
func (rd *classicReading) parse() (err error) {
	rd.members, err = jsonscan.ParseObject(rd.node)
	switch {
	case err == nil:
	case errors.Is(err, jsonscan.ErrDuplicate) || rd.parts.sign != "" || rd.parts.encrypted():
		return fmt.Errorf("the node is not one JSON object: %w", err)
	default:
		return unusable(rd.call, rd.answer, err)
	}
	if rd.reply.Verified {
		rd.reply.Body = rd.node
	}
	return nil
}

// classify reads what the answer says. Without a signature nothing in it is final.
func (rd *classicReading) classify() error {
	rep, s, f := &rd.reply, rd.request, rd.members
	rep.Code, rep.SubCode = s.sanitize(f.Text("code"), maxCode), s.sanitize(f.Text("sub_code"), maxCode)
	rep.Message = s.sanitize(f.Text("msg"), maxMessage)
	rep.SubMessage = s.subMessage(rep.Code, f.Text("sub_msg"))
	if rep.SubMessage == withheld || s.echoes(rep.Body) {
		rep.Body = nil
	}
	rd.verdict = alipay.ClassifyUnsigned(rep.Method, rep.Code, rep.SubCode)
	if rep.Verified {
		rd.verdict = alipay.Classify(rep.Method, rep.Code, rep.SubCode)
	}
	return nil
}

func (rd *classicReading) classFacts(error) string {
	return fmt.Sprintf("%s %s: class %s", rd.reply.Code, rd.reply.SubCode, rd.verdict.Class)
}

// signedIfSuccess: no success is believed without a signature.
func (rd *classicReading) signedIfSuccess() error {
	if rd.verdict.Class != alipay.Untrusted {
		return nil
	}
	e := rd.refusal()
	e.Message = "success without signature"
	return e
}

func (rd *classicReading) success() bool {
	return rd.verdict.Class == alipay.Done || rd.verdict.Class == alipay.Accepted
}

// outcome is what an answer means that passed every step.
func (rd *classicReading) outcome() error {
	rep := &rd.reply
	if rd.success() { // error nodes carry business fields with zero values
		rep.OutTradeNo, rep.TradeNo = rd.ids.out, rd.ids.trade
		rep.BuyerUserID = cmp.Or(rd.members.Text("buyer_user_id"), rd.members.Text("buyer_id"))
		rep.BuyerOpenID = rd.members.Text("buyer_open_id")
	}
	if rep.Verified && (rd.success() || rep.Code == "40004") { // a business answer: our signature was good
		rd.gateway.keys.Succeeded(rd.request.generation)
	}
	if rd.verdict.Class == alipay.Done {
		return nil
	}
	e := rd.refusal()
	if rep.SubCode == invalidSignature {
		rd.gateway.refused(rd.request, e, rd.members.Text("sub_msg"), rep.Verified)
	}
	return e
}

// refusal is the error of an answer that is not a success.
func (rd *classicReading) refusal() *alipay.Error {
	return &alipay.Error{
		Method: rd.reply.Method, Class: rd.verdict.Class, Code: rd.reply.Code, SubCode: rd.reply.SubCode, Message: rd.reply.Message,
		HTTPStatus: rd.answer.status, RetryAfter: rd.answer.retryAfter, Scope: rd.verdict.Scope, Proof: rd.verdict.Proof, Alert: rd.verdict.Alert, Healthy: rd.verdict.Healthy,
	}
}
