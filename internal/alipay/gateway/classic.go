package gateway

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// classic is the classic gateway: it seals requests as signed parameters and opens answers
// by the exact bytes of their node.
type classic struct {
	url      *url.URL
	appID    string
	signType alipay.SignType
	charset  alipay.Charset
	keys     *keys.Rotation     // ours
	trust    *trust             // Alipay's
	content  *encryption.AESKey // nil: contents are sent in plain
	log      *slog.Logger
	weak     bool         // SHA-1 and short keys are permitted
	seen     *seenAnswers // signatures of earlier answers
	now      func() time.Time

	// send makes an HTTP exchange: certificate mode downloads a certificate that it does not
	// know. nil: nothing is downloaded.
	send func(ctx context.Context, r call, s *sealedRequest) (*answer, error)
}

// newClassic checks keys, charset and sign type of the options.
func newClassic(o OpenAPIOptions) (*classic, error) {
	if o.AppID == "" || len(o.AppID) > 32 || o.Signer == nil {
		return nil, errors.New("alipay: an app needs an app id of up to 32 characters and a signer")
	}
	g, err := newClassicReader(o)
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
	g.keys = keys.NewRotation(current, next)
	return g, nil
}

// newClassicReader returns a gateway that can open answers and seals nothing.
func newClassicReader(o OpenAPIOptions) (*classic, error) {
	t, err := newTrust(o)
	if err != nil {
		return nil, err
	}
	g := &classic{
		appID: o.AppID, signType: cmp.Or(o.SignType, alipay.SignRSA2), charset: cmp.Or(o.Charset, alipay.CharsetUTF8),
		keys: keys.NewRotation(nil, nil), trust: t, content: o.AES, now: t.now, weak: o.AllowWeak, seen: newSeenAnswers(), log: orDiscard(o.Log),
	}
	if !g.charset.Known() {
		return nil, fmt.Errorf("alipay: the charset is not one of %s, %s, %s", alipay.CharsetUTF8, alipay.CharsetGBK, alipay.CharsetGB2312)
	}
	if g.signType.Hash() == 0 || g.signType == alipay.SignRSA && !o.AllowWeak {
		return nil, errors.New("alipay: the sign type is not RSA2; RSA (SHA-1) needs allow_weak")
	}
	return g, nil
}

// accept checks a signer of ours: not Alipay's key, strong enough, and in certificate mode the
// one that the application certificate names. nil: there is none.
func (g *classic) accept(s keys.Signer) (keys.Signer, error) {
	if s == nil {
		return nil, nil
	}
	pub, rsaKey := keys.PublicOf(s).(*rsa.PublicKey)
	switch {
	case keys.PublicOf(s) != nil && !rsaKey:
		return nil, errors.New("alipay: the classic gateway supports RSA keys only")
	case rsaKey && !g.weak && pub.N.BitLen() < strongKeyBits:
		return nil, fmt.Errorf("alipay: our own key has %d bits, fewer than %d; use a longer key, or set allow_weak", pub.N.BitLen(), strongKeyBits)
	case rsaKey && g.trust.certs != nil && !pub.Equal(g.trust.certs.AppKey()):
		return nil, errors.New("alipay: the private key is not that of the application certificate")
	}
	for _, k := range g.trust.keys {
		if keys.Holds(s, k.Key) {
			return nil, errOwnKey("Alipay key")
		}
	}
	return keys.Verifying(s)
}

// gatewayPath is the path of the classic gateway (common parameters, "request address").
const gatewayPath = "/gateway.do"

func (g *classic) supports(m alipay.Method) bool { return m != alipay.MethodHKOrderSync }

func (g *classic) write(r alipay.Request) ([]byte, error) { return alipay.Content(r) }

// seal signs the parameters of one call. The public ones and the signature go into the query,
// where the gateway learns the charset before it decodes anything; biz_content and
// app_auth_token go into the body: URLs end up in logs and error texts.
func (g *classic) seal(ctx context.Context, m alipay.Merchant, r call, content []byte) (*sealedRequest, error) {
	at := g.now()
	coded, err := g.charset.Encode(content)
	if err != nil {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Rejected, Message: "the request is not valid; nothing was sent", Err: err}
	}
	query := g.public(m, r, at)
	body := []form.Param{{Name: "biz_content", Value: string(coded)}}
	if g.content != nil && r.Method() != certs.MethodDownload {
		query = append(query, form.Param{Name: "encrypt_type", Value: "AES"})
		body[0].Value = g.content.Encrypt(coded) // then it is signed
	}
	if m.AppAuthToken != "" {
		body = append(body, form.Param{Name: "app_auth_token", Value: m.AppAuthToken})
	}
	text := form.Canonical(slices.Concat(query, body))
	signer, generation := g.keys.Signer()
	sig, err := signer.Sign(ctx, keys.Digest(g.signType.Hash(), text))
	if err != nil {
		return nil, errors.Join(keys.ErrSigner, err)
	}
	query = append(query, form.Param{Name: "sign", Value: base64.StdEncoding.EncodeToString(sig)})
	u := *g.url
	u.RawQuery = string(form.Encode(query))
	return &sealedRequest{
		url:        &u,
		header:     http.Header{"Content-Type": {"application/x-www-form-urlencoded;charset=" + string(g.charset)}},
		body:       form.Encode(body),
		secret:     m.AppAuthToken,
		at:         at,
		signed:     text,
		generation: generation,
	}, nil
}

