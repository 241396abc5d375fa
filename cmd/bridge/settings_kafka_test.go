package main

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

	"alipay-kafka-bridge/internal/config"
)

// secured is a Kafka that wants TLS, a client certificate and a password, and the folder with
// the settings' files for it.
type secured struct {
	ca      *authority
	dir     string
	brokers []string
}

func newSecured(t *testing.T, opts ...kfake.Opt) *secured {
	t.Helper()
	s := &secured{ca: newAuthority(t), dir: t.TempDir()}
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.TLS(s.ca.server(t)), kfake.ClusterID("right"))...)
	mustDo(t, err)
	t.Cleanup(cluster.Close)
	s.brokers = cluster.ListenAddrs()
	put(t, s.dir, "ca.pem", s.ca.pem)
	cert, key := s.ca.issue(t, "bridge", time.Now().AddDate(0, 6, 0))
	put(t, s.dir, "client.pem", cert)
	put(t, s.dir, "client.key", key)
	return s
}

// settings loads a file with this sasl block through the same door as users.
func (s *secured) settings(t *testing.T, sasl string) config.Kafka {
	t.Helper()
	list, err := json.Marshal(s.brokers)
	mustDo(t, err)
	return loadSettings(t, keyApp+"    url: http://127.0.0.1:1\n", "kafka:\n  brokers: "+string(list)+"\n  start: earliest\n  slot: s\n"+
		strings.ReplaceAll("  tls: {enabled: true, ca_file: DIR/ca.pem, cert_file: DIR/client.pem, key_file: DIR/client.key}\n"+sasl, "DIR", s.dir)).Kafka
}

func (s *secured) client(t *testing.T, k config.Kafka) *kgo.Client {
	t.Helper()
	opts, err := kafkaOptions(k, slog.New(slog.DiscardHandler))
	mustDo(t, err)
	cl, err := kgo.NewClient(append(opts, kgo.RequestRetries(1))...)
	mustDo(t, err)
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
			put(t, s.dir, "password", "c4n4ry")
			k := s.settings(t, "  sasl: {mechanism: "+mechanism+", user: bridge, password_file: DIR/password}\n")
			cl := s.client(t, k)
			if err := ask(t, cl); err == nil || strings.Contains(err.Error(), "c4n4ry") {
				t.Fatalf("err = %v, want a refusal without the password", err)
			}
			put(t, s.dir, "password", "right\n")
			if err := ask(t, cl); err != nil {
				t.Fatalf("the new password was not read: %v", err)
			}
			mustDo(t, os.Chmod(filepath.Join(s.dir, "password"), 0o644))
			if _, err := kafkaOptions(k, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "right") {
				t.Errorf("err = %v, want that others may read the file", err)
			}
		})
	}
}

// TestY3_RotatedTLSFilesAreRead: certificate, key and roots are those that the files hold when a
// connection is opened; broken ones leave the former in force.
func TestY3_RotatedTLSFilesAreRead(t *testing.T) {
	s := newSecured(t)
	put(t, s.dir, "ca.pem", newAuthority(t).pem)
	k := s.settings(t, "")
	cl := s.client(t, k)
	if err := ask(t, cl); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Fatalf("err = %v, want an unknown authority", err)
	}
	put(t, s.dir, "ca.pem", s.ca.pem)
	if err := ask(t, cl); err != nil {
		t.Fatalf("the new roots were not read: %v", err)
	}
	var log strings.Builder
	dial, err := dialerOf("kafka.tls", tlsFiles{k.TLS.CAFile, k.TLS.CertFile, k.TLS.KeyFile, ""}, slog.New(slog.NewTextHandler(&log, nil)))
	mustDo(t, err)
	_, other := s.ca.issue(t, "other", time.Now().Add(time.Hour))
	put(t, s.dir, "client.key", other)
	for range 2 {
		conn, err := dial(t.Context(), "tcp", s.brokers[0])
		if err != nil {
			t.Fatalf("the former certificate is not in force: %v", err)
		}
		if v := conn.(*tls.Conn).ConnectionState().Version; v < tls.VersionTLS12 {
			t.Errorf("version %x", v)
		}
		_ = conn.Close()
	}
	if n := strings.Count(log.String(), "no pair"); n != 1 {
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
	mustDo(t, err)
	defer cluster.Close()
	tokens := make(chan string, 10)
	bearer(t, cluster, tokens)
	s := &secured{ca: newAuthority(t), dir: t.TempDir(), brokers: cluster.ListenAddrs()}

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
	endpoint.TLS = s.ca.server(t)
	endpoint.TLS.ClientAuth = tls.NoClientCert
	endpoint.StartTLS()
	defer endpoint.Close()
	put(t, s.dir, "ca.pem", s.ca.pem)
	put(t, s.dir, "token", "from-file")
	put(t, s.dir, "secret", "s3cret-1")

	plainText := func(sasl string) *kgo.Client {
		k := loadSettings(t, keyApp+"    url: http://127.0.0.1:1\n", "kafka:\n  brokers: ['"+s.brokers[0]+"']\n  start: earliest\n  slot: s\n"+strings.ReplaceAll(sasl, "DIR", s.dir)).Kafka
		return s.client(t, k)
	}
	byFile := plainText("  sasl: {mechanism: OAUTHBEARER, token_file: DIR/token, extensions: {logicalCluster: lkc}}\n")
	mustDo(t, ask(t, byFile))
	if got := <-tokens; !strings.Contains(got, "auth=Bearer from-file\x01logicalCluster=lkc") {
		t.Errorf("sent %q", got)
	}
	byEndpoint := "  sasl: {mechanism: OAUTHBEARER, token_url: '" + endpoint.URL + "', token_ca_file: DIR/ca.pem, client_id: me, client_secret_file: DIR/secret, scope: kafka}\n"
	cl := plainText(byEndpoint)
	if err := ask(t, cl); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), `401 "invalid_client"`) {
		t.Fatalf("err = %v, want the code alone", err)
	}
	put(t, s.dir, "secret", "s3cret-2")
	mustDo(t, ask(t, cl))
	if got := <-tokens; !strings.Contains(got, "auth=Bearer from-endpoint\x01") {
		t.Errorf("sent %q", got)
	}
	cl.EnsureProduceConnectionIsOpen(t.Context()) // one more connection, one more authentication
	if got := <-tokens; !strings.Contains(got, "from-endpoint") || asked.Load() != 1 {
		t.Errorf("sent %q, asked %d times, want once", got, asked.Load())
	}
}

