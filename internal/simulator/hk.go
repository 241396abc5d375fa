package simulator

import (
	"crypto/sha256"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// HKOrder is what AlipayHK knows about one order.
type HKOrder struct {
	ClientID   string
	BizNo      string // merchantBizNo
	OrderID    string // made by AlipayHK
	Status     string // orderStatus of the last update that was processed
	ModifyTime int64  // orderModifyTime of that update
	Updates    int    // how many were processed
}

// hkKey names an order whose updates are compared by time: Client-Id and merchantBizNo; the page does not say [inferred].
type hkKey struct{ clientID, bizNo string }

// HKOrders returns copies of all orders, sorted by client and number.
func (s *Simulator) HKOrders() []HKOrder {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]HKOrder, 0, len(s.hkOrders))
	for _, o := range s.hkOrders {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b HKOrder) int {
		return strings.Compare(a.ClientID+"\n"+a.BizNo, b.ClientID+"\n"+b.BizNo)
	})
	return out
}

// hkRequest is a request to the HK gateway while it is checked.
type hkRequest struct {
	http      *http.Request
	target    string // path and query as on the request line: they are signed
	clientID  string
	app       *HKApp // nil until known
	body      []byte
	signature wire.SignatureHeader
	version   string // of the key that verified the signature
	encrypted bool   // the request was encrypted, so the answer is
	content   wire.Fields
	unsigned  bool // the answer is unsigned
	quirks    *wire.AnswerQuirks
}

// serveHK answers one request to the HK gateway (docs/alipay.md, HK "Simulator": order of checks).
func (s *Simulator) serveHK(w http.ResponseWriter, r *http.Request) {
	f := &hkRequest{http: r, target: wire.RequestTarget(r), clientID: r.Header.Get("Client-Id")}
	f.app = s.hkApps[f.clientID]
	e := &RequestEntry{At: s.Now(), Method: HKOrderSync, App: f.clientID}
	body, err := io.ReadAll(r.Body)
	f.body, e.Content = body, sha256.Sum256(body)
	bad := s.checkHKRequest(f, err)
	e.OrderNo, e.RequestNo = f.content.Text("merchantBizNo"), f.content.Text("requestId")
	attempt := s.journal.begin(e)
	f.quirks = s.quirksOf(e, attempt)
	if bad != nil {
		a := s.hkAnswer(f, *bad)
		s.journal.complete(e, a.verdict, "")
		a.seal(Fault{}).Write(w)
		return
	}
	s.serveCall(w, r, &call{
		entry: e, givenNumber: f.content.Text("tradeNo"), attempt: attempt, quirks: f.quirks,
		effect: func() pendingAnswer { return s.hkAnswer(f, s.hkUpdate(f, e)) },
		refuse: func(flt Fault) pendingAnswer { return s.hkAnswer(f, flt.hkRefusal()) },
	})
}

// checkHKRequest runs all checks, the fields of the body included.
func (s *Simulator) checkHKRequest(f *hkRequest, readErr error) *wire.HKResult {
	for _, step := range []func(*hkRequest) *wire.HKResult{checkHKRoute, checkHKHeaders, checkHKClient, s.checkHKTime, checkHKSignature} {
		if bad := step(f); bad != nil {
			return bad
		}
	}
	if readErr != nil {
		return wire.HKRefusal("PARAM_ILLEGAL", "the body cannot be read")
	}
	plain, bad := f.plainBody()
	if bad != nil {
		return bad
	}
	var err error
	if f.content, err = wire.ParseObject(plain); err != nil {
		return wire.HKRefusal("PARAM_ILLEGAL", "body: "+err.Error())
	}
	if err := s.options.HK.CheckBody(f.content); err != nil {
		return wire.HKRefusal("PARAM_ILLEGAL", err.Error())
	}
	return nil
}

// checkHKRoute checks path, HTTP method and media type.
func checkHKRoute(f *hkRequest) *wire.HKResult {
	if f.http.URL.Path != HKPath {
		return wire.HKRefusal("INVALID_API", "no such API")
	}
	if f.http.Method != http.MethodPost {
		return wire.HKRefusal("METHOD_NOT_SUPPORTED", "the HTTP method must be POST")
	}
	kind, p, err := mime.ParseMediaType(f.http.Header.Get("Content-Type"))
	wanted := kind == "application/json" || (kind == "text/plain" && f.http.Header.Get("Encrypt") != "")
	if err != nil || !wanted || (p["charset"] != "" && !strings.EqualFold(p["charset"], "utf-8")) {
		return wire.HKRefusal("MEDIA_TYPE_NOT_ACCEPTABLE", "Content-Type must be application/json; charset=UTF-8")
	}
	return nil
}

// checkHKHeaders checks that the headers of the page are there.
func checkHKHeaders(f *hkRequest) *wire.HKResult {
	for _, name := range []string{"Client-Id", "Request-Time", "Signature"} {
		if f.http.Header.Get(name) == "" {
			return wire.HKRefusal("PARAM_ILLEGAL", "header "+name+" is missing")
		}
	}
	return nil
}

// checkHKClient checks the client, and the key version that the Signature header names. A header
// that cannot be read is a bad signature [inferred].
func checkHKClient(f *hkRequest) *wire.HKResult {
	if f.app == nil {
		f.unsigned = true
		return wire.HKRefusal("INVALID_CLIENT", "no such Client-Id")
	}
	sig, ok := wire.ParseSignatureHeader(f.http.Header.Get("Signature"))
	if !ok {
		f.unsigned = true
		return wire.HKRefusal("INVALID_SIGNATURE", "header Signature cannot be read")
	}
	f.signature = sig
	if sig.Version != "" && !f.app.keys.Known(sig.Version) {
		f.unsigned = true
		return wire.HKRefusal("KEY_NOT_FOUND", "no key with this keyVersion")
	}
	return nil
}

