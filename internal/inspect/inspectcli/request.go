package inspectcli

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/inspect"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
)

// requestFlags say how an event is planned and signed.
type requestFlags struct {
	inspect.RequestOptions
	from accountFlags
	key  string
	out  command.Answer
}

func requestCommand() *cobra.Command {
	var k requestFlags
	c := &cobra.Command{
		Use:   "request EVENT.json",
		Short: "Show the request that an order event becomes, without sending it",
		Long: `Request maps an event to a call with the default mapping and prints its content.
With --key it also prints the text to sign, without tokens, and the SHA-256 of
the signed request. The signature itself is a credential: it is shown only for
keys that bridge simulate made.

With --account it maps and signs as the bridge does with these settings.`,
		Args: command.Exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			ev, err := parseFile(c, args[0], order.NewCodec(nil).EventFromJSON)
			if err != nil {
				return err
			}
			return k.show(c, k.out.Printer(c), ev)
		},
	}
	k.from.flags(c)
	f := c.Flags()
	command.WordFlag(c, &k.Channel, "channel", "TRADE", "`channel` of events with channel ACCOUNT: TRADE, CREDIT, HK or KOUBEI", "TRADE", "CREDIT", "HK", "KOUBEI")
	f.StringVar(&k.key, "key", "", "`file` with our private key")
	f.StringVar(&k.AppID, "app-id", "2021000000000001", "app id at the classic gateway")
	f.StringVar(&k.ClientID, "client-id", "CLIENT", "Client-Id at AlipayHK")
	f.StringVar(&k.KeyVersion, "key-version", "1", "version of our key at AlipayHK")
	f.StringVar(&k.Gateway, "gateway", "", "`URL` to which the request would be sent (default: the production gateway)")
	command.WordFlag(c, &k.Charset, "charset", "utf-8", "utf-8, gbk or gb2312", "utf-8", "gbk", "gb2312")
	command.WordFlag(c, &k.SignType, "sign-type", "RSA2", "RSA2 or RSA", "RSA2", "RSA")
	f.BoolVar(&k.ShowSignature, "show-signature", false, "show the signature (only for the simulator)")
	k.out.Flag(c, "inspect-request", output.Prose())
	return c
}

func (k *requestFlags) show(c *cobra.Command, p output.Printer, ev order.Event) error {
	plan, err := k.plan(c)
	if errors.Is(err, inspect.ErrNotShown) {
		return command.Usage(err)
	}
	if err != nil {
		return err
	}
	r, err := plan.Request(c.Context(), ev)
	if err != nil {
		return err
	}
	if p.Data() {
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
