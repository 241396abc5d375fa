package inspect

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/order"
)

// Planned is the request that an event becomes.
type Planned struct {
	Method    alipay.Method   `json:"method,omitempty"`
	Skipped   string          `json:"skipped,omitempty"` // the reason why nothing is called
	Content   json.RawMessage `json:"content,omitempty"`
	ToSign    string          `json:"to_sign,omitempty"`
	ToSignGBK []byte          `json:"to_sign_gbk_base64,omitempty"` // the bytes that are signed, where they are GBK; to_sign shows them as text
	SHA256    string          `json:"signed_request_sha256,omitempty"`
	Signature string          `json:"signature,omitempty"`
}

// Plan is how an event is planned and signed.
type Plan struct {
	planner       *order.Planner
	app           func(alipay.Method) (*gateway.App, error) // nil where nothing is signed
	merchant      alipay.Merchant
	showSignature bool
}

// RequestOptions say how an event is planned and signed without settings.
type RequestOptions struct {
	Channel, AppID, ClientID, Gateway string
	Charset, SignType, KeyVersion     string
	ShowSignature                     bool
}

// PlanOnly uses the default mapping, and signs nothing.
func (o RequestOptions) PlanOnly() Plan {
	return Plan{planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.Channel(o.Channel)})}
}

// PlanWithKey uses the default mapping, and signs with a key in PEM.
func (o RequestOptions) PlanWithKey(text []byte) (Plan, error) {
	p := o.PlanOnly()
	key, err := keys.ParsePrivate(text)
	if err != nil {
		return p, err
	}
	if p.showSignature = o.ShowSignature; o.ShowSignature && !showable(string(text), o.Gateway) {
		return p, ErrNotShown
	}
	p.app = func(m alipay.Method) (*gateway.App, error) { return o.signingApp(m, key) }
	return p, nil
}

// signingApp returns an app that only signs. Its Alipay key is a throwaway.
func (o RequestOptions) signingApp(m alipay.Method, key *rsa.PrivateKey) (*gateway.App, error) {
	unused, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if m == alipay.MethodHKOrderSync {
		return gateway.NewHK(gateway.HKOptions{
			URL: cmp.Or(o.Gateway, "https://open.alipay.hk"), ClientID: o.ClientID, Signer: keys.NewRSASigner(key), KeyVersion: o.KeyVersion,
			PlatformKeys: map[string]*rsa.PublicKey{"1": &unused.PublicKey},
		})
	}
	return gateway.NewOpenAPI(gateway.OpenAPIOptions{
		URL: cmp.Or(o.Gateway, "https://openapi.alipay.com/gateway.do"), AppID: o.AppID, Signer: keys.NewRSASigner(key), AlipayKey: &unused.PublicKey,
		Charset: alipay.Charset(o.Charset), SignType: alipay.SignType(o.SignType), AllowWeak: o.SignType == "RSA",
	})
}

// PlanRequest plans and signs as the bridge does with these settings.
func (a Account) PlanRequest(showSignature bool) (Plan, error) {
	planner, err := app.NewPlanner(a.Account)
	if err != nil || a.App.PrivateKeyURI != "" { // Vault is not asked to sign what is never sent
		return Plan{planner: planner}, err
	}
	if showSignature && !showable(a.App.PrivateKeyFile.Text.Reveal(), a.App.URL) {
		return Plan{}, ErrNotShown
	}
	return Plan{planner: planner, merchant: app.Merchant(a.Account), showSignature: showSignature, app: func(alipay.Method) (*gateway.App, error) {
		return app.NewAlipayApp(a.withoutRemoteKeys())
	}}, nil
}

// Request plans an event, and signs where the plan can.
func (p Plan) Request(ctx context.Context, ev order.Event) (Planned, error) {
	r, err := p.planner.Plan(ev)
	var skip *order.SkipError
	if errors.As(err, &skip) {
		return Planned{Skipped: skip.Reason}, nil
	}
	if err != nil {
		return Planned{}, err
	}
	content, err := alipay.Content(r)
	if err != nil {
		return Planned{}, err
	}
	planned := Planned{Method: r.Method(), Content: content}
	if p.app == nil {
		return planned, nil
	}
	err = p.sign(ctx, r, &planned)
	return planned, err
}

// sign adds what is signed and, if allowed, the signature.
func (p Plan) sign(ctx context.Context, r alipay.Request, planned *Planned) error {
	signing, err := p.app(r.Method())
	if err != nil {
		return err
	}
	defer signing.Close()
	preview, err := signing.Client(p.merchant).Preview(ctx, r)
	if err != nil {
		return err
	}
	planned.Content, planned.ToSign, planned.SHA256 = preview.Content, string(preview.ToSign), preview.SHA256
	if !utf8.Valid(preview.ToSign) { // JSON and terminals are in UTF-8
		planned.ToSign, planned.ToSignGBK = string(alipay.CharsetGBK.Decode(preview.ToSign)), preview.ToSign
	}
	if !utf8.Valid(preview.Content) {
		planned.Content = alipay.CharsetGBK.Decode(preview.Content)
	}
	if p.showSignature {
		planned.Signature = preview.Sign
	}
	return nil
}
