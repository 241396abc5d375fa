package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// front is a request to the classic gateway on its way through the checks.
type front struct {
	p        params
	method   Method
	app      *App
	merchant Merchant // of the token; zero: the app's own
	key      *rsa.PublicKey
	content  string // biz_content, decrypted
	envelope        // of the answer, as far as it is known
}

// serveGateway answers one request to the classic gateway. The order of its checks is not
// documented; the signature comes first as far as that is possible [inferred].
func (s *Simulator) serveGateway(w http.ResponseWriter, r *http.Request) {
	f := &front{envelope: envelope{charset: utf8Charset, name: "error_response"}}
	e := &RequestEntry{At: s.Now()}
	if bad, ok := s.admit(f, r); !ok {
		e.Method, e.App, e.Content = f.method, f.p["app_id"], sha256.Sum256([]byte(f.p["biz_content"]))
		f.whims = s.whimsOf(e, s.log.arrive(e))
		s.refuse(w, f, e, bad)
		return
	}
	e.Method, e.App, e.Merchant = f.method, f.app.ID, f.merchant.Name
	e.Content = sha256.Sum256([]byte(f.content))
	content, bad := readContent(f.content)
	if bad != nil {
		f.whims = s.whimsOf(e, s.log.arrive(e))
		s.refuse(w, f, e, *bad)
		return
	}
	given := s.number(e, f, content)
	attempt := s.log.arrive(e)
	f.whims = s.whimsOf(e, attempt)
	if bad := check(f, content); bad != nil {
		s.refuse(w, f, e, *bad)
		return
	}
	s.run(w, r, &call{
		entry: e, given: given, attempt: attempt, whims: f.whims,
		effect: func() answer { return s.classicAnswer(f, s.perform(f, e, content)) },
		refuse: func(flt Fault) answer { return s.classicAnswer(f, flt.refusal(f.method)) },
	})
}

// classicAnswer makes a reply ready to be sealed in one of the ways that faults ask for.
func (s *Simulator) classicAnswer(f *front, a reply) answer {
	return answer{verdict: a.verdict(), good: a.code == "10000", seal: func(flt Fault) sealed {
		v := f.envelope
		switch flt.kind {
		case kindUnsigned:
			v.answer = signKey{}
		case kindWrongKey:
			v.answer.key = s.signer.wrong()
		case kindRotated:
			v.answer = f.app.certified.rotated(v.answer)
		case kindNoOrderID:
			a.members = a.members.without(orderNumbers)
		}
		return v.seal(a, s.signer, s.traceID())
	}}
}

// orderNumbers are the members that say which order an answer is about.
var orderNumbers = []string{"out_trade_no", "trade_no", "order_no", "out_order_no"}

// refuse answers a request that did not pass the checks. Which of these answers are signed is
// known for two only (invalid-signature is, invalid-app-id is not): what fails before the app
// proved itself is unsigned, what fails later is signed [inferred].
func (s *Simulator) refuse(w http.ResponseWriter, f *front, e *RequestEntry, a reply) {
	s.log.complete(e, a.verdict(), "")
	f.seal(a, s.signer, s.traceID()).write(w)
}

// admit checks the public parameters. The result is a refusal, or true.
func (s *Simulator) admit(f *front, r *http.Request) (reply, bool) {
	var err error
	f.p, err = readParams(r)
	switch {
	case errors.Is(err, errContentType):
		return failure("isv.invalid-content-type", err.Error()), false
	case err != nil:
		return failure("isv.invalid-parameter", "unreadable request"), false
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		return failure("isv.invalid-parameter", "POST or GET"), false
	}
	if Method(f.p["method"]).isClassic() {
		f.method = Method(f.p["method"])
		f.name = nodeName(string(f.method))
	}
	for _, step := range []func(*front) *reply{s.checkApp, s.checkSignature, s.checkPublic, s.checkToken, decrypt} {
		if bad := step(f); bad != nil {
			return *bad, false
		}
	}
	return reply{}, true
}

