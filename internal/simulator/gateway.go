package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// classicRequest is a request to the classic gateway while it is checked.
type classicRequest struct {
	params            wire.Params
	method            Method
	app               *App
	merchant          Merchant // of the token; zero: the app's own
	verifyKey         *rsa.PublicKey
	content           string // biz_content, decrypted
	wire.AnswerFormat        // as far as it is known yet
}

// serveGateway answers one request to the classic gateway. The order of the checks is not
// documented; the signature is checked as early as possible [inferred].
func (s *Simulator) serveGateway(w http.ResponseWriter, r *http.Request) {
	f := &classicRequest{AnswerFormat: wire.AnswerFormat{Charset: wire.UTF8, NodeName: "error_response"}}
	e := &RequestEntry{At: s.Now()}
	if bad, ok := s.checkRequest(f, r); !ok {
		e.Method, e.App, e.Content = f.method, f.params["app_id"], sha256.Sum256([]byte(f.params["biz_content"]))
		f.Quirks = s.quirksOf(e, s.journal.begin(e))
		s.refuse(w, f, e, bad)
		return
	}
	e.Method, e.App, e.Merchant = f.method, f.app.ID, f.merchant.Name
	e.Content = sha256.Sum256([]byte(f.content))
	content, bad := readContent(f.content)
	if bad != nil {
		f.Quirks = s.quirksOf(e, s.journal.begin(e))
		s.refuse(w, f, e, *bad)
		return
	}
	given := s.orderNumberOf(e, f, content)
	attempt := s.journal.begin(e)
	f.Quirks = s.quirksOf(e, attempt)
	if bad := checkContent(f, content); bad != nil {
		s.refuse(w, f, e, *bad)
		return
	}
	s.serveCall(w, r, &call{
		entry: e, givenNumber: given, attempt: attempt, quirks: f.Quirks,
		effect: func() pendingAnswer { return s.classicAnswer(f, s.perform(f, e, content)) },
		refuse: func(flt Fault) pendingAnswer { return s.classicAnswer(f, flt.refusal(f.method)) },
	})
}

// classicAnswer makes a reply ready to be sealed in one of the ways that faults ask for.
func (s *Simulator) classicAnswer(f *classicRequest, a wire.Reply) pendingAnswer {
	return pendingAnswer{verdict: a.Verdict(), success: a.Code == "10000", seal: func(flt Fault) wire.SealedAnswer {
		v := f.AnswerFormat
		switch flt.kind {
		case kindUnsigned:
			v.SigningKey = wire.AnswerKey{}
		case kindWrongKey:
			v.SigningKey.Key = s.signer.WrongKey()
		case kindRotated:
			v.SigningKey = f.app.certificates.NextKey(v.SigningKey)
		case kindNoOrderID:
			a.Members = a.Members.Without(orderNumbers)
		}
		return v.Seal(a, s.signer, s.traceID())
	}}
}

// orderNumbers are the members that say which order an answer is about.
var orderNumbers = []string{"out_trade_no", "trade_no", "order_no", "out_order_no"}

// refuse answers a request that did not pass the checks. For two of these answers it is known
// whether they are signed: invalid-signature is, invalid-app-id is not. So a refusal is unsigned
// until the keys are known, and signed from then on [inferred].
func (s *Simulator) refuse(w http.ResponseWriter, f *classicRequest, e *RequestEntry, a wire.Reply) {
	s.journal.complete(e, a.Verdict(), "")
	f.Seal(a, s.signer, s.traceID()).Write(w)
}

// checkRequest checks the public parameters. The result is a refusal, or true.
func (s *Simulator) checkRequest(f *classicRequest, r *http.Request) (wire.Reply, bool) {
	var err error
	f.params, err = wire.ReadParams(r)
	switch {
	case errors.Is(err, wire.ErrContentType):
		return wire.Failure("isv.invalid-content-type", err.Error()), false
	case err != nil:
		return wire.Failure("isv.invalid-parameter", "the parameters cannot be read: "+err.Error()), false
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		return wire.Failure("isv.invalid-parameter", "the HTTP method must be POST or GET"), false
	}
	if Method(f.params["method"]).IsClassic() {
		f.method = Method(f.params["method"])
		f.NodeName = wire.NodeName(string(f.method))
	}
	for _, step := range []func(*classicRequest) *wire.Reply{s.checkApp, checkSignature, checkPublic, checkToken, decrypt} {
		if bad := step(f); bad != nil {
			return *bad, false
		}
	}
	return wire.Reply{}, true
}

// requiredParams are the public parameters without which no signature can be verified, with their errors
// (docs/alipay.md, "Gateway codes").
var requiredParams = []struct{ name, subCode string }{
	{"app_id", "isv.missing-app-id"},
	{"sign", "isv.missing-signature"},
	{"sign_type", "isv.missing-signature-type"},
}

// checkApp finds the app, its keys and the charset. Its refusals are unsigned.
func (s *Simulator) checkApp(f *classicRequest) *wire.Reply {
	for _, m := range requiredParams {
		if f.params[m.name] == "" {
			return wire.Refusal(m.subCode, m.name+" is missing")
		}
	}
	f.app = s.apps[f.params["app_id"]]
	if f.app == nil {
		return wire.Refusal("isv.invalid-app-id", "no such app")
	}
	name := f.params["charset"]
	if name == "" {
		name = "GBK" // the gateway's default
	}
	c, ok := wire.FindCharset(name)
	if !ok {
		return wire.Refusal("isv.invalid-charset", "charset must be GBK or UTF-8")
	}
	f.Charset = c
	return s.chooseKeys(f)
}

