package standalone

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// keyBits is the size of every key that is made here: what Alipay's console asks for.
const keyBits = 2048

// GeneratedApp is an app with both halves of both its keys, for tests and for settings files.
// The PEM texts are PKCS#8 and SPKI.
type GeneratedApp struct {
	App             simulator.App
	MerchantKey     *rsa.PrivateKey // the bridge signs with it
	MerchantPrivate string          // PEM
	MerchantPublic  string          // PEM
	AlipayPrivate   string          // PEM
	AlipayPublic    string          // PEM: what the bridge verifies with
	NextPrivate     string          // PEM: Alipay's next key, of Authority.Certify
}

// AESKeyText is the app's content key as Alipay's console shows it.
func (g GeneratedApp) AESKeyText() string { return base64.StdEncoding.EncodeToString(g.App.AESKey) }

// GeneratedHKApp is the same for the AlipayHK gateway.
type GeneratedHKApp struct {
	App             simulator.HKApp
	MerchantKey     *rsa.PrivateKey
	MerchantPrivate string // PEM
	MerchantPublic  string // PEM
	PlatformPrivate string // PEM
	PlatformPublic  string // PEM
}

// GenerateApp makes an app with new keys.
func GenerateApp(id string, merchants ...simulator.Merchant) (GeneratedApp, error) {
	merchant, err := generateKey()
	if err != nil {
		return GeneratedApp{}, err
	}
	alipay, err := generateKey()
	if err != nil {
		return GeneratedApp{}, err
	}
	return GeneratedApp{
		App:             simulator.App{ID: id, SellerID: "2088" + seeded.Digits(12, "seller", id), PublicKey: &merchant.key.PublicKey, SigningKey: alipay.key, AESKey: newAESKey(), Merchants: merchants},
		MerchantKey:     merchant.key,
		MerchantPrivate: merchant.private, MerchantPublic: merchant.public,
		AlipayPrivate: alipay.private, AlipayPublic: alipay.public,
	}, nil
}

// GenerateHKApp makes an HK client with new keys, both of version 1.
func GenerateHKApp(clientID string) (GeneratedHKApp, error) {
	merchant, err := generateKey()
	if err != nil {
		return GeneratedHKApp{}, err
	}
	alipay, err := generateKey()
	if err != nil {
		return GeneratedHKApp{}, err
	}
	return GeneratedHKApp{
		App: simulator.HKApp{
			ClientID: clientID, MerchantKeys: map[string]*rsa.PublicKey{"1": &merchant.key.PublicKey},
			PlatformKey: alipay.key, PlatformKeyVersion: "1",
		},
		MerchantKey:     merchant.key,
		MerchantPrivate: merchant.private, MerchantPublic: merchant.public,
		PlatformPrivate: alipay.private, PlatformPublic: alipay.public,
	}, nil
}

// generatedKey is a new key with its texts.
type generatedKey struct {
	key             *rsa.PrivateKey
	private, public string
}

