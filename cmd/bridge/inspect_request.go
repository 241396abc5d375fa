package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// requestFlags say how an event is planned and signed.
type requestFlags struct {
	from                                   accountFlags
	channel, key, appID, clientID, gateway string
	charset, signType, keyVersion          string
	showSignature                          bool
	out                                    output
}

func inspectRequestCommand() *cobra.Command {
	var k requestFlags
	c := &cobra.Command{
		Use:   "request EVENT.json",
		Short: "Show the request that an order event becomes, without sending it",
		Long: `Request plans an event as the default mapping does and prints the content. With --key it also
prints the text that is signed, tokens hidden, and the SHA-256 of the signed request. The
signature itself is a credential: it is shown only for keys that bridge simulate made.

With --account it plans and signs as the bridge does with those settings.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := k.out.check(); err != nil {
				return err
			}
			ev, err := parseFile(c, args[0], order.NewCodec(nil).EventFromJSON)
			if err != nil {
				return err
			}
			return k.show(c, c.OutOrStdout(), ev)
		},
	}
	k.from.flags(c)
	f := c.Flags()
	f.StringVar(&k.channel, "channel", "TRADE", "channel of events of channel ACCOUNT: TRADE, CREDIT, HK or KOUBEI")
	f.StringVar(&k.key, "key", "", "`file` with our private key")
	f.StringVar(&k.appID, "app-id", "2021000000000001", "app id at the classic gateway")
	f.StringVar(&k.clientID, "client-id", "CLIENT", "Client-Id at AlipayHK")
	f.StringVar(&k.keyVersion, "key-version", "1", "version of our key at AlipayHK")
	f.StringVar(&k.gateway, "gateway", "", "`URL` that the request would go to (default: the production gateway)")
	f.StringVar(&k.charset, "charset", "utf-8", "utf-8, gbk or gb2312")
	f.StringVar(&k.signType, "sign-type", "RSA2", "RSA2 or RSA")
	f.BoolVar(&k.showSignature, "show-signature", false, "show the signature (simulator only)")
	k.out.flag(c)
	return c
}

// loopback says whether an address is on this machine.
func loopback(gateway string) bool {
	u, err := url.Parse(gateway)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// planned is what inspect request prints.
type planned struct {
	Method    alipay.Method   `json:"method,omitempty"`
	Skipped   string          `json:"skipped,omitempty"` // the reason why nothing is called
	Content   json.RawMessage `json:"content,omitempty"`
	ToSign    string          `json:"to_sign,omitempty"`
	SHA256    string          `json:"signed_request_sha256,omitempty"`
	Signature string          `json:"signature,omitempty"`
}

func (k *requestFlags) show(c *cobra.Command, w io.Writer, ev order.Event) error {
	p, err := k.plan(c, ev)
	if err != nil {
		return err
	}
	w = safeWriter(w)
	if k.out == "json" {
		return printJSON(w, p)
	}
	for _, l := range [][2]string{
		{"method", string(p.Method)}, {"skipped", p.Skipped}, {"content", string(p.Content)}, {"to_sign", p.ToSign},
		{"signed_request_sha256", p.SHA256}, {"signature", p.Signature},
	} {
		if l[1] == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, l[0]+"\t"+l[1]); err != nil {
			return err
		}
	}
	return nil
}

func (k *requestFlags) plan(c *cobra.Command, ev order.Event) (planned, error) {
	by, err := k.signing(c)
	if err != nil {
		return planned{}, err
	}
	r, err := by.planner.Plan(ev)
	var skip *order.SkipError
	if errors.As(err, &skip) {
		return planned{Skipped: skip.Reason}, nil
	}
	if err != nil {
		return planned{}, err
	}
	content, err := alipay.Content(r)
	if err != nil {
		return planned{}, err
	}
	p := planned{Method: r.Method(), Content: content}
	if by.app == nil {
		return p, nil
	}
	return k.sign(c.Context(), p, r, by)
}

// signing is how an event is planned and signed; app is nil where nothing is signed.
type signing struct {
	planner  *order.Planner
	app      func(alipay.Method) (*alipay.App, error)
	merchant alipay.Merchant
}

// signing comes from the account, or from flags and the default mapping.
func (k *requestFlags) signing(c *cobra.Command) (signing, error) {
	if k.from.name != "" {
		return k.ofAccount(c)
	}
	s := signing{planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.Channel(k.channel)})}
	if k.key == "" {
		return s, nil
	}
	text, err := readFile(c, k.key)
	if err != nil {
		return s, err
	}
	key, err := alipay.ParsePrivateKey(text)
	if err != nil {
		return s, fmt.Errorf("%s: %w", k.key, err)
	}
	if k.showSignature && !showable(string(text), k.gateway) {
		return s, errNotShown
	}
	s.app = func(m alipay.Method) (*alipay.App, error) { return k.app(m, key) }
	return s, nil
}

func (k *requestFlags) ofAccount(c *cobra.Command) (signing, error) {
	in, err := k.from.load(c, "", "channel", "key", "app-id", "client-id", "key-version", "gateway", "charset", "sign-type")
	if err != nil {
		return signing{}, err
	}
	planner, err := plannerOf(in.account)
	if err != nil || in.app.PrivateKeyURI != "" { // Vault is not asked to sign what is not sent
		return signing{planner: planner}, err
	}
	if k.showSignature && !showable(in.app.PrivateKeyFile.Text.Reveal(), in.app.URL) {
		return signing{}, errNotShown
	}
	return signing{planner: planner, merchant: merchantOf(in.account), app: func(alipay.Method) (*alipay.App, error) {
		return appOf(in.quiet())
	}}, nil
}

// sign adds what signing gives.
func (k *requestFlags) sign(ctx context.Context, p planned, r alipay.Request, by signing) (planned, error) {
	app, err := by.app(r.Method())
	if err != nil {
		return planned{}, err
	}
	defer app.Close()
	preview, err := app.Client(by.merchant).Preview(ctx, r)
	if err != nil {
		return planned{}, err
	}
	p.Content, p.ToSign, p.SHA256 = preview.Content, string(preview.ToSign), preview.SHA256
	if k.showSignature {
		p.Signature = preview.Sign
	}
	return p, nil
}

// app signs only. What it would verify answers with is a key that is thrown away.
func (k *requestFlags) app(m alipay.Method, key *rsa.PrivateKey) (*alipay.App, error) {
	unused, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	nobody := &unused.PublicKey
	if m == alipay.MethodHKOrderSync {
		return alipay.NewHK(alipay.HKOptions{
			URL: cmp.Or(k.gateway, "https://open.alipay.hk"), ClientID: k.clientID, Signer: alipay.NewRSASigner(key), KeyVersion: k.keyVersion,
			PlatformKeys: map[string]*rsa.PublicKey{"1": nobody},
		})
	}
	return alipay.NewOpenAPI(alipay.OpenAPIOptions{
		URL: cmp.Or(k.gateway, "https://openapi.alipay.com/gateway.do"), AppID: k.appID, Signer: alipay.NewRSASigner(key), AlipayKey: nobody,
		Charset: alipay.Charset(k.charset), SignType: alipay.SignType(k.signType), AllowWeak: k.signType == "RSA",
	})
}
