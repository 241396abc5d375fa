package main

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
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
)

// instrumentation is where an app traces and logs.
type instrumentation struct {
	tracer trace.Tracer
	log    *slog.Logger
}

// noInstrumentation drops spans and log.
func noInstrumentation() instrumentation {
	return instrumentation{noop.Tracer{}, slog.New(slog.DiscardHandler)}
}

// appOf builds the app that the settings describe.
func appOf(ctx context.Context, a config.App, in instrumentation) (*alipay.App, error) {
	if a.Kind == config.AlipayHK {
		return hkOf(ctx, a, in)
	}
	return openAPIOf(ctx, a, in)
}

func openAPIOf(ctx context.Context, a config.App, in instrumentation) (*alipay.App, error) {
	o, err := openAPIOptions(ctx, a, in)
	if err != nil {
		return nil, err
	}
	return alipay.NewOpenAPI(o)
}

// openAPIOptions are those of an app at the classic gateway.
func openAPIOptions(ctx context.Context, a config.App, in instrumentation) (alipay.OpenAPIOptions, error) {
	o := alipay.OpenAPIOptions{
		URL: a.URL, AppID: a.AppID, Charset: alipay.Charset(a.Charset), SignType: alipay.SignType(a.SignType), AllowWeak: a.AllowWeak,
		InFlight: a.InFlight + a.Queries.InFlight, ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, Tracer: in.tracer,
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
		if o.AES, err = alipay.ParseAESKey([]byte(a.AESKeyFile.Text.Reveal())); err != nil {
			return o, fmt.Errorf("%s: %w", a.AESKeyFile.Path, err)
		}
	}
	return o, in.trust(a, &o)
}

// trust fills in what answers are verified with.
func (in instrumentation) trust(a config.App, o *alipay.OpenAPIOptions) error {
	var err error
	if a.Mode == config.CertificateMode {
		o.Certificates, err = in.certificates(a)
		return err
	}
	if o.AlipayKey, err = publicKeyOf(a.AlipayPublicKeyFile); err != nil {
		return err
	}
	for _, k := range a.MoreAlipayKeys {
		more := alipay.AlipayKey{}
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
func (in instrumentation) certificates(a config.App) (*alipay.Certificates, error) {
	var c *alipay.Certificates
	var err error
	c, err = alipay.NewCertificates(alipay.CertificateOptions{
		App: []byte(a.AppCertFile.Text), Alipay: []byte(a.AlipayCertFile.Text), Root: []byte(a.AlipayRootCertFile.Text),
		Accepted: func([]byte) {
			in.log.Warn("Alipay signs with a new certificate; it was downloaded and is trusted, install it as alipay_cert_file",
				"app_id", a.AppID, "certificates", formatEnds(c.Ends()))
		},
	})
	return c, err
}

// signer opens a key in a file, or one that is elsewhere; nil when neither is named.
func (in instrumentation) signer(ctx context.Context, a config.App, f config.SecretFile, uri string) (alipay.Signer, error) {
	if uri != "" {
		s, err := alipay.OpenSigner(ctx, uri, alipay.KeyOptions{VaultToken: a.VaultTokenFile.Text.Reveal()})
		if err != nil {
			return nil, fmt.Errorf("the key in Vault: %w", err)
		}
		return breaker.NewSigner(s, func(from, state string) { // under the breaker's lock; slog only writes
			in.log.Warn("breaker of the signer "+state, "app_id", a.AppID+a.ClientID, "from", from)
		}), nil
	}
	if f.IsZero() {
		return nil, nil
	}
	return signerOf(f)
}

func signerOf(f config.SecretFile) (alipay.Signer, error) {
	key, err := alipay.ParsePrivateKey([]byte(f.Text.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return alipay.NewRSASigner(key), nil
}

func publicKeyOf(f config.File) (*rsa.PublicKey, error) {
	key, err := alipay.ParsePublicKey([]byte(f.Text))
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
