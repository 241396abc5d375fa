package wire

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"net/http"
	"slices"
	"strings"
)

// BusyText is the text in the error sample of the pages: "the system is busy".
const BusyText = "\u7cfb\u7edf\u7e41\u5fd9"

// Reply is an answer of the classic gateway before it is written.
type Reply struct {
	Code, subCode, subMsg string
	Members               Members
}

// Success is the reply to a request that took effect or was answered.
func Success(m Members) Reply { return Reply{Code: "10000", Members: m} }

// Failure is a reply with an error; its code follows from the sub_code.
func Failure(subCode, subMsg string) Reply {
	return Reply{Code: codeOf(subCode), subCode: subCode, subMsg: subMsg}
}

// Refusal returns a pointer to a failure, for functions that return nil when nothing is wrong.
func Refusal(subCode, subMsg string) *Reply {
	a := Failure(subCode, subMsg)
	return &a
}

// messages are the texts of the gateway codes (docs/alipay.md, "Gateway codes").
var messages = map[string]string{
	"10000": "Success",
	"10003": "order success pay inprocess",
	"20000": "Service Currently Unavailable",
	"20001": "Insufficient Token Permissions",
	"40001": "Missing Required Arguments",
	"40002": "Invalid Arguments",
	"40003": "Insufficient Conditions",
	"40004": "Business Failed",
	"40005": "Call Limited",
	"40006": "Insufficient Permissions",
}

// codeOf returns the code under which a sub_code is documented (docs/alipay.md, "Gateway codes").
func codeOf(subCode string) string {
	switch {
	case subCode == "isp.unknow-error" || subCode == "aop.unknow-error":
		return "20000"
	case strings.HasPrefix(subCode, "aop."):
		return "20001"
	case subCode == "isv.missing-signature-config" || subCode == "isv.decryption-error-unknown":
		return "40003" // as in real answers
	case strings.HasPrefix(subCode, "isv.missing-"):
		return "40001"
	case strings.HasSuffix(subCode, "-call-limited"):
		return "40005"
	case strings.HasPrefix(subCode, "isv.insufficient-"):
		return "40006"
	case strings.HasPrefix(subCode, "isv."):
		return "40002"
	}
	return "40004"
}

// Verdict returns the reply in the words of the journal.
func (a Reply) Verdict() string {
	if a.subCode == "" {
		return a.Code
	}
	return a.Code + " " + a.subCode
}

// node returns the JSON of the node.
func (a Reply) node(w *AnswerQuirks) []byte {
	m := Members{{"code", a.Code}, {"msg", messages[a.Code]}}
	if a.subCode != "" {
		m = m.Add("sub_code", a.subCode).Add("sub_msg", a.subMsg)
	}
	return w.reformat(encodeObject(w.rearrange(append(m, a.Members...))))
}

// SealedAnswer is an answer as it is sent.
type SealedAnswer struct {
	Header http.Header
	Body   []byte
}

// Write sends the answer.
func (s SealedAnswer) Write(w http.ResponseWriter) {
	s.WriteHeader(w)
	_, _ = w.Write(s.Body) // an error means that the caller disconnected
}

// WriteHeader sets the headers only.
func (s SealedAnswer) WriteHeader(w http.ResponseWriter) {
	for name, values := range s.Header {
		w.Header()[name] = values
	}
}

// NodeName returns the name of the node in the answer to a method.
func NodeName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

// AnswerKey is the key that signs an answer; with the zero value it is unsigned.
type AnswerKey struct {
	Key    *rsa.PrivateKey
	Hash   crypto.Hash
	CertSN string // of the certificate for Key; empty in key mode
}

// AnswerFormat is how the answer to one request is written.
type AnswerFormat struct {
	NodeName   string
	Charset    Charset
	SigningKey AnswerKey
	AESKey     []byte // set if the request was encrypted: then the answer is, too
	Quirks     *AnswerQuirks
}

// Seal encodes a reply and signs the bytes of its node; of an encrypted node these are the text with
// its quotes (docs/alipay.md, "The answer"). Unsigned answers have no member sign.
func (v AnswerFormat) Seal(a Reply, g *Signer, traceID string) SealedAnswer {
	if a.Code == "20000" && v.Quirks.applies(GBKErrorText) {
		v.Charset, v.SigningKey, v.AESKey = GBK, AnswerKey{}, nil
	}
	node := v.Charset.Encode(string(a.node(v.Quirks)))
	if v.AESKey != nil {
		node = []byte(`"` + encryptContent(v.AESKey, node) + `"`)
	}
	parts := [][]byte{[]byte(`"` + v.NodeName + `":` + string(node))}
	if k := v.SigningKey; k.Key != nil {
		var sign []byte
		if k.CertSN != "" {
			sign = []byte(`"alipay_cert_sn":"` + k.CertSN + `",`)
		}
		sign = append(sign, `"sign":"`+g.Sign(k.Key, k.Hash, node)+`"`...)
		parts = append(parts, sign)
	}
	if v.Quirks.applies(SignFirst) {
		slices.Reverse(parts)
	}
	body := "{" + string(bytes.Join(parts, []byte(","))) + "}" + v.Quirks.lineEnd()
	return SealedAnswer{Body: []byte(body), Header: http.Header{
		"Content-Type": {v.Quirks.contentType(v.Charset)},
		"Trace_id":     {traceID},
	}}
}
