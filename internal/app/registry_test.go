package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
)

// TestY3_RegistryAccess: certificate, password and token are read when they are needed.
func TestY3_RegistryAccess(t *testing.T) {
	ca, dir := apptest.NewAuthority(t), t.TempDir()
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
	server.TLS = ca.Server(t)
	server.StartTLS()
	defer server.Close()
	cert, key := ca.Issue(t, "bridge", time.Now().Add(time.Hour))
	apptest.WriteSecret(t, dir, "ca.PEM", ca.PEM)
	apptest.WriteSecret(t, dir, "client.pem", cert)
	apptest.WriteSecret(t, dir, "client.key", key)
	for name, tt := range map[string]struct{ access, want string }{
		"password": {"user: me, password_file: DIR/secret", "Basic bWU6bmV3"},
		"token":    {"token_file: DIR/secret", "Bearer new"},
	} {
		t.Run(name, func(t *testing.T) {
			apptest.WriteSecret(t, dir, "secret", "old")
			want.Store(tt.want)
			text := "registry: {url: '" + server.URL + "', ca_file: DIR/ca.PEM, cert_file: DIR/client.pem, key_file: DIR/client.key, " + tt.access + "}\n"
			c := apptest.LoadSettings(t, apptest.KeyApp+"    url: http://127.0.0.1:1\n", strings.ReplaceAll(text, "DIR", dir))
			registry, err := OpenRegistry(c.Registry, 0, Options{})
			apptest.NoError(t, err)
			defer registry.Close()
			if _, err := registry.History(t.Context(), "t"); err == nil {
				t.Fatal("the old secret was taken")
			}
			apptest.WriteSecret(t, dir, "secret", "new")
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
	apptest.NoError(t, err)
	defer cluster.Close()
	for id, ok := range map[string]bool{"staging": true, "": true, "production": false} {
		t.Run(id, func(t *testing.T) {
			more := "kafka: {brokers: ['" + cluster.ListenAddrs()[0] + "'], start: earliest, slot: s, cluster_id: '" + id + "'}\n"
			if id == "" {
				more = strings.Replace(more, ", cluster_id: ''", "", 1)
			}
			s := serviceOf(t, more)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			err := s.awaitBrokers(ctx)
			cancel()
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), `cluster "staging"`) {
				t.Errorf("cluster_id %q: %v, want ok = %v", id, err, ok)
			}
			cl, err := kafka.NewClient(t.Context(), apptest.LoadSettings(t, apptest.ClosedPortApp, more).Kafka, slog.New(slog.DiscardHandler))
			if (err == nil) != ok {
				t.Errorf("cluster_id %q: send, tail and topics get %v, want ok = %v", id, err, ok)
			}
			if err == nil {
				cl.Close()
			}
		})
	}
}

// TestARegistryThatFailsHasTwoLines: one when it begins, with the number of failures in the other one,
// when it answers again. Its answers are not judged here.
func TestARegistryThatFailsHasTwoLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		want string
		ask  func(conn net.Conn) (net.Conn, error)
	}{
		{"refused", "error=\"no answer within 4s\"", func(net.Conn) (net.Conn, error) { return nil, errors.New("refused") }},
		{"silent", "error=\"no answer within 4s\"", func(c net.Conn) (net.Conn, error) { return silentConn{c}, nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, err := localkafka.Start(localkafka.Options{Network: &kfake.VirtualNetwork{}})
				apptest.NoError(t, err)
				defer cluster.Close()
				var log apptest.Buffer
				var broken atomic.Bool
				dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := cluster.DialContext()(ctx, network, addr)
					if err == nil && broken.Load() {
						return tt.ask(conn)
					}
					return conn, err
				}
				ask := func() {
					registry, err := OpenRegistry(config.Registry{URL: cluster.RegistryURL()}, 0, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Dial: dial})
					apptest.NoError(t, err)
					defer registry.Close()
					for _, b := range []bool{false, true, false, false} {
						broken.Store(b)
						ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
						_, _ = registry.History(ctx, "t")
						cancel()
						time.Sleep(time.Minute)
						registry.Close() // its connections, which are idle now
					}
				}
				ask()
				lines := strings.Split(strings.TrimSpace(log.Take()), "\n")
				if len(lines) != 2 || !strings.Contains(lines[0], "does not answer\" url="+cluster.RegistryURL()+" "+tt.want) || !strings.Contains(lines[1], "answers again") {
					t.Errorf("lines:\n%s", strings.Join(lines, "\n"))
				}
			})
		})
	}
}

// silentConn never delivers anything.
type silentConn struct{ net.Conn }

func (c silentConn) Write(p []byte) (int, error) { return len(p), nil }
