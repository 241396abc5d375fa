package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
)

// virtualKafka is a Kafka with all topics in a bubble of synctest, and a service that uses it.
func virtualKafka(t *testing.T) (*localkafka.Cluster, *Service, *apptest.Buffer) {
	t.Helper()
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['localhost:9092'], start: earliest, slot: s}\nregistry: {url: 'http://localhost:8081'}\n")
	var topics []localkafka.Topic
	for _, m := range kafka.Topics(cfg.Topics) {
		topics = append(topics, localkafka.Topic{Name: m.Name, Schema: m.Schema})
	}
	cluster, err := localkafka.Start(localkafka.Options{Topics: topics, Network: &kfake.VirtualNetwork{}})
	apptest.NoError(t, err)
	t.Cleanup(cluster.Close)
	log := new(apptest.Buffer)
	s, err := New(t.Context(), cfg, Options{Dial: cluster.DialContext(), Log: slog.New(slog.NewTextHandler(log, nil))})
	apptest.NoError(t, err)
	t.Cleanup(s.Close)
	return cluster, s, log
}

// TestNoCallWithoutTransactions: a cluster without transactions is refused before anything is read.
// A coordinator that is only late is waited for.
func TestNoCallWithoutTransactions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		key    kmsg.Key
		answer *kerr.Error
		lasts  time.Duration
		want   string // in the error; empty: it starts
		after  time.Duration
	}{
		{"a coordinator that is late", kmsg.FindCoordinator, kerr.CoordinatorNotAvailable, 40 * time.Second, "", 45 * time.Second},
		{"no coordinator", kmsg.FindCoordinator, kerr.CoordinatorNotAvailable, time.Hour, "transaction.state.log.replication.factor", 90 * time.Second},
		{"a producer that is not allowed", kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, time.Hour, "Write on transactional-id alipay-kafka-bridge-s is not allowed", time.Second},
		{"a previous transaction", kmsg.InitProducerID, kerr.ConcurrentTransactions, 10 * time.Second, "", 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, s, log := virtualKafka(t)
				var joined atomic.Bool // a broker notes it, of which nothing waits for the last request
				began := time.Now()
				fault := cluster.Kafka().Fault(kfake.Fault{Keys: []kmsg.Key{tt.key}, TxnID: "alipay-kafka-bridge-s", Err: tt.answer, Count: -1})
				time.AfterFunc(tt.lasts, fault.Remove)
				cluster.Kafka().ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
					cluster.Kafka().KeepControl()
					joined.Store(true)
					return nil, nil, false
				})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				var ready time.Time
				err := s.Run(ctx, func(bool) { ready = time.Now() })
				if tt.want == "" {
					if err != nil || ready.IsZero() || ready.Sub(began) > tt.after || !joined.Load() {
						t.Errorf("error = %v, ready after %v, joined = %v; want ready within %v", err, ready.Sub(began), joined.Load(), tt.after)
					}
					if said := log.Take(); strings.Count(said, "not available;") != 1 || strings.Count(said, "available again") != 1 {
						t.Errorf("want one line when it begins and one when it ends:\n%s", said)
					}
					return
				}
				if !errors.Is(err, kafka.ErrNoTransactions) || !strings.Contains(err.Error(), tt.want) || time.Since(began) > tt.after {
					t.Errorf("error after %v = %v, want %q within %v", time.Since(began), err, tt.want, tt.after)
				}
				if joined.Load() || !ready.IsZero() {
					t.Error("it joined the group or reported ready")
				}
			})
		})
	}
}
