package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/kafka"
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
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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