// missing are the public parameters without which nothing can be verified, with their errors
// (docs/alipay.md, "Gateway codes").
var missing = []struct{ name, subCode string }{
	{"app_id", "isv.missing-app-id"},
	{"sign", "isv.missing-signature"},
	{"sign_type", "isv.missing-signature-type"},
}

// checkApp finds the app, its keys and the charset. Its refusals are unsigned.
func (s *Simulator) checkApp(f *front) *reply {
	for _, m := range missing {
		if f.p[m.name] == "" {
			return refusal(m.subCode, "missing "+m.name)
		}
	}
	f.app = s.apps[f.p["app_id"]]
	if f.app == nil {
		return refusal("isv.invalid-app-id", "no such app")
	}
	name := f.p["charset"]
	if name == "" {
		name = "GBK" // what the gateway assumes
	}
	c, ok := charsetOf(name)
	if !ok {
		return refusal("isv.invalid-charset", "GBK or UTF-8")
	}
	f.charset = c
	return s.chooseKeys(f)
}

// chooseKeys finds the keys of both sides for the sign_type, in certificate mode by the SNs.
func (s *Simulator) chooseKeys(f *front) *reply {
	h, ok := map[string]crypto.Hash{"RSA2": crypto.SHA256, "RSA": crypto.SHA1}[f.p["sign_type"]]
	switch c := f.app.certified; {
	case !ok:
		return refusal("isv.invalid-signature-type", "RSA2 or RSA")
	case c != nil:
		if bad := c.checkSNs(f.p, s.Now()); bad != nil {
			return bad
		}
		f.key, f.answer = c.appKey(), signKey{key: f.app.SigningKey, hash: h, certSN: c.currentSN()}
	case h == crypto.SHA256:
		f.key, f.answer = f.app.PublicKey, signKey{key: f.app.SigningKey, hash: h}
	case f.app.LegacyPublicKey == nil || f.app.LegacySigningKey == nil:
		return refusal("isv.missing-signature-config", "the app has no key for RSA")
	default:
		f.key, f.answer = f.app.LegacyPublicKey, signKey{key: f.app.LegacySigningKey, hash: h}
	}
	return nil
}

// decrypt undoes the encryption of biz_content. What fails is answered in the clear
// (docs/alipay.md, "AES content encryption").
func decrypt(f *front) *reply {
	f.content = f.p["biz_content"]
	switch t := f.p["encrypt_type"]; {
	case t == "":
		return nil
	case t != "AES":
		return refusal("isv.decryption-error-not-valid-encrypt-type", "AES")
	case f.app.AESKey == nil:
		return refusal("isv.decryption-error-not-valid-encrypt-key", "the app has no AES key")
	}
	plain, err := decryptContent(f.app.AESKey, f.content)
	if err != nil {
		return refusal("isv.decryption-error-unknown", "the content cannot be decrypted")
	}
	f.content, f.aesKey = f.charset.decode(string(plain)), f.app.AESKey
	return nil
}

// htmlEscape is how the gateway escapes the text that it echoes.
var htmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// checkSignature verifies the request in its declared charset, whatever charset decoded it. The
// answer echoes the text that should have been signed, HTML-escaped, and is itself signed
// (docs/alipay.md, "Gateway codes": isv.invalid-signature).
func (s *Simulator) checkSignature(f *front) *reply {
	text := f.p.toSign()
	sig, err := base64.StdEncoding.DecodeString(f.p["sign"])
	if err == nil && verify(f.key, f.answer.hash, f.charset.encode(text), sig) {
		return nil
	}
	return refusal("isv.invalid-signature",
		"check the private key, and that charset is in the URL query; the string to sign is: "+htmlEscape.Replace(text))
}

