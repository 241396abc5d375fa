package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// Keys of the tests: ours, Alipay's, and its next one.
var OwnKey, PlatformKey, LaterKey = sync.OnceValue(newKey), sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// NewEllipticKey makes a key on P-224, as AlipayHK's ECC224 uses it.
func NewEllipticKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func encode(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// PrivatePEM encodes a private key as PKCS #8.
func PrivatePEM(k any) string {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return encode("PRIVATE KEY", der, err)
}

// PublicPEM encodes a public key as SubjectPublicKeyInfo.
func PublicPEM(k any) string {
	der, err := x509.MarshalPKIXPublicKey(k)
	return encode("PUBLIC KEY", der, err)
}

// CertificatePEM is issued by a root with the later key; without a name it is that root.
func CertificatePEM(name string, key *rsa.PublicKey) string {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root R1"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	leaf := *root
	if name != "" {
		leaf.SerialNumber, leaf.Subject, leaf.IsCA = big.NewInt(int64(len(name))), pkix.Name{CommonName: name}, false
	}
	der, err := x509.CreateCertificate(rand.Reader, &leaf, root, key, LaterKey())
	return encode("CERTIFICATE", der, err)
}

// Authority issues certificates of servers and clients.
type Authority struct {
	PEM string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a certificate authority for one test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	NoError(t, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	NoError(t, err)
	return &Authority{encode("CERTIFICATE", der, nil), cert, key}
}

// Issue makes a certificate for 127.0.0.1 that ends at this time, and its key.
func (a *Authority) Issue(t testing.TB, name string, end time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
	}, a.cert, k.Public(), a.key)
	NoError(t, err)
	return encode("CERTIFICATE", der, nil), PrivatePEM(k)
}

// Server is a TLS configuration that wants a certificate of this authority from clients.
func (a *Authority) Server(t testing.TB) *tls.Config {
	t.Helper()
	cert, key := a.Issue(t, "server", time.Now().AddDate(0, 6, 0))
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
}
