package gateway_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

var caKey = sync.OnceValue(newKey) // of every authority in these tests

// issue makes a certificate in PEM. parent nil is a root.
func issue(t testing.TB, cn string, serial int64, key *rsa.PublicKey, parent *x509.Certificate, ca bool) (*x509.Certificate, []byte) {
	t.Helper()
	begin := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // clocks of test bubbles begin in 2000
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn, Organization: []string{"Test Financial"}, Country: []string{"CN"}},
		NotBefore: begin, NotAfter: begin.AddDate(50, 0, 0), IsCA: ca, BasicConstraintsValid: true,
	}
	if parent == nil {
		parent = tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key, caKey())
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pki is a platform with a root, the two classes of authorities and their certificates.
type pki struct {
	root, app, alipay, next, merchant []byte // leaves with their intermediates
}

func newPKI(t testing.TB) pki {
	ca := &caKey().PublicKey
	root, rootPEM := issue(t, "Test R1", 1, ca, nil, true)
	class1, class1PEM := issue(t, "Test Class 1 R1", 2, ca, root, true)
	class2, class2PEM := issue(t, "Test Class 2 R1", 3, ca, root, true)
	_, app := issue(t, "our app", 4, &ourKey().PublicKey, class1, false)
	_, old := issue(t, "Alipay", 5, &theirKey().PublicKey, class2, false)
	_, next := issue(t, "Alipay", 6, &nextKey().PublicKey, class2, false)
	_, merchant := issue(t, "another merchant", 7, &nextKey().PublicKey, class1, false)
	return pki{
		root: rootPEM, app: append(app, class1PEM...), alipay: append(old, class2PEM...),
		next: append(next, class2PEM...), merchant: append(merchant, class1PEM...),
	}
}

var nextKey = sync.OnceValue(newKey) // Alipay's, after a change of certificates

// leafSN is the SN of the first certificate of a chain, of a name in which nothing is escaped.
func leafSN(t testing.TB, chain []byte) string {
	t.Helper()
	block, _ := pem.Decode(chain)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(c.Issuer.String()+c.SerialNumber.String())))
}

// rotated is a gateway that signs with a new certificate and hands it out.
type rotated struct {
	t         testing.TB
	sn        string // that the answers name
	chain     []byte // that is handed out
	status    int    // of downloads
	downloads atomic.Int32
	query     url.Values // of the last download
}

func (g *rotated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	if r.URL.Query().Get("method") == "alipay.open.app.alipaycert.download" {
		g.downloads.Add(1)
		g.query = r.URL.Query()
		var content struct {
			SN string `json:"alipay_cert_sn"`
		}
		if err := json.Unmarshal([]byte(form.Get("biz_content")), &content); err != nil || content.SN != g.sn {
			g.t.Errorf("asked for %q", form.Get("biz_content"))
		}
		w.WriteHeader(g.status)
		fmt.Fprintf(w, `{"alipay_open_app_alipaycert_download_response":{"code":"10000","alipay_cert_content":%q}}`, base64.StdEncoding.EncodeToString(g.chain))
		return
	}
	node := `{"code":"10000","msg":"Success",` + numbers(alipay.MethodTradeQuery) + `}`
	fmt.Fprintf(w, `{"alipay_trade_query_response":%s,"alipay_cert_sn":%q,"sign":%q}`, node, g.sn, sign(g.t, nextKey(), []byte(node)))
}

func certApp(t testing.TB, p pki, g http.Handler, accepted func([]byte)) *gateway.App {
	certs, err := certs.New(certs.Options{App: p.app, Alipay: p.alipay, Root: p.root, Accepted: accepted})
	if err != nil {
		t.Fatal(err)
	}
	return openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) { o.AlipayKey, o.Certificates = nil, certs })
}

