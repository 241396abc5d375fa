package simulator

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// keys are what a KeysConfig holds; nil twice when it is empty.
type keys struct {
	merchant *rsa.PublicKey
	signing  *rsa.PrivateKey
}

func (c KeysConfig) read(dir string) (keys, error) {
	if c == (KeysConfig{}) {
		return keys{}, nil
	}
	public, err := keyText(dir, c.MerchantPublic, c.MerchantPublicFile)
	if err != nil {
		return keys{}, err
	}
	private, err := keyText(dir, c.Signing, c.SigningFile)
	if err != nil {
		return keys{}, err
	}
	if public == "" || private == "" {
		return keys{}, errors.New("both keys or neither")
	}
	var out keys
	if out.merchant, err = parsePublic(public); err != nil {
		return keys{}, fmt.Errorf("merchant's public key: %w", err)
	}
	if out.signing, err = parsePrivate(private); err != nil {
		return keys{}, fmt.Errorf("signing key: %w", err)
	}
	return out, nil
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

// add puts the app into the options, with new keys if it has none.
func (a AppConfig) add(dir string, o *Options, made *Generated) error {
	k, err := a.Keys.read(dir)
	if err != nil {
		return fmt.Errorf("app %q: %w", a.ID, err)
	}
	legacy, err := a.LegacyKeys.read(dir)
	if err != nil {
		return fmt.Errorf("app %q: legacy_keys: %w", a.ID, err)
	}
	var merchants []Merchant
	for _, m := range a.Merchants {
		merchants = append(merchants, Merchant(m))
	}
	app := App{ID: a.ID, SellerID: a.SellerID, PublicKey: k.merchant, SigningKey: k.signing, Merchants: merchants}
	if k.merchant == nil {
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
	o.Apps = append(o.Apps, app)
	return nil
}

// add puts the client into the options, with new keys if it has none.
func (a HKAppConfig) add(dir string, o *Options, made *Generated) error {
	k, err := a.Keys.read(dir)
	if err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	version := a.KeyVersion
	if version == "" {
		version = "1"
	}
	if k.merchant != nil {
		o.HKApps = append(o.HKApps, HKApp{
			ClientID: a.ClientID, MerchantKeys: map[string]*rsa.PublicKey{version: k.merchant},
			PlatformKey: k.signing, PlatformKeyVersion: version,
		})
		return nil
	}
	g, err := GenerateHKApp(a.ClientID)
	if err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	g.App.MerchantKeys = map[string]*rsa.PublicKey{version: &g.MerchantKey.PublicKey}
	g.App.PlatformKeyVersion = version
	o.HKApps = append(o.HKApps, g.App)
	made.HKApps = append(made.HKApps, g)
	return nil
}
