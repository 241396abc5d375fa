package app

import (
	"context"
	"crypto/rsa"
	"fmt"
	"maps"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
)

// NewAlipayApp builds the app that the settings describe.
func NewAlipayApp(ctx context.Context, a config.App, o Options) (*gateway.App, error) {
	if a.Kind == config.AlipayHK {
		g, err := HKOptions(ctx, a, o)
		if err != nil {
			return nil, err
		}
		return gateway.NewHK(g)
	}
	g, err := OpenAPIOptions(ctx, a, o)
	if err != nil {
		return nil, err
	}
	return gateway.NewOpenAPI(g)
}

// OpenAPIOptions are the options of an app at the classic gateway.
func OpenAPIOptions(ctx context.Context, a config.App, o Options) (gateway.OpenAPIOptions, error) {
	o = o.withDefaults()
	g := gateway.OpenAPIOptions{
		URL: a.URL, AppID: a.AppID, Charset: alipay.Charset(a.Charset), SignType: alipay.SignType(a.SignType), AllowWeak: a.AllowWeak,
		InFlight: inFlight(a), ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, DialContext: o.Dial, Tracer: o.Tracer, Log: o.Log.With("app_id", a.AppID),
	}
	var err error
	if g.RootCAs, err = a.CAFile.CertPool(); err != nil {
		return g, err
	}
	if g.Signer, err = o.signer(ctx, a, a.PrivateKeyFile, a.PrivateKeyURI); err != nil {
		return g, err
	}
	if g.NextSigner, err = o.signer(ctx, a, a.NextPrivateKeyFile, a.NextPrivateKeyURI); err != nil {
		return g, err
	}
	if !a.AESKeyFile.IsZero() {
		if g.AES, err = encryption.ParseAESKey([]byte(a.AESKeyFile.Text.Reveal())); err != nil {
			return g, fmt.Errorf("%s: %w", a.AESKeyFile.Path, err)
		}
	}
	return g, o.trust(a, &g)
}

// trust fills in what answers are verified with.
func (o Options) trust(a config.App, g *gateway.OpenAPIOptions) error {
	var err error
	if a.Mode == config.CertificateMode {
		g.Certificates, err = o.certificates(a)
		return err
	}
	if g.AlipayKey, err = publicKeyOf(a.AlipayPublicKeyFile); err != nil {
		return err
	}
	for _, k := range a.MoreAlipayKeys {
		more := gateway.AlipayKey{}
		if more.Key, err = publicKeyOf(k.File); err != nil {
			return err
		}
		if k.Until != "" {
			if more.Until, err = time.Parse(time.RFC3339, k.Until); err != nil {
				return fmt.Errorf("until: %w", err)
			}
		}
		g.MoreKeys = append(g.MoreKeys, more)
	}
	return nil
}

// certificates reads the files of certificate mode. A successor of Alipay's certificate that was
// downloaded and is trusted is logged, not written to a file: after a restart one call downloads
// it again, and a process that writes nothing needs no writable directory.
func (o Options) certificates(a config.App) (*certs.Store, error) {
	var c *certs.Store
	var err error
	c, err = certs.New(certs.Options{
		App: []byte(a.AppCertFile.Text), Alipay: []byte(a.AlipayCertFile.Text), Root: []byte(a.AlipayRootCertFile.Text),
		Accepted: func([]byte) {
			o.Log.Warn("Alipay signs with a new certificate; it was downloaded and is trusted; install it as alipay_cert_file",
				"app_id", a.AppID, "certificates", formatEnds(c.Ends()))
		},
	})
	return c, err
}

// signer opens a key that is in a file or in a vault; nil when the settings name neither.
func (o Options) signer(ctx context.Context, a config.App, f config.SecretFile, uri string) (keys.Signer, error) {
	s, err := o.openSigner(ctx, a, f, uri)
	if err != nil || s == nil || o.WrapSigner == nil {
		return s, err
	}
	return o.WrapSigner(s), nil
}

func (o Options) openSigner(ctx context.Context, a config.App, f config.SecretFile, uri string) (keys.Signer, error) {
	switch {
	case uri != "":
		s, err := keys.OpenSigner(ctx, uri, keys.Options{VaultToken: a.VaultTokenFile.Text.Reveal()})
		if err != nil {
			return nil, fmt.Errorf("the key in Vault: %w", err)
		}
		return breaker.NewSigner(s, func(from, to string) { // the breaker's lock is held here; slog only writes
			o.Log.Warn("the breaker of a signer changed state", "app_id", a.AppID+a.ClientID, "from", from, "to", to)
		}), nil
	case f.IsZero():
		return nil, nil
	}
	if key, err := keys.ParseECPrivate([]byte(f.Text.Reveal())); err == nil && a.Kind == config.AlipayHK {
		return keys.NewSigner(key) // on P-224: ECC224
	}
	key, err := keys.ParsePrivate([]byte(f.Text.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return keys.NewRSASigner(key), nil
}

func publicKeyOf(f config.File) (*rsa.PublicKey, error) {
	key, err := keys.ParsePublic([]byte(f.Text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return key, nil
}

// formatEnds writes the ends of certificates for people.
func formatEnds(ends map[string]time.Time) []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		out = append(out, fmt.Sprintf("%s until %s", what, ends[what].Format(time.DateOnly)))
	}
	return out
}
