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

// secureBroker is a broker that requires TLS, a client certificate, a user and ACLs. It has ports and
// data of its own and runs next to the open one.
type secureBroker struct {
	dir           string
	address       string
	ca            *x509.Certificate
	caKey         *ecdsa.PrivateKey
	clientPair    tls.Certificate // of the test itself
	firstPassword string          // the bridge's password before it was changed
}

func newSecureBroker(t *testing.T) *secureBroker {
	t.Helper()
	port, err := strconv.Atoi(getenv("KAFKA_PORT", "9092"))
	must(t, err)
	f := &secureBroker{dir: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", port+100)}
	f.makeCA(t)
	f.writeFile(t, "admin.password", "a-"+rand.Text())
	f.firstPassword = "b-" + rand.Text()
	f.writeFile(t, "bridge.password", f.firstPassword)
	cert, key := f.issue(t, "broker")
	f.writeFile(t, "server.pem", key+cert)
	cert, key = f.issue(t, "bridge")
	f.writeFile(t, "client.pem", cert)
	f.writeFile(t, "client.key", key)
	f.clientPair, err = tls.X509KeyPair([]byte(cert), []byte(key))
	must(t, err)
	f.script(t, "start")
	t.Cleanup(func() { _ = f.command(context.Background(), "stop").Run() })
	return f
}

func (f *secureBroker) writeFile(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600))
}

func (f *secureBroker) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	must(t, err)
	return string(b)
}

// makeCA makes the root of all certificates.
func (f *secureBroker) makeCA(t *testing.T) {
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
	f.writeFile(t, "ca.pem", block("CERTIFICATE", der))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (f *secureBroker) issue(t *testing.T, name string) (cert, key string) {
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

// options are the options of a client of the administrator.
func (f *secureBroker) options(t *testing.T) []kgo.Opt {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(f.ca)
	return []kgo.Opt{
		kgo.SeedBrokers(f.address),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{f.clientPair}, MinVersion: tls.VersionTLS12}),
		kgo.SASL(scram.Auth{User: "admin", Pass: f.read(t, "admin.password")}.AsSha512Mechanism()),
	}
}

// security returns the settings under kafka for a user with these SASL settings.
func (f *secureBroker) security(sasl string) string {
	return fmt.Sprintf("brokers: [%q], cluster_id: 4L6g3nShT-eMCtK--X86sw, tls: {enabled: true, ca_file: %[2]s/ca.pem, cert_file: %[2]s/client.pem, key_file: %[2]s/client.key}, sasl: {%[3]s}",
		f.address, f.dir, sasl)
}

func (f *secureBroker) securityFor(mechanism, user string) string {
	return f.security(fmt.Sprintf("mechanism: %s, user: %s, password_file: %s/%s.password", mechanism, user, f.dir, user))
}

// writeToken writes an unsigned token: this broker accepts it.
func (f *secureBroker) writeToken(t *testing.T, subject string) {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	must(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	f.writeFile(t, "token", b64([]byte(`{"alg":"none"}`))+"."+b64(claims)+".")
}

// changePassword changes the password of a user, at the broker and then in the file.
func (f *secureBroker) changePassword(t *testing.T, adm *kadm.Client, user, password string) {
	t.Helper()
	altered, err := adm.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	must(t, err)
	must(t, altered.Error())
	f.writeFile(t, user+".password", password)
}
