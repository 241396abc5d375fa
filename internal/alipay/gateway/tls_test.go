package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// TestTLS: HTTP/1.1 over TLS 1.2 or newer, to a gateway whose root is trusted; all else is not
// sent at all.
func TestTLS(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted bool
		highest uint16
		want    alipay.Class
	}{
		{"trusted root", true, tls.VersionTLS13, alipay.Done},
		{"TLS 1.2", true, tls.VersionTLS12, alipay.Done},
		{"TLS 1.1", true, tls.VersionTLS11, alipay.Transient},
		{"unknown root", false, tls.VersionTLS13, alipay.Transient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Proto != "HTTP/1.1" {
					t.Errorf("protocol %s", r.Proto)
				}
				answering(200, signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`))(w, r)
			}))
			s.EnableHTTP2 = true
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tt.highest}
			s.StartTLS()
			t.Cleanup(s.Close)
			app := openAPI(t, silent, func(o *gateway.OpenAPIOptions) {
				o.URL, o.DialContext = s.URL, nil
				if o.RootCAs = x509.NewCertPool(); tt.trusted {
					o.RootCAs.AddCert(s.Certificate())
				}
			})
			_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
			if got := alipay.ClassOf(err); got != tt.want {
				t.Errorf("class = %v, want %v (%v)", got, tt.want, err)
			}
		})
	}
}

// tlsGateway runs a gateway on TLS that offers HTTP/2.
func tlsGateway(t *testing.T, h http.HandlerFunc) (url string, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, roots
}