// checkHKTime checks form and skew of Request-Time. It is not known which code a bad time gets [inferred].
func (s *Simulator) checkHKTime(f *hkRequest) *wire.HKResult {
	t, ok := wire.ParseHKTime(f.http.Header.Get("Request-Time"))
	if !ok {
		return wire.HKRefusal("PARAM_ILLEGAL", "Request-Time is not a time")
	}
	if skew := s.Now().Sub(t).Abs(); s.options.HK.Skew >= 0 && skew > s.options.HK.Skew {
		return wire.HKRefusal("PARAM_ILLEGAL", "Request-Time is off by "+skew.Truncate(time.Second).String())
	}
	return nil
}

// checkHKSignature verifies the raw bytes, with the key that the request names or with all, newest first.
func checkHKSignature(f *hkRequest) *wire.HKResult {
	content := wire.HKStringToSign(f.http.Method, f.target, f.clientID, f.http.Header.Get("Request-Time"), f.body)
	for _, version := range f.app.keys.Versions(f.signature) {
		if f.app.keys.Verify(f.signature, version, content) {
			f.version = version
			return nil
		}
	}
	f.unsigned = true
	return wire.HKRefusal("INVALID_SIGNATURE", "the signature does not verify")
}

// hkAnswer makes a result ready to be sealed. Answers for an unknown client, an unknown key and a
// bad signature are unsigned.
func (s *Simulator) hkAnswer(f *hkRequest, a wire.HKResult) pendingAnswer {
	return pendingAnswer{verdict: a.Verdict(), success: a.Status == "S", seal: func(flt Fault) wire.SealedAnswer {
		if flt.kind == kindNoOrderID {
			a.OrderID = ""
		}
		out := wire.SealedAnswer{Body: a.Body(f.quirks), Header: http.Header{
			"Content-Type": {"application/json; charset=UTF-8"},
			"Client-Id":    {f.clientID},
			"Tracer-Id":    {s.traceID()},
		}}
		if f.encrypted {
			f.app.keys.Encrypt(f.version, &out)
		}
		if f.app == nil || f.unsigned || flt.kind == kindUnsigned {
			return out
		}
		now := s.Now()
		if s.options.BenchMode {
			now = now.Truncate(time.Minute) // so that a signature can be used again
		}
		if flt.kind == kindSkewed {
			now = now.Add(flt.delay)
		}
		at := now.In(wire.Beijing).Format(time.RFC3339)
		out.Header.Set("Response-Time", at)
		out.Header.Set("Signature", f.app.keys.Sign(s.signer, f.signature, wire.HKStringToSign(f.http.Method, f.target, f.clientID, at, out.Body), flt.kind == kindWrongKey))
		return out
	}}
}

// hkUpdate processes an update if it is strictly newer than the last one processed (Synchronize
// Order, "orderModifyTime"). The page does not say what an older one gets: S with the orderId of
// the known order [inferred]. The caller holds mu.
func (s *Simulator) hkUpdate(f *hkRequest, e *RequestEntry) wire.HKResult {
	at, _ := rules.WholeNumber(f.content["orderModifyTime"])
	k := hkKey{f.clientID, f.content.Text("merchantBizNo")}
	o := s.hkOrders[k]
	if o == nil {
		o = &HKOrder{ClientID: k.clientID, BizNo: k.bizNo, OrderID: seeded.Digits(28, "hk order", k.clientID, k.bizNo)}
		s.hkOrders[k] = o
	}
	if o.Updates == 0 || at > o.ModifyTime {
		o.Status, o.ModifyTime = f.content.Text("orderStatus"), at
		o.Updates++
		s.journal.addExecution(e, s.Now())
	}
	return wire.HKResult{Code: "SUCCESS", Status: "S", Message: "success", OrderID: o.OrderID}
}

// plainBody returns the body, decrypted if there is an Encrypt header. Every error gives the same
// answer; its code is not documented [inferred] (docs/alipay.md, HK "Encryption").
func (f *hkRequest) plainBody() ([]byte, *wire.HKResult) {
	header := f.http.Header.Get("Encrypt")
	if header == "" {
		return f.body, nil
	}
	plain, err := f.app.keys.Decrypt(header, f.body)
	if err != nil {
		return nil, wire.HKRefusal("PARAM_ILLEGAL", "the body cannot be decrypted")
	}
	f.encrypted = true
	return plain, nil
}

// hkRefusal is a fault as the HK gateway reports it.
func (f Fault) hkRefusal() wire.HKResult {
	switch f.kind {
	case kindThrottled:
		return wire.HKResult{Code: "REQUEST_TRAFFIC_EXCEED_LIMIT", Status: "U", Message: "too many requests"}
	case kindAccepted:
		return wire.HKResult{Code: "ACCEPTED", Status: "A", Message: "accepted"}
	case kindRefused:
		status := f.code
		if status == "" {
			status = "F"
		}
		return wire.HKResult{Code: f.subCode, Status: status, Message: "refused by a fault of the simulator"}
	default:
		return wire.HKResult{Code: "UNKNOWN_EXCEPTION", Status: "U", Message: "unknown error"}
	}
}