// public returns the public parameters of a call except sign (common parameters of every page).
func (g *classic) public(m alipay.Merchant, r call, at time.Time) []form.Param {
	list := []form.Param{
		{Name: "app_id", Value: g.appID},
		{Name: "charset", Value: string(g.charset)},
		{Name: "format", Value: "JSON"},
		{Name: "method", Value: string(r.Method())},
		{Name: "sign_type", Value: string(g.signType)},
		{Name: "timestamp", Value: alipay.FormatTime(at)},
		{Name: "version", Value: "1.0"},
	}
	if m.NotifyURL != "" && r.Method() == alipay.MethodTradeCreate {
		list = append(list, form.Param{Name: "notify_url", Value: m.NotifyURL})
	}
	if c := g.trust.certs; c != nil { // certificate mode: both are signed like any other
		list = append(list, form.Param{Name: "app_cert_sn", Value: c.AppSN()}, form.Param{Name: "alipay_root_cert_sn", Value: c.RootSN()})
	}
	return list
}

func (g *classic) checkSigner(ctx context.Context) error {
	s, _ := g.keys.Signer()
	return keys.CheckSigner(ctx, s, g.signType.Hash())
}

func (g *classic) inherit(old protocol) error {
	o, ok := old.(*classic)
	if !ok || o.appID != g.appID || *o.url != *g.url || (o.trust.certs == nil) != (g.trust.certs == nil) {
		return errOtherApp
	}
	if g.trust.certs != nil {
		g.trust.certs.Inherit(o.trust.certs)
	}
	g.keys, g.send, g.seen = o.keys.Renewed(g.keys), o.send, o.seen
	return nil
}

// certDownload requests one certificate of Alipay's.
type certDownload struct{ sn string }

func (*certDownload) Method() alipay.Method { return certs.MethodDownload }

func (*certDownload) Repeatable() bool { return true }

func (d *certDownload) content() []byte {
	return []byte(`{"alipay_cert_sn":"` + d.sn + `"}`) // hexadecimal, nothing to escape
}

// downloadChain downloads a certificate from the gateway. The answer's own signature is not
// checked, as in the official SDKs: the chain decides whether it is trusted. An *alipay.Error
// means that there was no answer.
func (g *classic) downloadChain(ctx context.Context, sn string) ([]byte, error) {
	r := &certDownload{sn: sn}
	s, err := g.seal(ctx, alipay.Merchant{}, r, r.content())
	if err != nil {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Transient, Message: "not signed; nothing was sent", Err: err}
	}
	a, err := g.send(ctx, r, s)
	if err != nil {
		return nil, err
	}
	return g.readChain(r, a)
}

// readChain reads the chain in the answer to a download.
func (g *classic) readChain(r *certDownload, a *answer) ([]byte, error) {
	if a.status != http.StatusOK {
		return nil, httpError(r, a)
	}
	parts, err := cutAnswer(a.body, r.Method(), g.charset)
	if err != nil {
		return nil, unusable(r, a, err)
	}
	f, err := jsonscan.ParseObject(parts.charset.Decode(parts.node))
	if err != nil {
		return nil, unusable(r, a, err)
	}
	if code, sub := f.Text("code"), f.Text("sub_code"); code != "10000" {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.ClassifyUnsigned(r.Method(), code, sub).Class, Code: sanitize(code, maxCode), SubCode: sanitize(sub, maxCode)}
	}
	chain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.Text("alipay_cert_content")), ""))
	if err != nil {
		return nil, fmt.Errorf("alipay_cert_content is not Base64: %w", certs.ErrUntrusted)
	}
	return chain, nil
}

// invalidSignature is the sub_code with which the gateway refuses a request's signature. Its
// sub_msg echoes the text that the gateway computed, HTML-escaped.
const invalidSignature = "isv.invalid-signature"

// refused adds to a refusal of our signature what differs, and switches to the next signing
// key if the texts are equal. Only a signed refusal switches.
func (g *classic) refused(s *sealedRequest, e *alipay.Error, subMsg string, verified bool) {
	m := form.CompareEcho(string(g.charset.Decode(s.signed)), subMsg)
	if m != nil {
		e.Err = m
	}
	if !verified || m != nil && m.Offset >= 0 {
		return
	}
	again, switched := g.keys.Refused(s.generation, g.now())
	if again { // a refusal of our old key: Alipay works
		e.Class, e.Scope, e.Proof, e.Healthy = alipay.Transient, alipay.ScopeNone, alipay.ProofNone, true
	}
	if switched {
		g.log.Warn("Alipay refused the signature of our key; the next private key is in use from now on: put it in place of the present one in the settings",
			"own_keys", g.keys.Fingerprints())
		e.Alert, e.Message = true, "the signature was refused: switched to the next signing key"
	}
}
