package kafka

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
)

// secured is a Kafka that wants TLS, a client certificate and a password, and the folder with
// the settings' files for it.
type secured struct {
	ca      *apptest.Authority
	dir     string
	brokers []string
}

func newSecured(t *testing.T, opts ...kfake.Opt) *secured {
	t.Helper()
	s := &secured{ca: apptest.NewAuthority(t), dir: t.TempDir()}
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.TLS(s.ca.Server(t)), kfake.ClusterID("right"))...)
	apptest.NoError(t, err)
	t.Cleanup(cluster.Close)
	s.brokers = cluster.ListenAddrs()
	apptest.WriteSecret(t, s.dir, "ca.PEM", s.ca.PEM)
	cert, key := s.ca.Issue(t, "bridge", time.Now().AddDate(0, 6, 0))
	apptest.WriteSecret(t, s.dir, "client.pem", cert)
	apptest.WriteSecret(t, s.dir, "client.key", key)
	return s
}

// settings loads a file with this sasl block through the same door as users.
func (s *secured) settings(t *testing.T, sasl string) config.Kafka {
	t.Helper()
	list, err := json.Marshal(s.brokers)
	apptest.NoError(t, err)
	return apptest.LoadSettings(t, apptest.KeyApp+"    url: http://127.0.0.1:1\n", "kafka:\n  brokers: "+string(list)+"\n  start: earliest\n  slot: s\n"+
		strings.ReplaceAll("  tls: {enabled: true, ca_file: DIR/ca.PEM, cert_file: DIR/client.pem, key_file: DIR/client.key}\n"+sasl, "DIR", s.dir)).Kafka
}

func (s *secured) client(t *testing.T, k config.Kafka) *kgo.Client {
	t.Helper()
	opts, err := ClientOptions(k, nil, slog.New(slog.DiscardHandler))
	apptest.NoError(t, err)
	cl, err := kgo.NewClient(append(opts, kgo.RequestRetries(1))...)
	apptest.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func ask(t *testing.T, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	return err
}

// TestG1_SASLOverTLS: each mechanism with its password over mutual TLS, read from the
// file when it is needed.
func TestG1_SASLOverTLS(t *testing.T) {
	for _, mechanism := range []string{config.Plain, config.Scram256, config.Scram512} {
		t.Run(mechanism, func(t *testing.T) {
			s := newSecured(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "bridge", "right"))
			apptest.WriteSecret(t, s.dir, "password", "c4n4ry")
			k := s.settings(t, "  sasl: {mechanism: "+mechanism+", user: bridge, password_file: DIR/password}\n")
			cl := s.client(t, k)
			if err := ask(t, cl); err == nil || strings.Contains(err.Error(), "c4n4ry") {
				t.Fatalf("err = %v, want a refusal without the password", err)
			}
			apptest.WriteSecret(t, s.dir, "password", "right\n")
			if err := ask(t, cl); err != nil {
				t.Fatalf("the new password was not read: %v", err)
			}
			apptest.NoError(t, os.Chmod(filepath.Join(s.dir, "password"), 0o644))
			if _, err := ClientOptions(k, nil, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "right") {
				t.Errorf("err = %v, want that others may read the file", err)
			}
		})
	}
}

// TestY3_RotatedTLSFilesAreRead: certificate, key and roots are those that the files hold when a
// connection is opened; broken ones leave the previous in force.
func TestY3_RotatedTLSFilesAreRead(t *testing.T) {
	s := newSecured(t)
	apptest.WriteSecret(t, s.dir, "ca.PEM", apptest.NewAuthority(t).PEM)
	k := s.settings(t, "")
	cl := s.client(t, k)
	if err := ask(t, cl); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Fatalf("err = %v, want an unknown authority", err)
	}
	apptest.WriteSecret(t, s.dir, "ca.PEM", s.ca.PEM)
	if err := ask(t, cl); err != nil {
		t.Fatalf("the new roots were not read: %v", err)
	}
	var log strings.Builder
	dial, err := TLSDialer("kafka.tls", TLSFiles{k.TLS.CAFile, k.TLS.CertFile, k.TLS.KeyFile, ""}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	apptest.NoError(t, err)
	_, other := s.ca.Issue(t, "other", time.Now().Add(time.Hour))
	apptest.WriteSecret(t, s.dir, "client.key", other)
	for range 2 {
		conn, err := dial(t.Context(), "tcp", s.brokers[0])
		if err != nil {
			t.Fatalf("the previous certificate is not in force: %v", err)
		}
		if v := conn.(*tls.Conn).ConnectionState().Version; v < tls.VersionTLS12 {
			t.Errorf("version %x", v)
		}
		_ = conn.Close()
	}
	if n := strings.Count(log.String(), "do not belong together"); n != 1 {
		t.Errorf("the fault was logged %d times:\n%s", n, &log)
	}
}

