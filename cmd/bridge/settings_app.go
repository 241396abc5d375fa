package main

import (
	"crypto/rsa"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
)

// appOf builds the app that the settings describe.
func appOf(a config.App, tracer trace.Tracer) (*alipay.App, error) {
	if a.Kind == config.AlipayHK {
		return hkOf(a, tracer)
	}
	return openAPIOf(a, tracer)
}

func openAPIOf(a config.App, tracer trace.Tracer) (*alipay.App, error) {
	o := alipay.OpenAPIOptions{
		URL: a.URL, AppID: a.AppID, Charset: alipay.Charset(a.Charset), SignType: alipay.SignType(a.SignType), AllowWeak: a.AllowWeak,
		InFlight: a.InFlight + a.Queries.InFlight, ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, Tracer: tracer,
	}
	var err error
	if o.RootCAs, err = rootsOf(a.CAFile); err != nil {
		return nil, err
	}
	if o.Signer, err = signerOf(a.PrivateKeyFile); err != nil {
		return nil, err
	}
	if !a.NextPrivateKeyFile.IsZero() {
		if o.NextSigner, err = signerOf(a.NextPrivateKeyFile); err != nil {
			return nil, err
		}
	}
	if !a.AESKeyFile.IsZero() {
		if o.AES, err = alipay.ParseAESKey([]byte(a.AESKeyFile.Text.Reveal())); err != nil {
			return nil, fmt.Errorf("%s: %w", a.AESKeyFile.Path, err)
		}
	}
	if err := trustOf(a, &o); err != nil {
		return nil, err
	}
	return alipay.NewOpenAPI(o)
}

// trustOf fills in what answers are verified with.
func trustOf(a config.App, o *alipay.OpenAPIOptions) error {
	var err error
	if a.Mode == config.CertificateMode {
		o.Certificates, err = alipay.NewCertificates(alipay.CertificateOptions{
			App: []byte(a.AppCertFile.Text), Alipay: []byte(a.AlipayCertFile.Text), Root: []byte(a.AlipayRootCertFile.Text),
		})
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
