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

// HKOptions are the options of an app at AlipayHK.
func HKOptions(ctx context.Context, a config.App, o Options) (gateway.HKOptions, error) {
	o = o.withDefaults()
	g := gateway.HKOptions{
		URL: a.URL, ClientID: a.ClientID, KeyVersion: a.KeyVersion,
		ECC:       gateway.ECCOptions{SHA256: a.ECC.Hash == "sha-256", P1363: a.ECC.Form == "p1363"},
		Algorithm: a.Algorithm, SigningPath: a.SigningPath, TimeLayout: hkLayouts[a.TimeLayout], Skew: a.Skew,
		Seconds: a.OrderTimes == "seconds", DashedIDs: a.RequestIDs == "uuid", TryAllKeys: a.TryAllKeys, RefuseUnsigned: a.RefuseUnsigned, Classes: hkClasses(a.Classes),
		InFlight: inFlight(a), ConnectTimeout: a.ConnectTimeout, Timeout: a.Timeout, IdleTimeout: a.IdleTimeout,
		HTTP2: a.HTTP2, DialContext: o.Dial, Tracer: o.Tracer, Log: o.Log.With("app_id", a.ClientID),
	}
	if a.AnyTime {
		g.Skew = -1 // not checked
	}
	zone, err := time.Parse("-07:00", a.TimeZone)
	if err != nil {
		return g, fmt.Errorf("time zone: %w", err)
	}
	g.TimeZone = zone.Location()
	if g.RootCAs, err = a.CAFile.CertPool(); err != nil {
		return g, err
	}
	if g.Signer, err = o.signer(ctx, a, a.PrivateKeyFile, a.PrivateKeyURI); err != nil {
		return g, err
	}
	if g.PlatformKeys, err = keysOf(a.PlatformKeys, publicKeyOf); err != nil {
		return g, err
	}
	if g.PlatformECKeys, err = keysOf(a.PlatformECKeys, ecPublicKeyOf); err != nil {
		return g, err
	}
	g.Encrypt, err = encryptionOf(a.Encrypt)
	return g, err
}

// hkLayouts are the forms of Request-Time, by the words of the settings.
var hkLayouts = map[string]gateway.HKTimeLayout{
	"page": gateway.HKTimePage, "millis": gateway.HKTimeMillis, "compact": gateway.HKTimeCompact, "epoch": gateway.HKTimeEpoch,
}

// hkClasses returns the class of each result code. The settings have checked the words.
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

// encryptionOf returns nil when bodies are not encrypted.
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

// keysOf reads keys by version. It returns nil when there are none.
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