// maxLengths are those of the public parameters (every page, "public request parameters").
var maxLengths = []struct {
	name string
	max  int
}{
	{"app_id", 32}, {"method", 128}, {"format", 40}, {"charset", 10}, {"sign_type", 10}, {"sign", 344},
	{"timestamp", 19}, {"version", 3}, {"notify_url", 256}, {"app_auth_token", 40},
}

// checkPublic checks the other public parameters. The age of the timestamp is not judged: what
// Alipay tolerates is not known.
func (s *Simulator) checkPublic(f *front) *reply {
	switch format := f.p["format"]; {
	case f.p["method"] == "":
		return refusal("isv.missing-method", "missing method")
	case f.method == "":
		return refusal("isv.invalid-method", "no such method")
	case f.p["timestamp"] == "":
		return refusal("isv.missing-timestamp", "missing timestamp")
	case f.p["version"] == "":
		return refusal("isv.missing-version", "missing version")
	case f.p["version"] != "1.0":
		return refusal("isv.unsupported-version", "1.0")
	case format != "" && format != "JSON" && format != "json":
		return refusal("isv.invalid-format", "JSON")
	}
	if _, err := time.ParseInLocation(timeLayout, f.p["timestamp"], beijing); err != nil {
		return refusal("isv.invalid-timestamp", timeLayout)
	}
	for _, l := range maxLengths {
		if len(f.p[l.name]) > l.max {
			return refusal("isv.invalid-parameter", l.name+" has more than "+strconv.Itoa(l.max)+" characters")
		}
	}
	if u := f.p["notify_url"]; u != "" && !webAddress(u) {
		return refusal("isv.invalid-parameter", "notify_url is no absolute http or https address")
	}
	return nil
}

// checkToken finds the merchant for whom the app acts.
func (s *Simulator) checkToken(f *front) *reply {
	token := f.p["app_auth_token"]
	f.merchant = Merchant{SellerID: f.app.SellerID}
	if token == "" {
		return nil
	}
	for _, m := range f.app.Merchants {
		if m.AppAuthToken == token {
			f.merchant = m
			return nil
		}
	}
	return refusal("aop.invalid-app-auth-token", "no such token")
}

func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// readContent parses biz_content. Which sub_code answers broken JSON is not known; this one is
// documented [inferred].
func readContent(text string) (fields, *reply) {
	if text == "" {
		return nil, refusal("isv.invalid-parameter", "missing biz_content")
	}
	f, err := parseObject([]byte(text))
	if err != nil {
		return nil, refusal("isv.invalid-parameter", "biz_content: "+err.Error())
	}
	return f, nil
}

// check applies the page of the method to its business content.
func check(f *front, content fields) *reply {
	subCode := "ACQ.INVALID_PARAMETER"
	var err error
	switch f.method {
	case TradeCreate:
		return checkCreate(content, f.merchant.SellerID)
	case TradeQuery:
		err = checkQuery(content)
	case OrderInfoSync:
		return checkSync(content)
	case CertDownload:
		if content.text("alipay_cert_sn") == "" {
			return refusal("isv.invalid-parameter", "alipay_cert_sn is missing")
		}
	case ItemOrderQuery:
		subCode = "INVALID_PARAMETER" // koubei.trade.itemorder.query has its codes without ACQ.
		err = checkItemOrder(content)
	}
	if err != nil {
		return refusal(subCode, err.Error())
	}
	return nil
}

// refusalOf puts a fault into the words of the classic gateway.
func (f Fault) refusal(m Method) reply {
	switch f.kind {
	case kindThrottled:
		return failure("isv.app-call-limited", "the app calls too often")
	case kindSystemError:
		if strings.HasPrefix(string(m), "koubei.") {
			return failure("SYSTEM_ERROR", busy)
		}
		return failure("ACQ.SYSTEM_ERROR", busy)
	case kindAccepted:
		return reply{code: "10003"}
	case kindRefused:
		a := failure(f.subCode, "refused on order")
		if f.code != "" {
			a.code = f.code
		}
		return a
	default:
		return failure("isp.unknow-error", busy)
	}
}
