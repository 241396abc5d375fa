package inspectcli

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/inspect"
	"alipay-kafka-bridge/internal/output"
)

// classicKeys are the flags with what a classic answer or notification is verified with.
type classicKeys struct {
	from                        accountFlags
	alipayKey, ownKey           string
	appCert, alipayCert, rootCA string
	chains                      []string
	aesKey, charset, signType   string
	weak                        bool
}

func (k *classicKeys) flags(c *cobra.Command) {
	k.from.flags(c)
	f := c.Flags()
	f.StringVar(&k.alipayKey, "alipay-key", "", "`file` with the public key that Alipay's console shows")
	f.StringVar(&k.ownKey, "own-key", "", "`file` with our own key, private or public, to detect that it was configured as Alipay's")
	f.StringVar(&k.appCert, "app-cert", "", "application certificate `file` (certificate mode)")
	f.StringVar(&k.alipayCert, "alipay-cert", "", "Alipay certificate `file` (certificate mode)")
	f.StringVar(&k.rootCA, "root-cert", "", "Alipay's root bundle `file` (certificate mode)")
	f.StringArrayVar(&k.chains, "chain", nil, "`file` with a downloaded certificate chain, to be verified and used")
	command.WordFlag(c, &k.signType, "sign-type", "RSA2", "RSA2 or RSA", "RSA2", "RSA")
	f.BoolVar(&k.weak, "allow-weak", false, "accept RSA (SHA-1) and keys below 2048 bits")
}

// options reads the files of the flags, or those of the account. It returns a failed step for each
// chain that is not trusted.
func (k *classicKeys) options(c *cobra.Command) (o gateway.OpenAPIOptions, failed []gateway.Step, err error) {
	if k.from.name == "" {
		return k.ofFlags(c)
	}
	in, err := k.from.load(c, config.OpenAPI, "alipay-key", "own-key", "app-cert", "alipay-cert", "root-cert", "sign-type", "allow-weak")
	if err != nil {
		return o, nil, err
	}
	if o, err = in.OpenAPI(); err != nil {
		return o, nil, err
	}
	if c.Flags().Changed("charset") {
		o.Charset = alipay.Charset(k.charset)
	}
	failed, err = k.judgeChains(c, o.Certificates)
	return o, failed, err
}

func (k *classicKeys) ofFlags(c *cobra.Command) (o gateway.OpenAPIOptions, failed []gateway.Step, err error) {
	o = gateway.OpenAPIOptions{SignType: alipay.SignType(k.signType), Charset: alipay.Charset(k.charset), AllowWeak: k.weak}
	if o.AlipayKey, err = parseFile(c, k.alipayKey, keys.ParsePublic); err != nil {
		return o, nil, err
	}
	if o.AES, err = parseFile(c, k.aesKey, encryption.ParseAESKey); err != nil {
		return o, nil, err
	}
	own, err := parseFile(c, k.ownKey, inspect.ParseOwnKey)
	if err != nil {
		return o, nil, err
	}
	if own != nil {
		o.Signer = inspect.PublicOnly(own)
	}
	if k.alipayCert == "" && o.AlipayKey == nil {
		return o, nil, command.Usage(errors.New("a key of Alipay is missing; use --alipay-key, or --app-cert, --alipay-cert and --root-cert together"))
	}
	if k.alipayCert != "" {
		failed, err = k.certificates(c, &o)
	}
	return o, failed, err
}

func (k *classicKeys) certificates(c *cobra.Command, o *gateway.OpenAPIOptions) (failed []gateway.Step, err error) {
	asIs := func(b []byte) ([]byte, error) { return b, nil }
	var files certs.Options
	if files.App, err = parseFile(c, k.appCert, asIs); err != nil {
		return nil, err
	}
	if files.Alipay, err = parseFile(c, k.alipayCert, asIs); err != nil {
		return nil, err
	}
	if files.Root, err = parseFile(c, k.rootCA, asIs); err != nil {
		return nil, err
	}
	if o.Certificates, err = certs.New(files); err != nil {
		return nil, err
	}
	return k.judgeChains(c, o.Certificates)
}

// judgeChains adds downloaded chains to the store, if they can be trusted.
func (k *classicKeys) judgeChains(c *cobra.Command, certs *certs.Store) (failed []gateway.Step, err error) {
	if len(k.chains) > 0 && certs == nil {
		return nil, command.Usage(errors.New("--chain can be used only in certificate mode"))
	}
	for _, name := range k.chains {
		chain, err := readFile(c, name)
		if err != nil {
			return nil, err
		}
		if err := certs.Add(chain); err != nil {
			failed = append(failed, gateway.Step{Name: "certificate", Detail: fmt.Sprintf("%s is not trusted: %v", name, err)})
		}
	}
	return failed, nil
}