// TestRotatedCertificate: one download for many callers, then none; the chain is handed on and
// is trusted by others after the same checks.
func TestRotatedCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		g := &rotated{t: t, sn: leafSN(t, p.next), chain: p.next, status: 200}
		var handed []byte
		app := certApp(t, p, g, func(chain []byte) { handed = chain })
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := app.Client(alipay.Merchant{AppAuthToken: "t"}).Do(t.Context(), alipaytest.Query()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := g.downloads.Load(); n != 1 {
			t.Errorf("%d downloads, want 1", n)
		}
		if g.query.Get("app_cert_sn") == "" || g.query.Get("alipay_root_cert_sn") == "" || g.query.Has("encrypt_type") {
			t.Errorf("the download is not a request of certificate mode: %v", g.query)
		}
		others, err := certs.New(certs.Options{App: p.app, Alipay: p.alipay, Root: p.root})
		if err != nil || !bytes.Equal(handed, p.next) {
			t.Fatalf("handed on %d bytes, %v", len(handed), err)
		}
		if err := others.Add(handed); err != nil {
			t.Error(err)
		}
		if err := others.Add(p.merchant); err == nil {
			t.Error("a merchant's certificate was added")
		}
	})
}

// TestUntrustedCertificate: what breaks one of the four conditions is not believed, and not
// asked for again for ten minutes.
func TestUntrustedCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		leaf, _, _ := strings.Cut(string(p.next), "-----END CERTIFICATE-----\n")
		for name, g := range map[string]*rotated{
			"another certificate than asked for": {sn: leafSN(t, p.next), chain: p.alipay},
			"issued to merchants":                {sn: leafSN(t, p.merchant), chain: p.merchant},
			"without its intermediate":           {sn: leafSN(t, p.next), chain: []byte(leaf + "-----END CERTIFICATE-----\n")},
			"no certificate":                     {sn: leafSN(t, p.next), chain: []byte("x")},
			"nothing":                            {sn: leafSN(t, p.next)},
		} {
			g.t, g.status = t, 200
			c := certApp(t, p, g, nil).Client(alipay.Merchant{})
			for range 3 {
				if rep, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Untrusted || rep.Verified {
					t.Errorf("%s: %v, verified %v", name, err, rep.Verified)
				}
			}
			if n := g.downloads.Load(); n != 1 {
				t.Errorf("%s: %d downloads, want 1", name, n)
			}
			time.Sleep(10*time.Minute + time.Second)
			_, _ = c.Do(t.Context(), alipaytest.Query())
			if n := g.downloads.Load(); n != 2 {
				t.Errorf("%s: %d downloads after ten minutes, want 2", name, n)
			}
		}
	})
}

// TestDownloadsAreFew: answers that name ever new certificates cost six questions an hour.
func TestDownloadsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		g := &rotated{t: t, chain: p.next, status: 200}
		c := certApp(t, p, g, nil).Client(alipay.Merchant{})
		for i := range 50 {
			g.sn = fmt.Sprintf("%032x", i)
			if _, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Untrusted {
				t.Errorf("%v", err)
			}
		}
		g.sn = "../../etc/passwd"
		if _, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Untrusted {
			t.Errorf("%v", err)
		}
		if n := g.downloads.Load(); n != 6 {
			t.Errorf("%d downloads, want 6", n)
		}
		time.Sleep(time.Hour)
		g.sn = leafSN(t, p.next)
		if _, err := c.Do(t.Context(), alipaytest.Query()); err != nil {
			t.Error(err)
		}
	})
}

// TestDownloadWithoutAnswer: the outcome is unknown, not untrusted, and the next try comes soon.
func TestDownloadWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		g := &rotated{t: t, sn: leafSN(t, p.next), chain: p.next, status: 502}
		c := certApp(t, p, g, nil).Client(alipay.Merchant{})
		for range 2 {
			if _, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Transient {
				t.Errorf("%v", err)
			}
		}
		if n := g.downloads.Load(); n != 1 {
			t.Errorf("%d downloads, want 1", n)
		}
		g.status = 200
		time.Sleep(time.Minute)
		if _, err := c.Do(t.Context(), alipaytest.Query()); err != nil {
			t.Error(err)
		}
	})
}
