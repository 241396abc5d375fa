package app

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/config"
)

func newHK(ctx context.Context, a config.App, in Instrumentation) (*gateway.App, error) {
	o, err := HKOptions(ctx, a, in)
	if err != nil {
		return nil, err
	}
	return gateway.NewHK(o)
}

// HKOptions are those of an app at AlipayHK.
func HKOptions(ctx context.Context, a config.App, in Instrumentation) (gateway.HKOptions, error) {
	o := gateway.HKOptions{
		URL: a.URL, ClientID: a.ClientID, KeyVersion: a.KeyVersion,
		ECC:       gateway.ECCOptions{SHA256: a.ECC.Hash == "sha-256", P1363: a.ECC.Form == "p1363"},
		Algorithm: a.Algorithm, SigningPath: a.SigningPath, TimeLayout: hkLayouts[a.TimeLayout], Skew: a.Skew,
		Seconds: a.OrderTimes == "seconds", DashedIDs: a.RequestIDs == "uuid", TryAllKeys: a.TryAllKeys, RefuseUnsigned: a.RefuseUnsigned, Classes: hkClasses(a.Classes),
		InFlight: a.InFlight + a.Queries.InFlight, ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, Tracer: in.Tracer,
	}
	if a.AnyTime {
		o.Skew = -1 // is not checked
	}
	zone, err := time.Parse("-07:00", a.TimeZone)
	if err != nil {
		return o, fmt.Errorf("time zone: %w", err)
	}
	o.TimeZone = zone.Location()
	if o.RootCAs, err = a.CAFile.CertPool(); err != nil {
		return o, err
	}
	if o.Signer, err = in.hkSigner(ctx, a); err != nil {
		return o, err
	}
	if o.PlatformKeys, err = keysOf(a.PlatformKeys, publicKeyOf); err != nil {
		return o, err
	}
	if o.PlatformECKeys, err = keysOf(a.PlatformECKeys, ecPublicKeyOf); err != nil {
		return o, err
	}
	o.Encrypt, err = encryptionOf(a.Encrypt)
	return o, err
}

// hkLayouts are the settings' words for the forms of Request-Time.
var hkLayouts = map[string]gateway.HKTimeLayout{
	"page": gateway.HKTimePage, "millis": gateway.HKTimeMillis, "compact": gateway.HKTimeCompact, "epoch": gateway.HKTimeEpoch,
}

// hkClasses reads what the settings have checked: the classes that a refusal may have.
func hkClasses(words map[string]string) map[string]alipay.Class {
	classes := map[string]alipay.Class{}
	for code, word := range words {
		for _, c := range []alipay.Class{alipay.Rejected, alipay.Misconfigured, alipay.Transient, alipay.Throttled} {
			if c.String() == word {
				classes[code] = c
			}
		}
	}
	return classes
}

// encryptionOf returns nil when bodies are sent in plain.
func encryptionOf(e config.Encrypt) (*gateway.HKEncryption, error) {
	if !e.Enabled {
		return nil, nil
	}
	o := &gateway.HKEncryption{KeyVersion: e.KeyVersion, MediaType: e.MediaType, Bits: e.Bits}
	var err error
	if o.PlatformKeys, err = keysOf(e.PlatformKeys, publicKeyOf); err != nil {
		return nil, err
	}
	o.OurKeys, err = keysOf(e.OurKeys, decrypterOf)
	return o, err
}

// hkSigner opens an RSA key, which is RSA256, or one on P-224, which is ECC224.
func (in Instrumentation) hkSigner(ctx context.Context, a config.App) (keys.Signer, error) {
	if key, err := keys.ParseECPrivate([]byte(a.PrivateKeyFile.Text.Reveal())); err == nil {
		return keys.NewSigner(key)
	}
	return in.signer(ctx, a, a.PrivateKeyFile, a.PrivateKeyURI)
}

func decrypterOf(f config.SecretFile) (crypto.Decrypter, error) {
	key, err := keys.ParsePrivate([]byte(f.Text.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return key, nil
}

func ecPublicKeyOf(f config.File) (*ecdsa.PublicKey, error) {
	key, err := keys.ParseECPublic([]byte(f.Text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return key, nil
}

// keysOf reads keys by version; none are nil.
func keysOf[F, K any](files map[string]F, read func(F) (K, error)) (map[string]K, error) {
	if len(files) == 0 {
		return nil, nil
	}
	keys := map[string]K{}
	for version, f := range files {
		key, err := read(f)
		if err != nil {
			return nil, err
		}
		keys[version] = key
	}
	return keys, nil
}
