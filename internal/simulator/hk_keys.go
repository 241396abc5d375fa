package simulator

import (
	"crypto"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"slices"
)

// ECC are the keys of algorithm ECC224 on P-224, and the reading of it: the documents name neither
// hash nor encoding (docs/alipay.md, HK "ECC224"). The zero value signs SHA-224 in DER.
type ECC struct {
	MerchantKeys map[string]*ecdsa.PublicKey // by key version
	PlatformKey  *ecdsa.PrivateKey           // signs the answers to requests signed so
	SHA256       bool                        // else SHA-224
	P1363        bool                        // r and s, 28 bytes each; else ASN.1 DER
}

// coordinate is the size of r and of s on P-224.
const coordinate = 28

// digest hashes content as the reading says.
func (e ECC) digest(content []byte) []byte {
	if e.SHA256 {
		d := sha256.Sum256(content)
		return d[:]
	}
	d := sha256.Sum224(content)
	return d[:]
}

func (e ECC) verify(version string, content, sig []byte) bool {
	k := e.MerchantKeys[version]
	if k == nil {
		return false
	}
	if !e.P1363 {
		return ecdsa.VerifyASN1(k, e.digest(content), sig)
	}
	if len(sig) != 2*coordinate {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:coordinate]), new(big.Int).SetBytes(sig[coordinate:])
	return ecdsa.Verify(k, e.digest(content), r, s)
}

func (e ECC) sign(k *ecdsa.PrivateKey, content []byte) []byte {
	if !e.P1363 {
		sig, err := ecdsa.SignASN1(rand.Reader, k, e.digest(content))
		if err != nil {
			panic("simulator: signing key is unusable: " + err.Error())
		}
		return sig
	}
	r, s, err := ecdsa.Sign(rand.Reader, k, e.digest(content))
	if err != nil {
		panic("simulator: signing key is unusable: " + err.Error())
	}
	out := make([]byte, 2*coordinate)
	r.FillBytes(out[:coordinate])
	s.FillBytes(out[coordinate:])
	return out
}

// verify checks the signature of a request with one version of the merchant's keys.
func (a *HKApp) verify(sig signatureHeader, version string, content []byte) bool {
	switch sig.algorithm {
	case rsa256:
		k := a.MerchantKeys[version]
		return k != nil && verify(k, crypto.SHA256, content, sig.signature)
	case ecc224:
		return a.ECC.verify(version, content, sig.signature)
	}
	return false
}

// hkSign returns the Signature header of an answer; it is signed as the request was [inferred].
func (s *Simulator) hkSign(f *hkFront, content []byte, wrong bool) string {
	name, key, sig := "RSA256", f.app.PlatformKey, ""
	switch {
	case f.sig.algorithm == ecc224 && f.app.ECC.PlatformKey != nil:
		name = "ECC224"
		k := f.app.ECC.PlatformKey
		if wrong {
			k, _ = ecdsa.GenerateKey(elliptic.P224(), rand.Reader) // of nobody; randomness never fails
		}
		sig = s.signer.signECC(f.app.ECC, k, content)
	case wrong:
		sig = s.signer.sign(s.signer.wrong(), crypto.SHA256, content)
	default:
		sig = s.signer.sign(key, crypto.SHA256, content)
	}
	return "algorithm=" + name + ",keyVersion=" + f.app.PlatformKeyVersion + ",signature=" + url.QueryEscape(sig)
}

// decrypt returns the body, decrypted when an Encrypt header says so. Whatever is wrong with it
// gives one answer; the code is open [inferred] (docs/alipay.md, HK "Encryption").
func (f *hkFront) decrypt() ([]byte, *hkResult) {
	header := f.r.Header.Get("Encrypt")
	if header == "" {
		return f.body, nil
	}
	plain, err := f.app.decrypt(header, f.body)
	if err != nil {
		return nil, hkRefused("PARAM_ILLEGAL", "the body cannot be decrypted")
	}
	f.secret = true
	return plain, nil
}

// decrypt undoes RSA_AES: the header's key is wrapped for the platform, the body is its Base64.
func (a *HKApp) decrypt(header string, body []byte) ([]byte, error) {
	values, ok := parsePairs(header)
	if !ok || values["algorithm"] != "RSA_AES" {
		return nil, errDecrypt
	}
	key := a.PlatformKey
	if v := values["keyVersion"]; v != "" && v != a.PlatformKeyVersion {
		key = a.OlderKeys[v]
	}
	wrapped, ok := decodeSignature(values["symmetricKey"])
	raw, err := base64.StdEncoding.DecodeString(string(body))
	if key == nil || !ok || err != nil {
		return nil, errDecrypt
	}
	//nolint:staticcheck // PKCS#1 v1.5 is what the peer demands
	secret, err := rsa.DecryptPKCS1v15(nil, key, wrapped)
	if err != nil {
		return nil, errDecrypt
	}
	return ecbDecrypt(secret, raw)
}

// encrypt turns an answer into an encrypted one under a fresh key, wrapped with the merchant's key
// of the version that signed the request.
func (a *HKApp) encrypt(version string, out *sealed) {
	key := a.MerchantKeys[version]
	if key == nil { // the request was signed with ECC224: any RSA key of the merchant will do
		version = slices.Max(a.versions(signatureHeader{algorithm: rsa256}))
		key = a.MerchantKeys[version]
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	//nolint:staticcheck // as above
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, key, secret)
	if err != nil {
		panic("simulator: merchant's key is unusable: " + err.Error())
	}
	out.body = []byte(base64.StdEncoding.EncodeToString(ecbEncrypt(secret, out.body)))
	out.header.Set("Content-Type", "text/plain; charset=UTF-8")
	out.header.Set("Encrypt", "algorithm=RSA_AES,keyVersion="+version+",symmetricKey="+
		url.QueryEscape(base64.StdEncoding.EncodeToString(wrapped)))
}

// ecbEncrypt is AES in ECB with PKCS#7 padding.
func ecbEncrypt(key, plain []byte) []byte {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("simulator: AES key is unusable: " + err.Error())
	}
	out := pad(plain)
	for i := 0; i < len(out); i += aes.BlockSize {
		b.Encrypt(out[i:], out[i:i+aes.BlockSize])
	}
	return out
}

func ecbDecrypt(key, raw []byte) ([]byte, error) {
	b, err := aes.NewCipher(key)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	for i := 0; i < len(raw); i += aes.BlockSize {
		b.Decrypt(raw[i:], raw[i:i+aes.BlockSize])
	}
	return unpad(raw)
}

// check looks at the curve of the keys.
func (e ECC) check() error {
	if e.PlatformKey != nil && e.PlatformKey.Curve != elliptic.P224() {
		return errors.New("ECC224 needs keys on P-224")
	}
	for _, k := range e.MerchantKeys {
		if k.Curve != elliptic.P224() {
			return errors.New("ECC224 needs keys on P-224")
		}
	}
	return nil
}

// parseECC reads an ECC public key: PEM, SPKI.
func parseECC(text string) (*ecdsa.PublicKey, error) {
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
