package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// Preview is a signed request that is not sent.
type Preview struct {
	Method  alipay.Method
	URL     string // without its query
	Content []byte // biz_content or the body, before encryption
	ToSign  []byte // the text that is signed, tokens hidden
	SHA256  string // of the whole signed request
	Sign    string // the signature: with the rest a credential, shown for test keys only
}

// Preview validates and signs a request and sends nothing.
func (c *Client) Preview(ctx context.Context, r alipay.Request) (Preview, error) {
	w, m := c.app.protocol(), *c.merchant.Load()
	content, err := prepare(w, m, r)
	if err != nil {
		return Preview{}, err
	}
	s, err := w.seal(ctx, m, r, content)
	if err != nil {
		return Preview{}, err
	}
	u := *s.url
	u.RawQuery = ""
	hash := sha256.Sum256(append([]byte(s.url.String()+"\n"), s.body...))
	p := Preview{Method: r.Method(), URL: u.String(), Content: content, ToSign: s.signed, SHA256: hex.EncodeToString(hash[:])}
	if p.Sign = s.url.Query().Get("sign"); p.Sign == "" {
		p.Sign = s.header.Get("Signature")
	}
	if s.secret != "" && r.Method() != alipay.MethodHKOrderSync { // HK's token is not signed
		p.ToSign = hideToken(s.signed, s.secret)
	}
	return p, nil
}

// hideToken hides a token in a text to sign.
func hideToken(text []byte, token string) []byte {
	return bytes.ReplaceAll(text, []byte("app_auth_token="+token), []byte("app_auth_token="+keys.Hidden))
}
