package alipay

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// gateway is the classic gateway: it seals requests into signed parameters and opens answers
// by the exact bytes of their node.
type gateway struct {
	url      *url.URL
	appID    string
	signType SignType
	charset  Charset
	keys     *rotation // ours
	trust    *trust    // Alipay's
	content  *AESKey   // nil: contents are sent in plain
	weak     bool      // SHA-1 and short keys are permitted
	now      func() time.Time

	// send makes an HTTP exchange: certificate mode asks the gateway for a certificate that it
	// does not know. nil asks for none.
	send func(ctx context.Context, r call, s *sealed) (*answer, error)
}

// newGateway checks what the options say of keys and coding.
func newGateway(o OpenAPIOptions) (*gateway, error) {
	if o.AppID == "" || len(o.AppID) > 32 || o.Signer == nil {
		return nil, errors.New("alipay: an app needs an app id of up to 32 characters and a signer")
	}
	g, err := newReader(o)
	if err != nil {
		return nil, err
	}
	current, err := g.accept(o.Signer)
	if err != nil {
		return nil, err
	}
	next, err := g.accept(o.NextSigner)
	if err != nil {
		return nil, err
	}
	g.keys = newRotation(current, next)
	return g, nil
}

// newReader returns a gateway that can open answers and seals nothing.
func newReader(o OpenAPIOptions) (*gateway, error) {
	t, err := newTrust(o)
	if err != nil {
		return nil, err
	}
	g := &gateway{
		appID: o.AppID, signType: cmp.Or(o.SignType, SignRSA2), charset: cmp.Or(o.Charset, CharsetUTF8),
		keys: newRotation(nil, nil), trust: t, content: o.AES, now: t.now, weak: o.AllowWeak,
	}
	if !g.charset.Known() {
		return nil, fmt.Errorf("alipay: the charset is none of %s, %s, %s", CharsetUTF8, CharsetGBK, CharsetGB2312)
	}
	if g.signType.hash() == 0 || g.signType == SignRSA && !o.AllowWeak {
		return nil, errors.New("alipay: the sign type is not RSA2; RSA (SHA-1) needs AllowWeak")
	}
	return g, nil
}

// accept checks a signer of ours: not Alipay's key, strong enough, and in certificate mode the
// one that the application certificate names. nil is no signer.
func (g *gateway) accept(s Signer) (Signer, error) {
	if s == nil {
		return nil, nil
	}
	pub, rsaKey := publicOf(s).(*rsa.PublicKey)
	switch {
	case publicOf(s) != nil && !rsaKey:
		return nil, errors.New("alipay: the classic gateway knows RSA keys only")
	case rsaKey && !g.weak && pub.N.BitLen() < strongKeyBits:
		return nil, fmt.Errorf("alipay: our own key has %d bits, fewer than %d; AllowWeak permits it", pub.N.BitLen(), strongKeyBits)
	case rsaKey && g.trust.certs != nil && !pub.Equal(g.trust.certs.AppKey()):
		return nil, errors.New("alipay: the private key is not that of the application certificate")
	}
	for _, k := range g.trust.keys {
		if holdsKey(s, k.Key) {
			return nil, errOwnKey("Alipay key")
		}
	}
	return Verifying(s)
}

// gatewayPath is the path of the classic gateway (common parameters, "request address").
const gatewayPath = "/gateway.do"

func (g *gateway) speaks(m Method) bool { return m != MethodHKOrderSync }

func (g *gateway) write(r Request) ([]byte, error) { return Content(r) }

// seal signs the parameters of one call. The public ones and the signature go into the query,
// where the gateway learns the charset before it decodes anything; biz_content and
// app_auth_token go into the body: a URL ends in logs and error texts.
func (g *gateway) seal(ctx context.Context, m Merchant, r call, content []byte) (*sealed, error) {
	at := g.now()
	coded, err := g.charset.Encode(content)
	if err != nil {
		return nil, &Error{Method: r.Method(), Class: Rejected, Message: "the request is not valid, nothing was sent", Err: err}
	}
	query := g.public(m, r, at)
	body := []param{{"biz_content", string(coded)}}
	if g.content != nil && r.Method() != methodCertDownload {
		query = append(query, param{"encrypt_type", "AES"})
		body[0].value = g.content.encrypt(coded) // then it is signed
	}
	if m.AppAuthToken != "" {
		body = append(body, param{"app_auth_token", m.AppAuthToken})
	}
	text := canonical(slices.Concat(query, body))
	signer, generation := g.keys.signer()
	sig, err := signer.Sign(ctx, digestOf(g.signType.hash(), text))
	if err != nil {
		return nil, errors.Join(ErrSigner, err)
	}
	query = append(query, param{"sign", base64.StdEncoding.EncodeToString(sig)})
	u := *g.url
	u.RawQuery = string(encode(query))
	return &sealed{
		url:    &u,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=" + string(g.charset)}},
		body:   encode(body),
		secret: m.AppAuthToken,
		at:     at,
		signed: text,
		signer: generation,
	}, nil
}

