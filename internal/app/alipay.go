package app

import (
	"context"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
)

// Instrumentation is where an app traces and logs.
type Instrumentation struct {
	Tracer trace.Tracer
	Log    *slog.Logger
}

// NoInstrumentation drops spans and log.
func NoInstrumentation() Instrumentation {
	return Instrumentation{noop.Tracer{}, slog.New(slog.DiscardHandler)}
}

// NewAlipayApp builds the app that the settings describe.
func NewAlipayApp(ctx context.Context, a config.App, in Instrumentation) (*gateway.App, error) {
	if a.Kind == config.AlipayHK {
		return newHK(ctx, a, in)
	}
	return newOpenAPI(ctx, a, in)
}

func newOpenAPI(ctx context.Context, a config.App, in Instrumentation) (*gateway.App, error) {
	o, err := OpenAPIOptions(ctx, a, in)
	if err != nil {
		return nil, err
	}
	return gateway.NewOpenAPI(o)
}

// OpenAPIOptions are those of an app at the classic gateway.
func OpenAPIOptions(ctx context.Context, a config.App, in Instrumentation) (gateway.OpenAPIOptions, error) {
	o := gateway.OpenAPIOptions{
		URL: a.URL, AppID: a.AppID, Charset: alipay.Charset(a.Charset), SignType: alipay.SignType(a.SignType), AllowWeak: a.AllowWeak,
		InFlight: a.InFlight + a.Queries.InFlight, ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, Tracer: in.Tracer,
	}
	var err error
	if o.RootCAs, err = a.CAFile.CertPool(); err != nil {
		return o, err
	}
	if o.Signer, err = in.signer(ctx, a, a.PrivateKeyFile, a.PrivateKeyURI); err != nil {
		return o, err
	}
	if o.NextSigner, err = in.signer(ctx, a, a.NextPrivateKeyFile, a.NextPrivateKeyURI); err != nil {
		return o, err
	}
	if !a.AESKeyFile.IsZero() {
		if o.AES, err = encryption.ParseAESKey([]byte(a.AESKeyFile.Text.Reveal())); err != nil {
			return o, fmt.Errorf("%s: %w", a.AESKeyFile.Path, err)
		}
	}
	return o, in.trust(a, &o)
}

// trust fills in what answers are verified with.
func (in Instrumentation) trust(a config.App, o *gateway.OpenAPIOptions) error {
	var err error
	if a.Mode == config.CertificateMode {
		o.Certificates, err = in.certificates(a)
		return err
	}
	if o.AlipayKey, err = publicKeyOf(a.AlipayPublicKeyFile); err != nil {
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
		o.MoreKeys = append(o.MoreKeys, more)
	}
	return nil
}

// certificates reads the files of certificate mode. A successor of Alipay's that was downloaded
// and is trusted is told, not written to a file: after a restart one call fetches it again, and
// a process that writes nothing needs no place to write to.
func (in Instrumentation) certificates(a config.App) (*certs.Store, error) {
	var c *certs.Store
	var err error
	c, err = certs.New(certs.Options{
		App: []byte(a.AppCertFile.Text), Alipay: []byte(a.AlipayCertFile.Text), Root: []byte(a.AlipayRootCertFile.Text),
		Accepted: func([]byte) {
			in.Log.Warn("Alipay signs with a new certificate; it was downloaded and is trusted, install it as alipay_cert_file",
				"app_id", a.AppID, "certificates", formatEnds(c.Ends()))
		},
	})
	return c, err
}

// signer opens a key in a file, or one that is elsewhere; nil when neither is named.
func (in Instrumentation) signer(ctx context.Context, a config.App, f config.SecretFile, uri string) (keys.Signer, error) {
	if uri != "" {
		s, err := keys.OpenSigner(ctx, uri, keys.Options{VaultToken: a.VaultTokenFile.Text.Reveal()})
		if err != nil {
			return nil, fmt.Errorf("the key in Vault: %w", err)
		}
		return breaker.NewSigner(s, func(from, state string) { // under the breaker's lock; slog only writes
			in.Log.Warn("breaker of the signer "+state, "app_id", a.AppID+a.ClientID, "from", from)
		}), nil
	}
	if f.IsZero() {
		return nil, nil
	}
	return signerOf(f)
}

func signerOf(f config.SecretFile) (keys.Signer, error) {
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

// formatEnds writes ends for people.
func formatEnds(ends map[string]time.Time) []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		out = append(out, fmt.Sprintf("%s until %s", what, ends[what].Format(time.DateOnly)))
	}
	return out
}
