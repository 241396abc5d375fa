package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// plannedRequest is the request that an event becomes.
type plannedRequest struct {
	Method    alipay.Method   `json:"method,omitempty"`
	Skipped   string          `json:"skipped,omitempty"` // the reason why nothing is called
	Content   json.RawMessage `json:"content,omitempty"`
	ToSign    string          `json:"to_sign,omitempty"`
	SHA256    string          `json:"signed_request_sha256,omitempty"`
	Signature string          `json:"signature,omitempty"`
}

// requestPlan is how an event is planned and signed.
type requestPlan struct {
	planner       *order.Planner
	app           func(alipay.Method) (*alipay.App, error) // nil where nothing is signed
	merchant      alipay.Merchant
	showSignature bool
}

// requestOptions say how an event is planned and signed without settings.
type requestOptions struct {
	channel, appID, clientID, gateway string
	charset, signType, keyVersion     string
	showSignature                     bool
}

// planOnly uses the default mapping, and signs nothing.
func (o requestOptions) planOnly() requestPlan {
	return requestPlan{planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.Channel(o.channel)})}
}

// planWithKey uses the default mapping, and signs with a key in PEM.
func (o requestOptions) planWithKey(text []byte) (requestPlan, error) {
	p := o.planOnly()
	key, err := alipay.ParsePrivateKey(text)
	if err != nil {
		return p, err
	}
	if p.showSignature = o.showSignature; o.showSignature && !showable(string(text), o.gateway) {
		return p, errNotShown
	}
	p.app = func(m alipay.Method) (*alipay.App, error) { return o.signingApp(m, key) }
	return p, nil
}

// signingApp signs only. What it would verify answers with is a key that is thrown away.
func (o requestOptions) signingApp(m alipay.Method, key *rsa.PrivateKey) (*alipay.App, error) {
	unused, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if m == alipay.MethodHKOrderSync {
		return alipay.NewHK(alipay.HKOptions{
			URL: cmp.Or(o.gateway, "https://open.alipay.hk"), ClientID: o.clientID, Signer: alipay.NewRSASigner(key), KeyVersion: o.keyVersion,
			PlatformKeys: map[string]*rsa.PublicKey{"1": &unused.PublicKey},
		})
	}
	return alipay.NewOpenAPI(alipay.OpenAPIOptions{
		URL: cmp.Or(o.gateway, "https://openapi.alipay.com/gateway.do"), AppID: o.appID, Signer: alipay.NewRSASigner(key), AlipayKey: &unused.PublicKey,
		Charset: alipay.Charset(o.charset), SignType: alipay.SignType(o.signType), AllowWeak: o.signType == "RSA",
	})
}

// planRequest plans and signs as the bridge does with these settings.
func (a inspectedAccount) planRequest(showSignature bool) (requestPlan, error) {
	planner, err := plannerOf(a.account)
	if err != nil || a.app.PrivateKeyURI != "" { // Vault is not asked to sign what is not sent
		return requestPlan{planner: planner}, err
	}
	if showSignature && !showable(a.app.PrivateKeyFile.Text.Reveal(), a.app.URL) {
		return requestPlan{}, errNotShown
	}
	return requestPlan{planner: planner, merchant: merchantOf(a.account), showSignature: showSignature, app: func(alipay.Method) (*alipay.App, error) {
		return appOf(a.withoutRemoteKeys())
	}}, nil
}

// request plans an event, and signs where the plan can.
func (p requestPlan) request(ctx context.Context, ev order.Event) (plannedRequest, error) {
	r, err := p.planner.Plan(ev)
	var skip *order.SkipError
	if errors.As(err, &skip) {
		return plannedRequest{Skipped: skip.Reason}, nil
	}
	if err != nil {
		return plannedRequest{}, err
	}
	content, err := alipay.Content(r)
	if err != nil {
		return plannedRequest{}, err
	}
	planned := plannedRequest{Method: r.Method(), Content: content}
	if p.app == nil {
		return planned, nil
	}
	err = p.sign(ctx, r, &planned)
	return planned, err
}

// sign adds what signing gives.
func (p requestPlan) sign(ctx context.Context, r alipay.Request, planned *plannedRequest) error {
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
	if p.showSignature {
		planned.Signature = preview.Sign
	}
	return nil
}