// public returns the public parameters of a call but sign (common parameters of every page).
func (g *gateway) public(m Merchant, r call, at time.Time) []param {
	list := []param{
		{"app_id", g.appID},
		{"charset", string(g.charset)},
		{"format", "JSON"},
		{"method", string(r.Method())},
		{"sign_type", string(g.signType)},
		{"timestamp", FormatTime(at)},
		{"version", "1.0"},
	}
	if m.NotifyURL != "" && r.Method() == MethodTradeCreate {
		list = append(list, param{"notify_url", m.NotifyURL})
	}
	if c := g.trust.certs; c != nil { // certificate mode: both are signed like any other
		list = append(list, param{"app_cert_sn", c.AppSN()}, param{"alipay_root_cert_sn", c.RootSN()})
	}
	return list
}

func (g *gateway) checkSigner(ctx context.Context) error {
	s, _ := g.keys.signer()
	return checkSigner(ctx, s, g.signType.hash())
}

func (g *gateway) follow(old wire) error {
	o, ok := old.(*gateway)
	if !ok || o.appID != g.appID || *o.url != *g.url || (o.trust.certs == nil) != (g.trust.certs == nil) {
		return errOtherApp
	}
	if g.trust.certs != nil {
		g.trust.certs.Inherit(o.trust.certs)
	}
	g.keys, g.send = o.keys.renewed(g.keys.current, g.keys.next), o.send
	return nil
}

// param is one parameter of a request.
type param struct{ name, value string }

// canonical returns the text that is signed: every parameter that is sent but sign, sorted by
// name in byte order, name=value joined by &, values raw. sign_type is among them. It sorts
// params themselves.
func canonical(params []param) []byte {
	slices.SortFunc(params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	size := 0
	for _, p := range params {
		size += len(p.name) + len(p.value) + len("=&")
	}
	b := make([]byte, 0, size)
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	return b
}

// encode writes parameters as a form, in their order.
func encode(params []param) []byte {
	size := 0
	for _, p := range params {
		size += len(p.name) + escapedLen(p.value) + len("=&")
	}
	b := make([]byte, 0, size)
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, p.name...), '=')
		b = appendEscaped(b, p.value)
	}
	return b
}

// unescaped says which bytes stand for themselves in a form, as [url.QueryEscape] has it. That
// one returns a copy of each value: a tenth of all garbage that a call makes.
func unescaped(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func escapedLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if !unescaped(s[i]) && s[i] != ' ' {
			n += 2
		}
	}
	return n
}

func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case unescaped(c):
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// certDownload asks for one certificate of Alipay's.
type certDownload struct{ sn string }

func (*certDownload) Method() Method { return methodCertDownload }

func (*certDownload) Repeatable() bool { return true }

func (d *certDownload) content() []byte {
	return []byte(`{"alipay_cert_sn":"` + d.sn + `"}`) // hexadecimal, nothing to escape
}

// downloadChain asks the gateway for a certificate. The answer's own signature is not looked
// at, as in the official SDKs: the chain says whether it is trusted. An *Error says that there
// was no answer.
func (g *gateway) downloadChain(ctx context.Context, sn string) ([]byte, error) {
	r := &certDownload{sn: sn}
	s, err := g.seal(ctx, Merchant{}, r, r.content())
	if err != nil {
		return nil, &Error{Method: r.Method(), Class: Transient, Message: "not signed, nothing was sent", Err: err}
	}
	a, err := g.send(ctx, r, s)
	if err != nil {
		return nil, err
	}
	return g.readChain(r, a)
}

// readChain takes the chain out of the answer to a download.
func (g *gateway) readChain(r *certDownload, a *answer) ([]byte, error) {
	if a.status != http.StatusOK {
		return nil, httpError(r, a)
	}
	env, err := cutEnvelope(a.body, r.Method(), g.charset)
	if err != nil {
		return nil, unusable(r, a, err)
	}
	f, err := ParseObject(env.charset.Decode(env.node))
	if err != nil {
		return nil, unusable(r, a, err)
	}
	if code, sub := f.Text("code"), f.Text("sub_code"); code != "10000" {
		return nil, &Error{Method: r.Method(), Class: ClassifyUnsigned(r.Method(), code, sub).Class, Code: foreign(code, maxCode), SubCode: foreign(sub, maxCode)}
	}
	chain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.Text("alipay_cert_content")), ""))
	if err != nil {
		return nil, fmt.Errorf("alipay_cert_content is no Base64: %w", errUntrustedCert)
	}
	return chain, nil
}
