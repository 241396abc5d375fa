package gateway

import (
	"cmp"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// Explanation is what was made of something that Alipay sent, and why. It comes from the same
// code that reads it in calls.
type Explanation struct {
	Verified bool         `json:"verified"`
	Class    alipay.Class `json:"-"`
	Code     string       `json:"code"`
	SubCode  string       `json:"sub_code"`
	Reason   string       `json:"reason"` // the first step that failed, in words
	Steps    []Step       `json:"steps"`
}

// MarshalJSON adds the class by its name.
func (e Explanation) MarshalJSON() ([]byte, error) {
	type plain Explanation
	return json.Marshal(struct {
		Class string `json:"class"`
		plain
	}{e.Class.String(), plain(e)})
}

// explanation sums up what the steps led to.
func (r *recorder) explanation(rep alipay.Reply, err error) Explanation {
	e := Explanation{Verified: rep.Verified, Class: alipay.ClassOf(err), Code: rep.Code, SubCode: rep.SubCode, Steps: r.steps}
	for _, step := range r.steps {
		if !step.OK {
			e.Reason = step.Name + ": " + step.Detail
			return e
		}
	}
	if e.Reason = "signed by Alipay and read"; err != nil {
		e.Reason = err.Error()
	}
	return e
}

// capturedCall is a request of which only the method is known: its answer was captured without it.
type capturedCall struct{ method alipay.Method }

func (c *capturedCall) Method() alipay.Method { return c.method }
func (c *capturedCall) Repeatable() bool      { return c.method != alipay.MethodTradeCreate }

// keyRule and hkKeyRule find the most common mistake of all integrations. What they say does not
// end a reading.
var (
	keyRule   = []step[*trust]{{"key", (*trust).keyIsNotOurs, nil}}
	hkKeyRule = []step[*hk]{{"key", (*hk).keyIsNotOurs, nil}}
)

// Explain reads an answer of the classic gateway that was captured, as an app with these options
// would, and says why. Signer and AppID may be absent; with a Signer whose public half is known
// it also knows our own key where it should be Alipay's. signed is the text that the request
// signed, see [SignedText], to compare with the one in a refusal of its signature; nil if it is
// not known. Whether the answer belongs to its request is not judged.
func (o OpenAPIOptions) Explain(method alipay.Method, status int, body, signed []byte) (Explanation, error) {
	g, err := newClassicReader(o)
	if err != nil {
		return Explanation{}, err
	}
	if o.Signer != nil {
		g.trust.own, _ = keys.PublicOf(o.Signer).(*rsa.PublicKey)
	}
	r := &recorder{}
	_ = run(r, g.trust, keyRule) // the answer is read all the same
	rd := &classicReading{
		gateway: g, call: &capturedCall{method: method}, request: &sealedRequest{signed: signed},
		answer: &answer{status: cmp.Or(status, http.StatusOK), body: body}, record: r,
	}
	err = rd.read()
	var m *form.Mismatch
	if errors.As(err, &m) {
		r.record("echo", m, m.Error())
	}
	r.record("request", nil, "not checked: the answer was captured without its request")
	return r.explanation(rd.reply, err), nil
}

// Explain reads an answer of AlipayHK that was captured, as a client with these options would,
// and says why. Signer may be absent. path is that of the request line. The age of the answer
// is not judged.
func (o HKOptions) Explain(path string, status int, header http.Header, body []byte) (Explanation, error) {
	own := keys.PublicOf(o.Signer)
	o.Signer = nil
	h, err := newHKReader(o)
	if err != nil {
		return Explanation{}, err
	}
	h.skew, h.own = -1, own
	h.clientID = cmp.Or(o.ClientID, header.Get("Client-Id"))
	h.path = cmp.Or(o.SigningPath, path, hkPath)
	r := &recorder{}
	_ = run(r, h, hkKeyRule) // the answer is read all the same
	rd := &hkReading{
		gateway: h, call: &capturedCall{method: alipay.MethodHKOrderSync}, request: &sealedRequest{},
		answer: &answer{status: cmp.Or(status, http.StatusOK), header: header, body: body}, record: r,
	}
	err = rd.read()
	r.record("time", nil, "not checked: the answer was captured")
	return r.explanation(rd.reply, err), nil
}

// Explain reads a notification that was captured, and says why it is taken or not: class DONE is
// taken, REJECTED is another merchant's, UNTRUSTED is not provably Alipay's. own may be nil, or
// the public half of our own private key, which is often mistaken for Alipay's.
func (v *Verifier) Explain(rawBody []byte, own *rsa.PublicKey) Explanation {
	t := *v.trust
	t.own = own
	w := *v
	w.trust = &t
	r := &recorder{}
	_ = run(r, &t, keyRule) // the notification is read all the same
	n, err := w.read(rawBody, r)
	rep := alipay.Reply{Verified: err == nil, Code: string(n.Status)}
	switch {
	case errors.Is(err, ErrNotOurs):
		err = &alipay.Error{Class: alipay.Rejected, Err: err}
	case err != nil:
		err = &alipay.Error{Class: alipay.Untrusted, Err: err}
	}
	return r.explanation(rep, err)
}
