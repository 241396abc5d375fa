package kafka

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
)

// TestG1_SASLInClear: a secret that can be read goes to this machine alone, whatever address the
// cluster names; with SCRAM, which sends none, and without SASL anything may be dialled.
func TestG1_SASLInClear(t *testing.T) {
	const elsewhere = "192.0.2.1:9092" // no one has it (RFC 5737)
	here, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	defer here.Close()
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "secret", "c4n4ry")
	for name, tt := range map[string]struct {
		sasl    string
		refused bool
	}{
		"PLAIN":       {"  sasl: {mechanism: PLAIN, user: bridge, password_file: " + dir + "/secret}\n", true},
		"OAUTHBEARER": {"  sasl: {mechanism: OAUTHBEARER, token_file: " + dir + "/secret}\n", true},
		"SCRAM":       {"  sasl: {mechanism: SCRAM-SHA-256, user: bridge, password_file: " + dir + "/secret}\n", false},
		"none":        {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			k := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka:\n  brokers: ['127.0.0.1:9092']\n  start: earliest\n  slot: s\n"+tt.sasl).Kafka
			opts, err := ClientOptions(k, nil, slog.New(slog.DiscardHandler))
			apptest.NoError(t, err)
			cl, err := kgo.NewClient(opts...)
			apptest.NoError(t, err)
			defer cl.Close()
			dial := cl.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			conn, err := dial(ctx, "tcp", elsewhere)
			if err == nil {
				_ = conn.Close()
			}
			if errors.Is(err, errRemoteBroker) != tt.refused {
				t.Errorf("err = %v, want refused = %v", err, tt.refused)
			}
			conn, err = dial(t.Context(), "tcp", here.Addr().String())
			apptest.NoError(t, err)
			_ = conn.Close()
		})
	}
}

// TestG1_MetadataNamesAnotherAddress: the broker that the settings name is here, the one that it
// names is not.
func TestG1_MetadataNamesAnotherAddress(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(config.Plain, "bridge", "right"))
	apptest.NoError(t, err)
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = 7, "192.0.2.1", 9092
		resp.Brokers = append(resp.Brokers, b)
		return resp, nil, true
	})
	s := &secured{dir: t.TempDir(), brokers: cluster.ListenAddrs()}
	apptest.WriteSecret(t, s.dir, "password", "right")
	k := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka:\n  brokers: ['"+s.brokers[0]+"']\n  start: earliest\n  slot: s\n  sasl: {mechanism: PLAIN, user: bridge, password_file: "+s.dir+"/password}\n").Kafka
	cl := s.client(t, k)
	apptest.NoError(t, ask(t, cl))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := cl.Broker(7).Request(ctx, kmsg.NewPtrListGroupsRequest()); !errors.Is(err, errRemoteBroker) {
		t.Errorf("err = %v, want %v", err, errRemoteBroker)
	}
}
