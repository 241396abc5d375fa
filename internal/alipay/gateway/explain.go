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

// Explanation reports how something that Alipay sent was read, and why it was believed or not.
// It comes from the same code that reads it in calls.
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

// explanation sums up the steps.
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

// keyRule and hkKeyRule find the most common mistake of all integrations. A key of our own does
// not end a reading.
var (
	keyRule   = []step[*trust]{{"key", (*trust).keyIsNotOurs, nil}}
	hkKeyRule = []step[*hk]{{"key", (*hk).keyIsNotOurs, nil}}
)

// Explain reads a captured answer of the classic gateway as an app with these options would, and
// explains it. Signer and AppID may be absent; if the Signer's public half is known, it also
// recognises our own key where it should be Alipay's. signed is the text that the request signed,
// see [form.SignedText], to compare with the one in a refusal of its signature; nil if it is not
// known. It does not check whether the answer belongs to its request.
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

// Explain reads a captured answer of AlipayHK as a client with these options would, and explains
// it. Signer may be absent. path is that of the request line. It does not check the age of the
// answer.
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

// Explain reads a captured notification and explains why it is accepted or not: class DONE is
// accepted, REJECTED is another merchant's, UNTRUSTED is not provably Alipay's. own may be nil, or
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
