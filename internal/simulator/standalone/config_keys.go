package standalone

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// KeysConfig are the two keys that the simulator needs of an app, each as PEM text or as a file:
// the merchant's public key, and Alipay's private key, which signs the answers. Both or neither
// are given.
type KeysConfig struct {
	MerchantPublic     string `yaml:"merchant_public"`
	MerchantPublicFile string `yaml:"merchant_public_file"`
	Signing            string `yaml:"signing"`
	SigningFile        string `yaml:"signing_file"`
}

// keyPair are what a KeysConfig holds; nil twice when it is empty.
type keyPair struct {
	merchant *rsa.PublicKey
	signing  *rsa.PrivateKey
}

// read parses the keys; inCertificate says that the merchant's may be missing.
func (c KeysConfig) read(dir string, inCertificate bool) (keyPair, error) {
	if c == (KeysConfig{}) {
		return keyPair{}, nil
	}
	public, err := keyText(dir, c.MerchantPublic, c.MerchantPublicFile)
	if err != nil {
		return keyPair{}, err
	}
	private, err := keyText(dir, c.Signing, c.SigningFile)
	if err != nil {
		return keyPair{}, err
	}
	var out keyPair
	if public == "" && inCertificate && private != "" {
		out.signing, err = parseRSAPrivate(private)
		return out, err
	}
	if public == "" || private == "" {
		return keyPair{}, errors.New("both keys or neither")
	}
	if out.merchant, err = parseRSAPublic(public); err != nil {
		return keyPair{}, fmt.Errorf("merchant's public key: %w", err)
	}
	if out.signing, err = parseRSAPrivate(private); err != nil {
		return keyPair{}, fmt.Errorf("signing key: %w", err)
	}
	return out, nil
}

// CertificatesConfig are the certificates of an app, each as PEM text or as a file: [wire.Certificates].
// The merchant's key is in his certificate, so keys has the signing key only.
type CertificatesConfig struct {
	App             string `yaml:"app"`
	AppFile         string `yaml:"app_file"`
	Alipay          string `yaml:"alipay"`
	AlipayFile      string `yaml:"alipay_file"`
	Roots           string `yaml:"roots"`
	RootsFile       string `yaml:"roots_file"`
	Next            string `yaml:"next"`
	NextFile        string `yaml:"next_file"`
	NextSigning     string `yaml:"next_signing"`
	NextSigningFile string `yaml:"next_signing_file"`
}

func (c *CertificatesConfig) read(dir string) (*wire.Certificates, error) {
	var out wire.Certificates
	var next string
	for _, t := range []struct {
		into       *string
		text, file string
	}{
		{&out.App, c.App, c.AppFile}, {&out.Alipay, c.Alipay, c.AlipayFile}, {&out.Roots, c.Roots, c.RootsFile},
		{&out.Next, c.Next, c.NextFile}, {&next, c.NextSigning, c.NextSigningFile},
	} {
		var err error
		if *t.into, err = keyText(dir, t.text, t.file); err != nil {
			return nil, err
		}
	}
	if next == "" {
		return &out, nil
	}
	var err error
	if out.NextKey, err = parseRSAPrivate(next); err != nil {
		return nil, fmt.Errorf("next signing key: %w", err)
	}
	return &out, nil
}

// keyText returns a key's text, from the text itself or from a file relative to dir.
func keyText(dir, text, file string) (string, error) {
	if file == "" {
		return text, nil
	}
	if text != "" {
		return "", errors.New("a key is given as text and as a file")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	b, err := os.ReadFile(file) //nolint:gosec // the operator names his own key files
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return string(b), nil
}

// addTo puts the app into the options, with new keys if it has none.
func (a AppConfig) addTo(dir string, o *simulator.Options, made *Generated) error {
	k, err := a.Keys.read(dir, a.Certificates != nil)
	if err != nil {
		return fmt.Errorf("app %q: %w", a.ID, err)
	}
	legacy, err := a.LegacyKeys.read(dir, false)
	if err != nil {
		return fmt.Errorf("app %q: legacy_keys: %w", a.ID, err)
	}
	aesKey, certs, err := a.readModes(dir)
	if err != nil {
		return fmt.Errorf("app %q: %w", a.ID, err)
	}
	var merchants []simulator.Merchant
	for _, m := range a.Merchants {
		merchants = append(merchants, simulator.Merchant(m))
	}
	app := simulator.App{ID: a.ID, SellerID: a.SellerID, PublicKey: k.merchant, SigningKey: k.signing, Merchants: merchants}
	if k.signing == nil {
		if certs != nil {
			return fmt.Errorf("app %q: certificates need the signing key", a.ID)
		}
		g, err := GenerateApp(a.ID, merchants...)
		if err != nil {
			return fmt.Errorf("app %q: %w", a.ID, err)
		}
		if a.SellerID != "" {
			g.App.SellerID = a.SellerID
		}
		made.Apps = append(made.Apps, g)
		app = g.App
	}
	app.LegacyPublicKey, app.LegacySigningKey = legacy.merchant, legacy.signing
	app.AESKey, app.Certs = aesKey, certs
	o.Apps = append(o.Apps, app)
	return nil
}

// readModes reads what encryption and certificate mode need.
func (a AppConfig) readModes(dir string) (aesKey []byte, certs *wire.Certificates, err error) {
	text, err := keyText(dir, a.AESKey, a.AESKeyFile)
	if err != nil {
		return nil, nil, err
	}
	if text = strings.TrimSpace(text); text != "" {
		if aesKey, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, nil, errors.New("the AES key is no Base64")
		}
	}
	if a.Certificates != nil {
		certs, err = a.Certificates.read(dir)
	}
	return aesKey, certs, err
}

