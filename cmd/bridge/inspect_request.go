package main

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/inspect"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
)

// requestFlags say how an event is planned and signed.
type requestFlags struct {
	inspect.RequestOptions
	from   accountFlags
	key    string
	format output.Format
}

func inspectRequestCommand() *cobra.Command {
	var k requestFlags
	c := &cobra.Command{
		Use:   "request EVENT.json",
		Short: "Show the request that an order event becomes, without sending it",
		Long: `Request maps an event to a call with the default mapping and prints its content.
With --key it also prints the text to sign, without tokens, and the SHA-256 of
the signed request. The signature itself is a credential: it is shown only for
keys that bridge simulate made.

With --account it maps and signs as the bridge does with these settings.`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			ev, err := parseFile(c, args[0], order.NewCodec(nil).EventFromJSON)
			if err != nil {
				return err
			}
			return k.show(c, output.New(c.OutOrStdout(), k.format), ev)
		},
	}
	k.from.flags(c)
	f := c.Flags()
	f.StringVar(&k.Channel, "channel", "TRADE", "`channel` of events with channel ACCOUNT: TRADE, CREDIT, HK or KOUBEI")
	f.StringVar(&k.key, "key", "", "`file` with our private key")
	f.StringVar(&k.AppID, "app-id", "2021000000000001", "app id at the classic gateway")
	f.StringVar(&k.ClientID, "client-id", "CLIENT", "Client-Id at AlipayHK")
	f.StringVar(&k.KeyVersion, "key-version", "1", "version of our key at AlipayHK")
	f.StringVar(&k.Gateway, "gateway", "", "`URL` to which the request would be sent (default: the production gateway)")
	f.StringVar(&k.Charset, "charset", "utf-8", "utf-8, gbk or gb2312")
	f.StringVar(&k.SignType, "sign-type", "RSA2", "RSA2 or RSA")
	f.BoolVar(&k.ShowSignature, "show-signature", false, "show the signature (only for the simulator)")
	formatFlag(c, &k.format, "text or json")
	return c
}

func (k *requestFlags) show(c *cobra.Command, p output.Printer, ev order.Event) error {
	plan, err := k.plan(c)
	if errors.Is(err, inspect.ErrNotShown) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	r, err := plan.Request(c.Context(), ev)
	if err != nil {
		return err
	}
	if !p.Text() {
		return p.Object(r)
	}
	for _, l := range [][2]string{
		{"method", string(r.Method)}, {"skipped", r.Skipped}, {"content", string(r.Content)}, {"to_sign", r.ToSign}, {"to_sign_gbk_base64", base64.StdEncoding.EncodeToString(r.ToSignGBK)},
		{"signed_request_sha256", r.SHA256}, {"signature", r.Signature},
	} {
		if l[1] == "" {
			continue
		}
		if err := p.Line(l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// plan comes from the account, or from flags and the default mapping.
func (k *requestFlags) plan(c *cobra.Command) (inspect.Plan, error) {
	if k.from.name != "" {
		in, err := k.from.load(c, "", "channel", "key", "app-id", "client-id", "key-version", "gateway", "charset", "sign-type")
		if err != nil {
			return inspect.Plan{}, err
		}
		return in.PlanRequest(k.ShowSignature)
	}
	if k.key == "" {
		return k.PlanOnly(), nil
	}
	text, err := readFile(c, k.key)
	if err != nil {
		return inspect.Plan{}, err
	}
	p, err := k.PlanWithKey(text)
	if err != nil && !errors.Is(err, inspect.ErrNotShown) {
		err = fmt.Errorf("%s: %w", k.key, err)
	}
	return p, err
}