func generateKey() (generatedKey, error) {
	k, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return generatedKey{}, fmt.Errorf("generate key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return generatedKey{}, fmt.Errorf("encode private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return generatedKey{}, fmt.Errorf("encode public key: %w", err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return generatedKey{key: k, private: text("PRIVATE KEY", private), public: text("PUBLIC KEY", public)}, nil
}

// newAESKey makes a content key as the console gives it: 16 bytes.
func newAESKey() []byte {
	k := make([]byte, 16)
	_, _ = rand.Read(k) // never fails
	return k
}

// Authority is a small CA in the shape of Alipay's: roots of both kinds, one intermediate for
// apps and one for Alipay. Its names say that it is none.
type Authority struct {
	roots          string // PEM: an RSA root, an ECDSA root, another RSA root
	class1, class2 certificateAuthority
	serial         int64
}

// certificateAuthority is a certificate that signs others.
type certificateAuthority struct {
	cert *x509.Certificate
	key  crypto.Signer
	text string
}

// organization stands in every subject that is made here, so that no one takes it for Alipay's. It
// has no comma: the Node SDK computes another SN then.
const organization = "Ant Financial made by bridge simulate"

// Certificates are valid for so long that tests with any clock work with them.
var (
	notBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NewAuthority makes a CA with new keys.
func NewAuthority() (*Authority, error) {
	a := &Authority{serial: 0x20200101}
	r1, err := a.root("Simulated Financial Certification Authority R1", true)
	if err != nil {
		return nil, err
	}
	e1, err := a.root("Simulated Financial Certification Authority E1", false)
	if err != nil {
		return nil, err
	}
	g3, err := a.issue(certificateAuthority{key: r1.key}, "Simulated Class 2 Root CA - G3", "Certification Authority", r1.key, r1.key.Public(), true)
	if err != nil {
		return nil, err
	}
	a.roots = r1.text + e1.text + g3.text
	for class, at := range map[string]*certificateAuthority{"1": &a.class1, "2": &a.class2} {
		k, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		name := "Simulated Financial Certification Authority Class " + class + " R1"
		if *at, err = a.issue(r1, name, "Certification Authority", k, &k.PublicKey, true); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Roots is the bundle that clients hold.
func (a *Authority) Roots() string { return a.roots }

func (a *Authority) root(name string, withRSA bool) (certificateAuthority, error) {
	if withRSA {
		k, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return certificateAuthority{}, fmt.Errorf("generate key: %w", err)
		}
		return a.issue(certificateAuthority{key: k}, name, "Certification Authority", k, &k.PublicKey, true)
	}
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return certificateAuthority{}, fmt.Errorf("generate key: %w", err)
	}
	return a.issue(certificateAuthority{key: k}, name, "Certification Authority", k, &k.PublicKey, true)
}

// issue makes a certificate for a public key; an issuer without certificate signs itself.
func (a *Authority) issue(by certificateAuthority, name, unit string, key crypto.Signer, public crypto.PublicKey, ca bool) (certificateAuthority, error) {
	a.serial++
	c := &x509.Certificate{
		SerialNumber: new(big.Int).Lsh(big.NewInt(a.serial), 64), // long, as the real ones are
		Subject:      pkix.Name{Country: []string{"CN"}, Organization: []string{organization}, OrganizationalUnit: []string{unit}, CommonName: name},
		NotBefore:    notBefore, NotAfter: notAfter,
		IsCA: ca, BasicConstraintsValid: ca, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	parent := by.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, by.key)
	if err != nil {
		return certificateAuthority{}, fmt.Errorf("make certificate %q: %w", name, err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return certificateAuthority{}, fmt.Errorf("make certificate %q: %w", name, err)
	}
	return certificateAuthority{cert: made, key: key, text: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, nil
}

// NewTLS makes a certificate for the loopback interface that signs itself, and its key: PEM texts.
func NewTLS() (cert, key string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter,
		Subject:  pkix.Name{Organization: []string{organization}, CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		return "", "", fmt.Errorf("make certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", "", fmt.Errorf("encode private key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), nil
}

// Certify switches a generated app to certificate mode: its keys stay, certificates for them
// are made, and a next one of Alipay's with a new key.
func (a *Authority) Certify(g GeneratedApp) (GeneratedApp, error) {
	app, err := a.issue(a.class1, g.App.ID, "Simulated merchant", nil, &g.MerchantKey.PublicKey, false)
	if err != nil {
		return GeneratedApp{}, err
	}
	alipay, err := a.issue(a.class2, "Simulated Alipay-"+g.App.ID, "Alipay", nil, &g.App.SigningKey.PublicKey, false)
	if err != nil {
		return GeneratedApp{}, err
	}
	pair, err := generateKey()
	if err != nil {
		return GeneratedApp{}, err
	}
	next, err := a.issue(a.class2, "Simulated Alipay-"+g.App.ID, "Alipay", nil, &pair.key.PublicKey, false)
	if err != nil {
		return GeneratedApp{}, err
	}
	g.NextPrivate = pair.private
	g.App.Certs = &wire.Certificates{
		App: app.text + a.class1.text, Alipay: alipay.text + a.class2.text, Roots: a.roots,
		Next: next.text + a.class2.text, NextKey: pair.key,
	}
	return g, nil
}
