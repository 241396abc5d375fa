package simulator

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"net/http"
	"slices"
	"strings"
)

// busy is the text of the pages' error sample: "the system is busy".
const busy = "\u7cfb\u7edf\u7e41\u5fd9"

// reply is an answer of the classic gateway before it is written.
type reply struct {
	code, subCode, subMsg string
	members               members
}

// success is the reply to a request that took effect or was answered.
func success(m members) reply { return reply{code: "10000", members: m} }

// failure is the reply with an error; its code follows from the sub_code.
func failure(subCode, subMsg string) reply {
	return reply{code: codeOf(subCode), subCode: subCode, subMsg: subMsg}
}

// refusal returns a pointer to a failure, for functions that return nil when all is well.
func refusal(subCode, subMsg string) *reply {
	a := failure(subCode, subMsg)
	return &a
}

// messages are the words of the gateway codes (docs/alipay.md, "Gateway codes").
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
		return "40003" // what real answers carry
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

// verdict is the reply as the journal names it.
func (a reply) verdict() string {
	if a.subCode == "" {
		return a.code
	}
	return a.code + " " + a.subCode
}

// node writes the answer's node.
func (a reply) node(w *whims) []byte {
	m := members{{"code", a.code}, {"msg", messages[a.code]}}
	if a.subCode != "" {
		m = m.add("sub_code", a.subCode).add("sub_msg", a.subMsg)
	}
	return w.respace(object(w.rearrange(append(m, a.members...))))
}

// sealed is an answer as it goes out.
type sealed struct {
	header http.Header
	body   []byte
}

// write sends the answer.
func (s sealed) write(w http.ResponseWriter) {
	s.writeHeader(w)
	_, _ = w.Write(s.body) // the caller may be gone; no one is left to answer
}

// writeHeader sets the headers only.
func (s sealed) writeHeader(w http.ResponseWriter) {
	for name, values := range s.header {
		w.Header()[name] = values
	}
}

// nodeName is the name of a method's answer node.
func nodeName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

// signKey is what an answer is signed with; the zero value leaves it unsigned.
type signKey struct {
	key    *rsa.PrivateKey
	hash   crypto.Hash
	certSN string // of the certificate that belongs to key; empty in key mode
}

// envelope is how the answer to one request is written.
type envelope struct {
	name    string // of the answer's node
	charset charset
	answer  signKey
	aesKey  []byte // the request was encrypted, so the answer is
	whims   *whims
}

// seal writes a reply and signs the bytes of its node, when it is encrypted the text with its
// quotes (docs/alipay.md, "The answer"). Unsigned answers have no sign at all.
func (v envelope) seal(a reply, g *signer, traceID string) sealed {
	if a.code == "20000" && v.whims.takes(GBKErrorText) {
		v.charset, v.answer, v.aesKey = gbkCharset, signKey{}, nil
	}
	node := v.charset.encode(string(a.node(v.whims)))
	if v.aesKey != nil {
		node = []byte(`"` + encryptContent(v.aesKey, node) + `"`)
	}
	parts := [][]byte{[]byte(`"` + v.name + `":` + string(node))}
	if k := v.answer; k.key != nil {
		var sign []byte
		if k.certSN != "" {
			sign = []byte(`"alipay_cert_sn":"` + k.certSN + `",`)
		}
		sign = append(sign, `"sign":"`+g.sign(k.key, k.hash, node)+`"`...)
		parts = append(parts, sign)
	}
	if v.whims.takes(SignFirst) {
		slices.Reverse(parts)
	}
	body := "{" + string(bytes.Join(parts, []byte(","))) + "}" + v.whims.end()
	return sealed{body: []byte(body), header: http.Header{
		"Content-Type": {v.whims.contentType(v.charset)},
		"Trace_id":     {traceID},
	}}
}