// TestY3_RegistryAccess: certificate, password and token are read when they are needed.
func TestY3_RegistryAccess(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	var want atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != want.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/config") {
			_, _ = w.Write([]byte(`{"compatibilityLevel":"FULL"}`))
			return
		}
		_, _ = w.Write([]byte(`[]`))
	}))
	server.TLS = ca.server(t)
	server.StartTLS()
	defer server.Close()
	cert, key := ca.issue(t, "bridge", time.Now().Add(time.Hour))
	put(t, dir, "ca.pem", ca.pem)
	put(t, dir, "client.pem", cert)
	put(t, dir, "client.key", key)
	for name, tt := range map[string]struct{ access, want string }{
		"password": {"user: me, password_file: DIR/secret", "Basic bWU6bmV3"},
		"token":    {"token_file: DIR/secret", "Bearer new"},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, dir, "secret", "old")
			want.Store(tt.want)
			text := "registry: {url: '" + server.URL + "', ca_file: DIR/ca.pem, cert_file: DIR/client.pem, key_file: DIR/client.key, " + tt.access + "}\n"
			c := loadSettings(t, keyApp+"    url: http://127.0.0.1:1\n", strings.ReplaceAll(text, "DIR", dir))
			registry, err := registryOf(c.Registry, 0, slog.New(slog.DiscardHandler))
			mustDo(t, err)
			defer registry.Close()
			if _, err := registry.History(t.Context(), "t"); err == nil {
				t.Fatal("the old secret was taken")
			}
			put(t, dir, "secret", "new")
			if _, err := registry.History(t.Context(), "t"); err != nil {
				t.Errorf("the new secret was not read: %v", err)
			}
		})
	}
}

// TestG10_OtherCluster: nothing is read, produced or called on a cluster that the settings do
// not name.
func TestG10_OtherCluster(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("staging"))
	mustDo(t, err)
	defer cluster.Close()
	for id, ok := range map[string]bool{"staging": true, "": true, "production": false} {
		more := "kafka: {brokers: ['" + cluster.ListenAddrs()[0] + "'], start: earliest, slot: s, cluster_id: '" + id + "'}\n"
		if id == "" {
			more = strings.Replace(more, ", cluster_id: ''", "", 1)
		}
		s := serviceOf(t, more)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := s.awaitCluster(ctx)
		cancel()
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), `cluster "staging"`) {
			t.Errorf("cluster_id %q: %v, want ok = %v", id, err, ok)
		}
		cl, err := new(target).client(t.Context(), loadSettings(t, keyApp+"    url: http://127.0.0.1:1\n", more))
		if (err == nil) != ok {
			t.Errorf("cluster_id %q: send, tail and topics get %v, want ok = %v", id, err, ok)
		}
		if err == nil {
			cl.Close()
		}
	}
}
