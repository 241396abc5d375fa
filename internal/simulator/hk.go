package simulator

import (
	"crypto/sha256"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// HKOrder is what AlipayHK knows of one order.
type HKOrder struct {
	ClientID   string
	BizNo      string // merchantBizNo
	OrderID    string // made by AlipayHK
	Status     string // orderStatus of the last update that was processed
	ModifyTime int64  // orderModifyTime of that update
	Updates    int    // processed so far
}

// hkKey is the scope of an order's clock: not stated, Client-Id and merchantBizNo [inferred].
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

// hkFront is a request to the HK gateway on its way through the checks.
type hkFront struct {
	r        *http.Request
	target   string // path and query as on the request line: they are signed
	clientID string
	app      *HKApp // nil until known
	body     []byte
	sig      signatureHeader
	version  string // of the key that the signature fits
	secret   bool   // the request was encrypted, so the answer is
	content  fields
	mute     bool // the answer is unsigned
	whims    *whims
}

// serveHK answers one request to the HK gateway (docs/alipay.md, HK "Simulator": order of checks).
func (s *Simulator) serveHK(w http.ResponseWriter, r *http.Request) {
	f := &hkFront{r: r, target: requestTarget(r), clientID: r.Header.Get("Client-Id")}
	f.app = s.hkApps[f.clientID]
	e := &RequestEntry{At: s.Now(), Method: HKOrderSync, App: f.clientID}
	body, err := io.ReadAll(r.Body)
	f.body, e.Content = body, sha256.Sum256(body)
	bad := s.hkAdmit(f, err)
	e.OrderNo, e.RequestNo = f.content.text("merchantBizNo"), f.content.text("requestId")
	attempt := s.log.arrive(e)
	f.whims = s.whimsOf(e, attempt)
	if bad != nil {
		a := s.hkAnswer(f, *bad)
		s.log.complete(e, a.verdict, "")
		a.seal(Fault{}).write(w)
		return
	}
	s.run(w, r, &call{
		entry: e, given: f.content.text("tradeNo"), attempt: attempt, whims: f.whims,
		effect: func() answer { return s.hkAnswer(f, s.hkUpdate(f, e)) },
		refuse: func(flt Fault) answer { return s.hkAnswer(f, flt.hkRefusal()) },
	})
}

// requestTarget returns the request line's target without scheme and host.
func requestTarget(r *http.Request) string {
	t := r.RequestURI
	if t == "" {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(t); err == nil && u.IsAbs() {
		if i := strings.Index(t[len(u.Scheme)+3:], "/"); i >= 0 {
			return t[len(u.Scheme)+3+i:]
		}
	}
	return t
}

// hkAdmit runs the checks up to the body's fields.
func (s *Simulator) hkAdmit(f *hkFront, readErr error) *hkResult {
	for _, step := range []func(*hkFront) *hkResult{checkHKRoute, checkHKHeaders, checkHKClient, s.checkHKTime, checkHKSignature} {
		if bad := step(f); bad != nil {
			return bad
		}
	}
	if readErr != nil {
		return hkRefused("PARAM_ILLEGAL", "unreadable body")
	}
	plain, bad := f.plainBody()
	if bad != nil {
		return bad
	}
	var err error
	if f.content, err = parseObject(plain); err != nil {
		return hkRefused("PARAM_ILLEGAL", "body: "+err.Error())
	}
	if err := s.o.HK.checkBody(f.content); err != nil {
		return hkRefused("PARAM_ILLEGAL", err.Error())
	}
	return nil
}

// checkHKRoute: path, method, media type.
func checkHKRoute(f *hkFront) *hkResult {
	if f.r.URL.Path != HKPath {
		return hkRefused("INVALID_API", "no such API")
	}
	if f.r.Method != http.MethodPost {
		return hkRefused("METHOD_NOT_SUPPORTED", "POST")
	}
	kind, p, err := mime.ParseMediaType(f.r.Header.Get("Content-Type"))
	wanted := kind == "application/json" || (kind == "text/plain" && f.r.Header.Get("Encrypt") != "")
	if err != nil || !wanted || (p["charset"] != "" && !strings.EqualFold(p["charset"], "utf-8")) {
		return hkRefused("MEDIA_TYPE_NOT_ACCEPTABLE", "application/json; charset=UTF-8")
	}
	return nil
}

// checkHKHeaders: those that the page requires.
func checkHKHeaders(f *hkFront) *hkResult {
	for _, name := range []string{"Client-Id", "Request-Time", "Signature"} {
		if f.r.Header.Get(name) == "" {
			return hkRefused("PARAM_ILLEGAL", "missing header "+name)
		}
	}
	return nil
}

// checkHKClient: the client, and the key version that the Signature header names. A header that
// cannot be read counts as a bad signature [inferred].
func checkHKClient(f *hkFront) *hkResult {
	if f.app == nil {
		f.mute = true
		return hkRefused("INVALID_CLIENT", "no such client")
	}
	sig, ok := parseSignatureHeader(f.r.Header.Get("Signature"))
	if !ok {
		f.mute = true
		return hkRefused("INVALID_SIGNATURE", "unreadable Signature header")
	}
	f.sig = sig
	if sig.version != "" && !f.app.keys.known(sig.version) {
		f.mute = true
		return hkRefused("KEY_NOT_FOUND", "no key of this version")
	}
	return nil
}

// checkHKTime: form and skew of Request-Time; which code answers is open [inferred].
func (s *Simulator) checkHKTime(f *hkFront) *hkResult {
	t, ok := parseHKTime(f.r.Header.Get("Request-Time"))
	if !ok {
		return hkRefused("PARAM_ILLEGAL", "Request-Time is no time")
	}
	if skew := s.Now().Sub(t).Abs(); s.o.HK.Skew >= 0 && skew > s.o.HK.Skew {
		return hkRefused("PARAM_ILLEGAL", "Request-Time is off by "+skew.Truncate(time.Second).String())
	}
	return nil
}

// checkHKSignature verifies the raw bytes, with the stated key or with all, newest first.
func checkHKSignature(f *hkFront) *hkResult {
	content := hkContent(f.r.Method, f.target, f.clientID, f.r.Header.Get("Request-Time"), f.body)
	for _, version := range f.app.keys.versions(f.sig) {
		if f.app.keys.verify(f.sig, version, content) {
			f.version = version
			return nil
		}
	}
	f.mute = true
	return hkRefused("INVALID_SIGNATURE", "the signature does not fit")
}

// hkAnswer makes a result ready to be sealed. Answers for an unknown client, an unknown key and a
// bad signature are unsigned.
func (s *Simulator) hkAnswer(f *hkFront, a hkResult) answer {
	return answer{verdict: a.verdict(), good: a.status == "S", seal: func(flt Fault) sealed {
		if flt.kind == kindNoOrderID {
			a.orderID = ""
		}
		out := sealed{body: a.body(f.whims), header: http.Header{
			"Content-Type": {"application/json; charset=UTF-8"},
			"Client-Id":    {f.clientID},
			"Tracer-Id":    {s.traceID()},
		}}
		if f.secret {
			f.app.keys.encrypt(f.version, &out)
		}
		if f.app == nil || f.mute || flt.kind == kindUnsigned {
			return out
		}
		now := s.Now()
		if s.o.BenchMode {
			now = now.Truncate(time.Minute) // so that signatures can be replayed
		}
		if flt.kind == kindSkewed {
			now = now.Add(flt.delay)
		}
		at := now.In(beijing).Format(time.RFC3339)
		out.header.Set("Response-Time", at)
		out.header.Set("Signature", f.app.keys.sign(s.signer, f.sig, hkContent(f.r.Method, f.target, f.clientID, at, out.body), flt.kind == kindWrongKey))
		return out
	}}
}

// hkUpdate processes an update if it is strictly newer than the last one processed (Synchronize
// Order, "orderModifyTime"). What an older one is answered is not stated: S with the known order
// [inferred]. The caller holds mu.
func (s *Simulator) hkUpdate(f *hkFront, e *RequestEntry) hkResult {
	at, _ := wholeNumber(f.content["orderModifyTime"])
	k := hkKey{f.clientID, f.content.text("merchantBizNo")}
	o := s.hkOrders[k]
	if o == nil {
		o = &HKOrder{ClientID: k.clientID, BizNo: k.bizNo, OrderID: digits(28, "hk order", k.clientID, k.bizNo)}
		s.hkOrders[k] = o
	}
	if o.Updates == 0 || at > o.ModifyTime {
		o.Status, o.ModifyTime = f.content.text("orderStatus"), at
		o.Updates++
		s.log.executed(e, s.Now())
	}
	return hkResult{code: "SUCCESS", status: "S", message: "success", orderID: o.OrderID}
}

// plainBody returns the body, decrypted when an Encrypt header says so. Whatever is wrong with it
// gives one answer; the code is open [inferred] (docs/alipay.md, HK "Encryption").
func (f *hkFront) plainBody() ([]byte, *hkResult) {
	header := f.r.Header.Get("Encrypt")
	if header == "" {
		return f.body, nil
	}
	plain, err := f.app.keys.decrypt(header, f.body)
	if err != nil {
		return nil, hkRefused("PARAM_ILLEGAL", "the body cannot be decrypted")
	}
	f.secret = true
	return plain, nil
}

// hkRefusal puts a fault into the words of the HK gateway.
func (f Fault) hkRefusal() hkResult {
	switch f.kind {
	case kindThrottled:
		return hkResult{code: "REQUEST_TRAFFIC_EXCEED_LIMIT", status: "U", message: "too many requests"}
	case kindAccepted:
		return hkResult{code: "ACCEPTED", status: "A", message: "accepted"}
	case kindRefused:
		status := f.code
		if status == "" {
			status = "F"
		}
		return hkResult{code: f.subCode, status: status, message: "refused on order"}
	default:
		return hkResult{code: "UNKNOWN_EXCEPTION", status: "U", message: "unknown error"}
	}
}
