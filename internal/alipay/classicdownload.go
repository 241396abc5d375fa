package alipay

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

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
