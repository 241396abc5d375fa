//go:build integration

package integration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// fortress is a broker that wants TLS, a client's certificate, a user and ACLs, with ports and
// data of its own beside the open one.
type fortress struct {
	dir     string
	address string
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	pair    tls.Certificate // of the test itself
	first   string          // the bridge's password before it was changed
}

func newFortress(t *testing.T) *fortress {
	t.Helper()
	port, err := strconv.Atoi(env("KAFKA_PORT", "9092"))
	must(t, err)
	f := &fortress{dir: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", port+100)}
	f.authority(t)
	f.put(t, "admin.password", "a-"+rand.Text())
	f.first = "b-" + rand.Text()
	f.put(t, "bridge.password", f.first)
	cert, key := f.issue(t, "broker")
	f.put(t, "server.pem", key+cert)
	cert, key = f.issue(t, "bridge")
	f.put(t, "client.pem", cert)
	f.put(t, "client.key", key)
	f.pair, err = tls.X509KeyPair([]byte(cert), []byte(key))
	must(t, err)
	f.script(t, "start")
	t.Cleanup(func() { _ = f.command(context.Background(), "stop").Run() })
	return f
}

func (f *fortress) put(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600))
}

func (f *fortress) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	must(t, err)
	return string(b)
}

// authority makes the root of all certificates here.
func (f *fortress) authority(t *testing.T) {
	t.Helper()
	var err error
	f.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	f.ca = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "integration CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, f.ca, f.ca, f.caKey.Public(), f.caKey)
	must(t, err)
	f.ca, err = x509.ParseCertificate(der)
	must(t, err)
	f.put(t, "ca.pem", block("CERTIFICATE", der))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (f *fortress) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 6, 0),
	}, f.ca, k.Public(), f.caKey)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)
}

// options are the administrator's way in.
func (f *fortress) options(t *testing.T) []kgo.Opt {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(f.ca)
	return []kgo.Opt{
		kgo.SeedBrokers(f.address),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{f.pair}, MinVersion: tls.VersionTLS12}),
		kgo.SASL(scram.Auth{User: "admin", Pass: f.read(t, "admin.password")}.AsSha512Mechanism()),
	}
}

// security are the settings of kafka for a user who comes in this way.
func (f *fortress) security(sasl string) string {
	return fmt.Sprintf("brokers: [%q], cluster_id: 4L6g3nShT-eMCtK--X86sw, tls: {enabled: true, ca_file: %[2]s/ca.pem, cert_file: %[2]s/client.pem, key_file: %[2]s/client.key}, sasl: {%[3]s}",
		f.address, f.dir, sasl)
}

func (f *fortress) by(mechanism, user string) string {
	return f.security(fmt.Sprintf("mechanism: %s, user: %s, password_file: %s/%s.password", mechanism, user, f.dir, user))
}

// token writes a token that nobody signed: this broker believes it.
func (f *fortress) token(t *testing.T, subject string) {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	must(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	f.put(t, "token", b64([]byte(`{"alg":"none"}`))+"."+b64(claims)+".")
}

// change gives a user another password, at the broker and then in the file.
func (f *fortress) change(t *testing.T, adm *kadm.Client, user, password string) {
	t.Helper()
	altered, err := adm.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	must(t, err)
	must(t, altered.Error())
	f.put(t, user+".password", password)
}