// chooseKeys finds the keys of both sides by sign_type, and in certificate mode by the SNs.
func (s *Simulator) chooseKeys(f *classicRequest) *wire.Reply {
	h, ok := map[string]crypto.Hash{"RSA2": crypto.SHA256, "RSA": crypto.SHA1}[f.params["sign_type"]]
	switch c := f.app.certificates; {
	case !ok:
		return wire.Refusal("isv.invalid-signature-type", "sign_type must be RSA2 or RSA")
	case c != nil:
		if bad := c.CheckSNs(f.params, s.Now()); bad != nil {
			return bad
		}
		f.verifyKey, f.SigningKey = c.AppKey(), wire.AnswerKey{Key: f.app.SigningKey, Hash: h, CertSN: c.CurrentSN()}
	case h == crypto.SHA256:
		f.verifyKey, f.SigningKey = f.app.PublicKey, wire.AnswerKey{Key: f.app.SigningKey, Hash: h}
	case f.app.LegacyPublicKey == nil || f.app.LegacySigningKey == nil:
		return wire.Refusal("isv.missing-signature-config", "the app has no key for sign_type RSA")
	default:
		f.verifyKey, f.SigningKey = f.app.LegacyPublicKey, wire.AnswerKey{Key: f.app.LegacySigningKey, Hash: h}
	}
	return nil
}

// decrypt decrypts biz_content. When that fails, the answer is not encrypted
// (docs/alipay.md, "AES content encryption").
func decrypt(f *classicRequest) *wire.Reply {
	f.content = f.params["biz_content"]
	switch t := f.params["encrypt_type"]; {
	case t == "":
		return nil
	case t != "AES":
		return wire.Refusal("isv.invalid-encrypt-type", "encrypt_type must be AES")
	case f.app.AESKey == nil:
		return wire.Refusal("isv.decryption-error-not-valid-encrypt-key", "the app has no AES key")
	}
	plain, err := wire.DecryptContent(f.app.AESKey, f.content)
	if err != nil {
		return wire.Refusal("isv.decryption-error-unknown", "biz_content cannot be decrypted")
	}
	f.content, f.AESKey = f.Charset.Decode(string(plain)), f.app.AESKey
	return nil
}

// htmlEscaper escapes the text that the gateway repeats in its answer.
var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// checkSignature verifies the request in the charset that it declares, even if it was decoded with another. The
// refusal repeats the text that should have been signed, HTML-escaped, and is itself signed
// (docs/alipay.md, "Gateway codes": isv.invalid-signature).
func checkSignature(f *classicRequest) *wire.Reply {
	text := f.params.StringToSign()
	sig, err := base64.StdEncoding.DecodeString(f.params["sign"])
	if err == nil && wire.VerifyRSA(f.verifyKey, f.SigningKey.Hash, f.Charset.Encode(text), sig) {
		return nil
	}
	return wire.Refusal("isv.invalid-signature",
		"check the private key, and that charset is in the query of the URL; the string to sign is: "+htmlEscaper.Replace(text))
}

// checkPublic checks the other public parameters.
func checkPublic(f *classicRequest) *wire.Reply {
	switch {
	case f.params["method"] == "":
		return wire.Refusal("isv.missing-method", "method is missing")
	case f.method == "":
		return wire.Refusal("isv.invalid-method", "no such method")
	}
	return rules.CheckPublic(f.params)
}

// checkToken finds the merchant for whom the app acts.
func checkToken(f *classicRequest) *wire.Reply {
	token := f.params["app_auth_token"]
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
	return wire.Refusal("aop.invalid-app-auth-token", "no such app_auth_token")
}

// readContent parses biz_content. It is not known which sub_code broken JSON gets; this one is at
// least documented [inferred].
func readContent(text string) (wire.Fields, *wire.Reply) {
	if text == "" {
		return nil, wire.Refusal("isv.invalid-parameter", "biz_content is missing")
	}
	f, err := wire.ParseObject([]byte(text))
	if err != nil {
		return nil, wire.Refusal("isv.invalid-parameter", "biz_content: "+err.Error())
	}
	return f, nil
}

// checkContent checks the business content by the page of the method.
func checkContent(f *classicRequest, content wire.Fields) *wire.Reply {
	subCode := "ACQ.INVALID_PARAMETER"
	var err error
	switch f.method {
	case TradeCreate:
		return rules.CheckCreate(content, f.merchant.SellerID)
	case TradeQuery:
		err = rules.CheckQuery(content)
	case OrderInfoSync:
		return rules.CheckSync(content)
	case CertDownload:
		return rules.CheckDownload(content)
	case ItemOrderQuery:
		subCode = "INVALID_PARAMETER" // the codes of koubei.trade.itemorder.query have no prefix ACQ
		err = rules.CheckItemOrder(content)
	}
	if err != nil {
		return wire.Refusal(subCode, err.Error())
	}
	return nil
}

// refusal is a fault as the classic gateway reports it.
func (f Fault) refusal(m Method) wire.Reply {
	switch f.kind {
	case kindThrottled:
		return wire.Failure("isv.app-call-limited", "the app calls too often")
	case kindSystemError:
		if strings.HasPrefix(string(m), "koubei.") {
			return wire.Failure("SYSTEM_ERROR", wire.BusyText)
		}
		return wire.Failure("ACQ.SYSTEM_ERROR", wire.BusyText)
	case kindAccepted:
		return wire.Reply{Code: "10003"}
	case kindRefused:
		a := wire.Failure(f.subCode, "refused by a fault of the simulator")
		if f.code != "" {
			a.Code = f.code
		}
		return a
	default:
		return wire.Failure("isp.unknow-error", wire.BusyText)
	}
}