// responseFlags are the flags of inspect response.
type responseFlags struct {
	classicKeys
	out          command.Answer
	method, sent string
}

func responseCommand() *cobra.Command {
	var k responseFlags
	c := &cobra.Command{
		Use:   "response --method METHOD FILE",
		Short: "Explain an answer of the classic gateway",
		Long: `Response explains an answer. If Alipay refused the signature of the request, its
answer shows the text that it verified. With --request, this text is compared
with the text that the request signed, by the names of parameters.`,
		Args: command.Exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return k.run(c, args[0]) },
	}
	k.flags(c)
	k.out.Flag(c, "inspect", output.Prose())
	c.Flags().StringVar(&k.sent, "request", "", "`file` with the captured request, including its first line")
	c.Flags().StringVar(&k.method, "method", "", "`method` that was called, such as alipay.trade.query")
	c.Flags().StringVar(&k.aesKey, "aes-key", "", "`file` with the AES key of content encryption")
	command.WordFlag(c, &k.charset, "charset", "utf-8", "`charset` of the request: utf-8, gbk or gb2312", "utf-8", "gbk", "gb2312")
	return c
}

func (k *responseFlags) run(c *cobra.Command, name string) error {
	if k.method == "" {
		return command.Usage(errors.New("--method is required: the answer does not name the method"))
	}
	o, failed, err := k.options(c)
	if err != nil {
		return err
	}
	captured, err := parseFile(c, name, inspect.ReadCapture)
	if err != nil {
		return err
	}
	status, err := captured.Status()
	if err != nil {
		return err
	}
	signed, err := parseFile(c, k.sent, inspect.SignedText)
	if err != nil {
		return err
	}
	if _, err := o.Explain(alipay.Method(k.method), status, captured.Body, signed); err != nil {
		return err
	}
	e := inspect.Explain(inspect.ReadingsOfAnswer(captured), inspect.RepairsOfAnswer, func(body []byte) gateway.Explanation {
		e, _ := o.Explain(alipay.Method(k.method), status, body, signed) // the options were accepted above
		return e
	})
	return printExplanation(k.out.Printer(c), inspect.PrependFailures(failed, e))
}

func notificationCommand() *cobra.Command {
	var (
		flags classicKeys
		out   command.Answer
		v     gateway.VerifierOptions
	)
	c := &cobra.Command{
		Use:   "notification FILE",
		Short: "Explain a notification",
		Long: `Notification reads the raw body of a POST to notify_url. Class DONE means
accepted, REJECTED means that it belongs to another merchant, and UNTRUSTED that
it is not proven to come from Alipay.`,
		Args: command.Exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			o, failed, err := flags.options(c)
			if err != nil {
				return err
			}
			v.AlipayKey, v.MoreKeys, v.Certificates, v.SignType, v.AllowWeak = o.AlipayKey, o.MoreKeys, o.Certificates, o.SignType, o.AllowWeak
			if flags.from.name != "" {
				if err := flags.from.owner(c, &v); err != nil {
					return err
				}
			}
			verifier, err := gateway.NewVerifier(v)
			if err != nil {
				return command.Usage(err)
			}
			captured, err := parseFile(c, args[0], inspect.ReadCapture)
			if err != nil {
				return err
			}
			e := inspect.Explain(inspect.ReadingsOfNotification(captured), inspect.RepairsOfNotification, func(body []byte) gateway.Explanation {
				return verifier.Explain(body, inspect.PublicHalf(o.Signer))
			})
			return printExplanation(out.Printer(c), inspect.PrependFailures(failed, e))
		},
	}
	flags.flags(c)
	out.Flag(c, "inspect", output.Prose())
	c.Flags().StringVar(&v.AppID, "app-id", "", "`id` of our app")
	c.Flags().StringArrayVar(&v.SellerIDs, "seller-id", nil, "`id` of a seller that is ours")
	c.Flags().StringArrayVar(&v.SellerEmails, "seller-email", nil, "`address` of a seller that is ours")
	c.Flags().StringVar(&v.AuthAppID, "auth-app-id", "", "`id` of our authorised app")
	return c
}

// hkFlags are the flags with what an answer of AlipayHK is verified with.
type hkFlags struct {
	from                          accountFlags
	platform, platformEC, decrypt []string
	ownKey, clientID, request     string
	path                          string
	sha256, p1363                 bool
	out                           command.Answer
}