// addTo puts the client into the options, with new keys if it has none.
func (a HKAppConfig) Add(dir string, o *simulator.Options, made *Generated) error {
	k, err := a.Keys.read(dir, false)
	if err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	version := a.KeyVersion
	if version == "" {
		version = "1"
	}
	app := simulator.HKApp{
		ClientID: a.ClientID, MerchantKeys: map[string]*rsa.PublicKey{version: k.merchant},
		PlatformKey: k.signing, PlatformKeyVersion: version,
	}
	if k.merchant == nil {
		g, err := GenerateHKApp(a.ClientID)
		if err != nil {
			return fmt.Errorf("client %q: %w", a.ClientID, err)
		}
		g.App.MerchantKeys = map[string]*rsa.PublicKey{version: &g.MerchantKey.PublicKey}
		g.App.PlatformKeyVersion = version
		app = g.App
		made.HKApps = append(made.HKApps, g)
	}
	if err := errors.Join(a.addOlder(dir, &app), a.ECC.read(dir, &app)); err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	o.HKApps = append(o.HKApps, app)
	return nil
}

// addOlder adds the keys of other versions.
func (a HKAppConfig) addOlder(dir string, app *simulator.HKApp) error {
	app.OlderKeys = map[string]*rsa.PrivateKey{}
	for _, older := range a.Older {
		k, err := older.Keys.read(dir, false)
		if err != nil {
			return fmt.Errorf("key version %q: %w", older.KeyVersion, err)
		}
		if older.KeyVersion == "" || k.merchant == nil || app.MerchantKeys[older.KeyVersion] != nil {
			return fmt.Errorf("older_keys need keys and a version of their own, not %q", older.KeyVersion)
		}
		app.MerchantKeys[older.KeyVersion], app.OlderKeys[older.KeyVersion] = k.merchant, k.signing
	}
	return nil
}

// read puts the ECC keys and their reading into the client.
func (c ECCConfig) read(dir string, app *simulator.HKApp) error {
	if !slices.Contains([]string{"", "sha224", "sha256"}, c.Hash) || !slices.Contains([]string{"", "der", "p1363"}, c.Format) {
		return errors.New("ecc: hash is sha224 or sha256, format der or p1363")
	}
	app.ECC = wire.ECC{SHA256: c.Hash == "sha256", P1363: c.Format == "p1363"}
	public, err := keyText(dir, c.Keys.MerchantPublic, c.Keys.MerchantPublicFile)
	if err != nil {
		return err
	}
	private, err := keyText(dir, c.Keys.Signing, c.Keys.SigningFile)
	if err != nil || (public == "" && private == "") {
		return err
	}
	k, err := parseECCPublic(public)
	if err != nil {
		return err
	}
	app.ECC.MerchantKeys = map[string]*ecdsa.PublicKey{app.PlatformKeyVersion: k}
	app.ECC.PlatformKey, err = parseECCPrivate(private)
	return err
}

var errNoKey = errors.New("not a PEM key")

// parseRSAPublic reads a public key: PEM, SPKI or PKCS#1.
func parseRSAPublic(text string) (*rsa.PublicKey, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errNoKey
	}
	if k, err := x509.ParsePKCS1PublicKey(b.Bytes); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKIXPublicKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	if r, ok := k.(*rsa.PublicKey); ok {
		return r, nil
	}
	return nil, errors.New("not an RSA public key")
}

// parseRSAPrivate reads a private key: PEM, PKCS#8 or PKCS#1. Its errors never quote the text.
func parseRSAPrivate(text string) (*rsa.PrivateKey, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errNoKey
	}
	if k, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, errors.New("read private key: neither PKCS#1 nor PKCS#8")
	}
	if r, ok := k.(*rsa.PrivateKey); ok {
		return r, nil
	}
	return nil, errors.New("not an RSA private key")
}

// parseECCPublic reads an ECC public key: PEM, SPKI.
func parseECCPublic(text string) (*ecdsa.PublicKey, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errNoKey
	}
	k, err := x509.ParsePKIXPublicKey(b.Bytes)
	if e, ok := k.(*ecdsa.PublicKey); ok && err == nil {
		return e, nil
	}
	return nil, errors.New("not an ECC public key")
}

// parseECCPrivate reads an ECC private key: PEM, PKCS#8 or SEC1. Its errors never quote the text.
func parseECCPrivate(text string) (*ecdsa.PrivateKey, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errNoKey
	}
	if k, err := x509.ParseECPrivateKey(b.Bytes); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if e, ok := k.(*ecdsa.PrivateKey); ok && err == nil {
		return e, nil
	}
	return nil, errors.New("not an ECC private key")
}