// bearer lets a broker take tokens: OAUTHBEARER is not in kfake.
func bearer(t *testing.T, cluster *kfake.Cluster, tokens chan<- string) {
	t.Helper()
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if resp.SupportedMechanisms = []string{config.OAuthBearer}; req.(*kmsg.SASLHandshakeRequest).Mechanism != config.OAuthBearer {
			resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return resp, nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		tokens <- string(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		return req.ResponseKind(), nil, true
	})
}

// TestG1_OAuthBearer: tokens of a file, and of an endpoint that is asked with the secret as its
// file has it, once per life of a token.
func TestG1_OAuthBearer(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	tokens := make(chan string, 10)
	bearer(t, cluster, tokens)
	s := &secured{ca: apptest.NewAuthority(t), dir: t.TempDir(), brokers: cluster.ListenAddrs()}

	var asked atomic.Int64
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if user != "me" || secret != "s3cret-2" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"` + secret + `"}`))
			return
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"from-endpoint","token_type":"bearer","expires_in":3600}`))
	}))
	endpoint.TLS = s.ca.Server(t)
	endpoint.TLS.ClientAuth = tls.NoClientCert
	endpoint.StartTLS()
	defer endpoint.Close()
	apptest.WriteSecret(t, s.dir, "ca.PEM", s.ca.PEM)
	apptest.WriteSecret(t, s.dir, "token", "from-file")
	apptest.WriteSecret(t, s.dir, "secret", "s3cret-1")

	plainText := func(sasl string) *kgo.Client {
		k := apptest.LoadSettings(t, apptest.KeyApp+"    url: http://127.0.0.1:1\n", "kafka:\n  brokers: ['"+s.brokers[0]+"']\n  start: earliest\n  slot: s\n"+strings.ReplaceAll(sasl, "DIR", s.dir)).Kafka
		return s.client(t, k)
	}
	byFile := plainText("  sasl: {mechanism: OAUTHBEARER, token_file: DIR/token, extensions: {logicalCluster: lkc}}\n")
	apptest.NoError(t, ask(t, byFile))
	if got := <-tokens; !strings.Contains(got, "auth=Bearer from-file\x01logicalCluster=lkc") {
		t.Errorf("sent %q", got)
	}
	byEndpoint := "  sasl: {mechanism: OAUTHBEARER, token_url: '" + endpoint.URL + "', token_ca_file: DIR/ca.PEM, client_id: me, client_secret_file: DIR/secret, scope: kafka}\n"
	cl := plainText(byEndpoint)
	if err := ask(t, cl); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), `401 and error "invalid_client"`) {
		t.Fatalf("err = %v, want the code alone", err)
	}
	apptest.WriteSecret(t, s.dir, "secret", "s3cret-2")
	apptest.NoError(t, ask(t, cl))
	if got := <-tokens; !strings.Contains(got, "auth=Bearer from-endpoint\x01") {
		t.Errorf("sent %q", got)
	}
	cl.EnsureProduceConnectionIsOpen(t.Context()) // one more connection, one more authentication
	if got := <-tokens; !strings.Contains(got, "from-endpoint") || asked.Load() != 1 {
		t.Errorf("sent %q, asked %d times, want once", got, asked.Load())
	}
}