func hkCommand() *cobra.Command {
	var k hkFlags
	c := &cobra.Command{
		Use:   "hk-response --request FILE FILE",
		Short: "Explain an answer of AlipayHK",
		Long: `Hk-response needs the answer with its headers. The signed text begins with the
path and the Client-Id of the request. They are read from the captured request,
or given with --path and --client-id.`,
		Args: command.Exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return k.run(c, args[0]) },
	}
	k.from.flags(c)
	f := c.Flags()
	f.StringVar(&k.request, "request", "", "`file` with the captured request")
	f.StringVar(&k.path, "path", "", "`path` of the request, instead of --request")
	f.StringVar(&k.clientID, "client-id", "", "our Client-Id, instead of --request")
	f.StringArrayVar(&k.platform, "platform-key", nil, "public key of the platform, as `VERSION=FILE`")
	f.StringArrayVar(&k.platformEC, "platform-ec-key", nil, "ECC224 key of the platform, as `VERSION=FILE`")
	f.BoolVar(&k.sha256, "ecc-sha256", false, "ECC224 signatures use SHA-256")
	f.BoolVar(&k.p1363, "ecc-p1363", false, "ECC224 signatures are r and s (P1363) instead of DER")
	f.StringArrayVar(&k.decrypt, "decrypt-key", nil, "our private key for decryption, as `VERSION=FILE`")
	f.StringVar(&k.ownKey, "own-key", "", "`file` with our own key, private or public, to detect that it was configured as the platform's")
	k.out.Flag(c, "inspect", output.Prose())
	return c
}

func (k *hkFlags) run(c *cobra.Command, name string) error {
	o, path, err := k.options(c)
	if err != nil {
		return err
	}
	captured, err := parseFile(c, name, inspect.ReadCapture)
	if err != nil {
		return err
	}
	status, err := captured.Status()
	if err != nil {
		return err
	}
	if _, err := o.Explain(path, status, captured.Header, captured.Body); err != nil {
		return err
	}
	e := inspect.Explain(inspect.ReadingsOfAnswer(captured), inspect.RepairsOfAnswer, func(body []byte) gateway.Explanation {
		e, _ := o.Explain(path, status, captured.Header, body) // the options were accepted above
		return e
	})
	return printExplanation(k.out.Printer(c), e)
}

// options reads the files of the flags, or those of the account, and path and Client-Id of the request.
func (k *hkFlags) options(c *cobra.Command) (o gateway.HKOptions, path string, err error) {
	if k.from.name != "" {
		in, err := k.from.load(c, config.AlipayHK, "platform-key", "platform-ec-key", "own-key", "decrypt-key", "ecc-sha256", "ecc-p1363")
		if err != nil {
			return o, "", err
		}
		if o, err = in.HK(); err != nil {
			return o, "", err
		}
	} else if o, err = k.ofFlags(c); err != nil {
		return o, "", err
	}
	request, err := parseFile(c, k.request, inspect.ReadCapture)
	if err != nil {
		return o, "", err
	}
	if o.ClientID = cmp.Or(k.clientID, o.ClientID); o.ClientID == "" {
		o.ClientID = request.Header.Get("Client-Id")
	}
	return o, cmp.Or(k.path, request.Path()), nil
}

func (k *hkFlags) ofFlags(c *cobra.Command) (o gateway.HKOptions, err error) {
	o = gateway.HKOptions{ClientID: k.clientID, ECC: gateway.ECCOptions{SHA256: k.sha256, P1363: k.p1363}}
	if o.PlatformKeys, err = parseVersioned(c, k.platform, keys.ParsePublic); err != nil {
		return o, err
	}
	if o.PlatformECKeys, err = parseVersioned(c, k.platformEC, keys.ParseECPublic); err != nil {
		return o, err
	}
	if len(o.PlatformKeys)+len(o.PlatformECKeys) == 0 {
		return o, command.Usage(errors.New("--platform-key VERSION=FILE is required"))
	}
	decrypt, err := parseVersioned(c, k.decrypt, keys.ParsePrivate)
	if err != nil {
		return o, err
	}
	if len(decrypt) > 0 {
		o.Encrypt = &gateway.HKEncryption{OurKeys: map[string]crypto.Decrypter{}}
		for v, key := range decrypt {
			o.Encrypt.OurKeys[v] = key
		}
	}
	own, err := parseFile(c, k.ownKey, inspect.ParseOwnKey)
	if err != nil {
		return o, err
	}
	if own != nil {
		o.Signer = inspect.PublicOnly(own)
	}
	return o, nil
}
