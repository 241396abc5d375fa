package simulator

import (
	"crypto/rsa"
	"fmt"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// App is one app of the classic gateway, in key mode unless it has certificates.
type App struct {
	ID       string
	SellerID string // user id of the app's owner: the payee when a request has neither a seller_id nor a token

	PublicKey  *rsa.PublicKey  // the merchant's: verifies sign_type RSA2
	SigningKey *rsa.PrivateKey // Alipay's: signs answers under RSA2

	LegacyPublicKey  *rsa.PublicKey  // verifies sign_type RSA (SHA-1); nil: the app has none
	LegacySigningKey *rsa.PrivateKey // signs answers under RSA

	AESKey []byte             // for requests with encrypted content: 16, 24 or 32 bytes; nil: none
	Certs  *wire.Certificates // nil: key mode

	Merchants []Merchant // the merchants that gave this app an app_auth_token

	certificates *wire.CertificateMode // parsed from Certs by check
}

// Merchant is one merchant for whom an app acts with an app_auth_token.
type Merchant struct {
	Name         string // ours, for the journal and the admin methods
	SellerID     string // the merchant's user id
	AppAuthToken string
}

// HKApp is one client of the AlipayHK gateway.
type HKApp struct {
	ClientID           string
	MerchantKeys       map[string]*rsa.PublicKey // by key version: verify requests
	PlatformKey        *rsa.PrivateKey           // signs answers
	PlatformKeyVersion string                    // keyVersion of the answers; empty: 1

	OlderKeys map[string]*rsa.PrivateKey // the platform's other keys by version: decrypt content that was encrypted for them
	ECC       wire.ECC

	keys wire.HKKeys // all of these; set by check
}

func (a *App) check() error {
	if a.ID == "" || a.SigningKey == nil || (a.PublicKey == nil && a.Certs == nil) {
		return fmt.Errorf("app %q: it needs an id, the merchant's public key and a signing key", a.ID)
	}
	if n := len(a.AESKey); n != 0 && n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("app %q: the AES key has %d bytes, not 16, 24 or 32", a.ID, n)
	}
	if a.Certs == nil {
		return nil
	}
	var err error
	if a.certificates, err = a.Certs.Parse(a.SigningKey); err != nil {
		return fmt.Errorf("app %q: %w", a.ID, err)
	}
	return nil
}

func (a *HKApp) check() error {
	if a.ClientID == "" || len(a.MerchantKeys) == 0 || a.PlatformKey == nil {
		return fmt.Errorf("client %q: it needs an id, a merchant key and a platform key", a.ClientID)
	}
	if a.PlatformKeyVersion == "" {
		a.PlatformKeyVersion = "1"
	}
	if err := a.ECC.CheckCurves(); err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	a.keys = wire.HKKeys{
		Merchant: a.MerchantKeys, ECC: a.ECC,
		Platform: a.PlatformKey, PlatformVersion: a.PlatformKeyVersion, PlatformOlder: a.OlderKeys,
	}
	return nil
}
