package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // sign_type RSA is SHA1withRSA; the pages still allow it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// keyBits is the size of every key that is made here: what Alipay's console asks for.
const keyBits = 2048

// App is one app of the classic gateway, in key mode unless it has certificates.
type App struct {
	ID       string
	SellerID string // the app owner's own user id: the payee when a request names none and carries no token

	PublicKey  *rsa.PublicKey  // the merchant's: verifies sign_type RSA2
	SigningKey *rsa.PrivateKey // Alipay's: signs answers under RSA2

	LegacyPublicKey  *rsa.PublicKey  // verifies sign_type RSA (SHA-1); nil: the app has none
	LegacySigningKey *rsa.PrivateKey // signs answers under RSA

	AESKey []byte        // encrypts content when a request asks for it: 16, 24 or 32 bytes; nil: none
	Certs  *Certificates // nil: key mode

	Merchants []Merchant // those that gave this app an app_auth_token

	certified *certified // of Certs; made by check
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
	PlatformKeyVersion string                    // named in the answers; empty: 1

	OlderKeys map[string]*rsa.PrivateKey // the platform's by other versions: decrypt content that was wrapped for them
	ECC       ECC
}

func (a *App) check() error {
	if a.ID == "" || a.SigningKey == nil || (a.PublicKey == nil && a.Certs == nil) {
		return fmt.Errorf("app %q needs an id, the merchant's public key and a signing key", a.ID)
	}
	if n := len(a.AESKey); n != 0 && n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("app %q: an AES key has 16, 24 or 32 bytes", a.ID)
	}
	if a.Certs == nil {
		return nil
	}
	var err error
	if a.certified, err = a.Certs.read(a.SigningKey); err != nil {
		return fmt.Errorf("app %q: %w", a.ID, err)
	}
	return nil
}

func (a *HKApp) check() error {
	if a.ClientID == "" || len(a.MerchantKeys) == 0 || a.PlatformKey == nil {
		return fmt.Errorf("client %q needs an id, a merchant key and a platform key", a.ClientID)
	}
	if a.PlatformKeyVersion == "" {
		a.PlatformKeyVersion = "1"
	}
	if err := a.ECC.check(); err != nil {
		return fmt.Errorf("client %q: %w", a.ClientID, err)
	}
	return nil
}

// GeneratedApp is an app with both halves of both its keys, for tests and for settings files.
// The PEM texts are PKCS#8 and SPKI.
type GeneratedApp struct {
	App             App
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
	App             HKApp
	MerchantKey     *rsa.PrivateKey
	MerchantPrivate string // PEM
	MerchantPublic  string // PEM
	PlatformPrivate string // PEM
	PlatformPublic  string // PEM
}

// GenerateApp makes an app with new keys.
func GenerateApp(id string, merchants ...Merchant) (GeneratedApp, error) {
	mine, err := newPair()
	if err != nil {
		return GeneratedApp{}, err
	}
	theirs, err := newPair()
	if err != nil {
		return GeneratedApp{}, err
	}
	return GeneratedApp{
		App:             App{ID: id, SellerID: "2088" + digits(12, "seller", id), PublicKey: &mine.key.PublicKey, SigningKey: theirs.key, AESKey: newAESKey(), Merchants: merchants},
		MerchantKey:     mine.key,
		MerchantPrivate: mine.private, MerchantPublic: mine.public,
		AlipayPrivate: theirs.private, AlipayPublic: theirs.public,
	}, nil
}

// GenerateHKApp makes an HK client with new keys, both of version 1.
func GenerateHKApp(clientID string) (GeneratedHKApp, error) {
	mine, err := newPair()
	if err != nil {
		return GeneratedHKApp{}, err
	}
	theirs, err := newPair()
	if err != nil {
		return GeneratedHKApp{}, err
	}
	return GeneratedHKApp{
		App: HKApp{
			ClientID: clientID, MerchantKeys: map[string]*rsa.PublicKey{"1": &mine.key.PublicKey},
			PlatformKey: theirs.key, PlatformKeyVersion: "1",
		},
		MerchantKey:     mine.key,
		MerchantPrivate: mine.private, MerchantPublic: mine.public,
		PlatformPrivate: theirs.private, PlatformPublic: theirs.public,
	}, nil
}

// pair is a new key with its texts.
type pair struct {
	key             *rsa.PrivateKey
	private, public string
}

func newPair() (pair, error) {
	k, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return pair{}, fmt.Errorf("generate key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return pair{}, fmt.Errorf("encode private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return pair{}, fmt.Errorf("encode public key: %w", err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return pair{key: k, private: text("PRIVATE KEY", private), public: text("PUBLIC KEY", public)}, nil
}

var errNoKey = errors.New("not a PEM key")

// parsePublic reads a public key: PEM, SPKI or PKCS#1.
func parsePublic(text string) (*rsa.PublicKey, error) {
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

// parsePrivate reads a private key: PEM, PKCS#8 or PKCS#1. Its errors never quote the text.
func parsePrivate(text string) (*rsa.PrivateKey, error) {
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

// digest hashes content for a signature: SHA-256 for RSA2 and RSA256, SHA-1 for RSA.
func digest(h crypto.Hash, content []byte) []byte {
	if h == crypto.SHA1 {
		d := sha1.Sum(content) //nolint:gosec // see the import
		return d[:]
	}
	d := sha256.Sum256(content)
	return d[:]
}

// verify checks a PKCS#1 v1.5 signature.
func verify(k *rsa.PublicKey, h crypto.Hash, content, sig []byte) bool {
	return rsa.VerifyPKCS1v15(k, h, digest(h, content), sig) == nil
}

// signer signs answers.
type signer struct {
	replay bool                   // BenchMode
	done   sync.Map               // Base64 of a signature by its replayID, in BenchMode
	size   atomic.Int64           // entries of done
	wrong  func() *rsa.PrivateKey // a key that belongs to nobody, made at its first use
}

// replayID says what was signed, and with which key and digest.
type replayID struct {
	content [32]byte // SHA-256
	key     any      // a pointer to the key
	hash    crypto.Hash
}

func newSigner(replay bool) *signer {
	return &signer{replay: replay, wrong: sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			panic("simulator: no randomness: " + err.Error())
		}
		return k
	})}
}

// replayLimit bounds the signatures that BenchMode keeps: 344 bytes each.
const replayLimit = 1 << 20

// sign returns the Base64 of a PKCS#1 v1.5 signature.
func (g *signer) sign(k *rsa.PrivateKey, h crypto.Hash, content []byte) string {
	return g.once(k, h, content, func() []byte {
		sig, err := rsa.SignPKCS1v15(nil, k, h, digest(h, content))
		if err != nil {
			panic("simulator: signing key is unusable: " + err.Error())
		}
		return sig
	})
}

// signECC returns the Base64 of an ECDSA signature. A replayed one is as good as a new one,
// though a real signer never gives the same twice.
func (g *signer) signECC(e ECC, k *ecdsa.PrivateKey, content []byte) string {
	return g.once(k, 0, content, func() []byte { return e.sign(k, content) })
}

// once signs, or replays what it signed before in BenchMode.
func (g *signer) once(key any, h crypto.Hash, content []byte, sign func() []byte) string {
	if !g.replay {
		return base64.StdEncoding.EncodeToString(sign())
	}
	id := replayID{sha256.Sum256(content), key, h}
	if sig, ok := g.done.Load(id); ok {
		return sig.(string)
	}
	text := base64.StdEncoding.EncodeToString(sign())
	if g.size.Add(1) <= replayLimit {
		g.done.Store(id, text)
	}
	return text
}
