package sight

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
)

// family is one metric of a scrape.
func family(t *testing.T, m *metrics.Set, of *metrics.Metric) []*dto.Metric {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == of.Prometheus() {
			return f.GetMetric()
		}
	}
	return nil
}

// count is the value of the series with these labels' values, in any order.
func count(t *testing.T, m *metrics.Set, of *metrics.Metric, values ...string) float64 {
	t.Helper()
series:
	for _, s := range family(t, m, of) {
		has := map[string]bool{}
		for _, l := range s.GetLabel() {
			has[l.GetValue()] = true
		}
		for _, v := range values {
			if !has[v] {
				continue series
			}
		}
		return s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
	}
	return 0
}

// TestConnectionsAreCounted: those that are open, those that ended, and those that could not be made.
func TestConnectionsAreCounted(t *testing.T) {
	s, m := watched(t, busy(1, 1), 1)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "bridge", "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithHooks(s.ConnectionHook()), kgo.SASL(plain.Auth{User: "bridge", Pass: "wrong"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Ping(t.Context()); err == nil {
		t.Error("a broker took a wrong password")
	}
	if n := count(t, m, &metrics.KafkaConnections); n != 0 {
		t.Errorf("%v connections are open after a failure", n)
	}
	if n := count(t, m, &metrics.KafkaConnectFailures, "other"); n == 0 {
		t.Error("no failure is counted")
	}
	cl.Close()
	open, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ended := count(t, m, &metrics.KafkaDisconnects)
	cl, err = kgo.NewClient(kgo.SeedBrokers(open.ListenAddrs()...), kgo.WithHooks(s.ConnectionHook()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := count(t, m, &metrics.KafkaConnections)
	if n < 1 {
		t.Errorf("%v connections are open", n)
	}
	cl.Close()
	if left, gone := count(t, m, &metrics.KafkaConnections), count(t, m, &metrics.KafkaDisconnects)-ended; left != 0 || gone != n {
		t.Errorf("after the end %v are open and %v ended, want 0 and %v", left, gone, n)
	}
}

// TestConnectFailures: each reason that operators look for at another place.
func TestConnectFailures(t *testing.T) {
	for want, err := range map[string]error{
		"dns":     &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsTimeout: true}},
		"refused": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"timeout": context.DeadlineExceeded,
		"tls":     &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"sasl":    kerr.SaslAuthenticationFailed,
		"other":   errors.New("broken pipe"),
	} {
		if got := connectFailure(fmt.Errorf("unable to dial: %w", err)); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
	s, m := watched(t, busy(1, 1), 1)
	for _, over := range []error{context.Canceled, kgo.ErrClientClosed} {
		s.connections.OnBrokerConnect(kgo.BrokerMetadata{}, 0, nil, fmt.Errorf("unable to dial: %w", over))
	}
	for _, reason := range metrics.ConnectFailures() {
		if n := count(t, m, &metrics.KafkaConnectFailures, reason); n != 0 {
			t.Errorf("what the client ended counts as %s", reason)
		}
	}
}

// TestRequestsOfAPipeline: each kind under its name; what fails is counted with its reason, and what the client
// itself ended is not.
func TestRequestsOfAPipeline(t *testing.T) {
	cfg := config.Default()
	cfg.Topics.Inputs = []config.Input{{Name: "order-events", DeadLetters: "dead"}}
	m, err := Metrics(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := New(m, nil).PipelineHook("calls", cfg.Kafka.Group).(membership)
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.TxnOffsetCommit, kmsg.Heartbeat, kmsg.SyncGroup} {
		h.OnBrokerE2E(kgo.BrokerMetadata{}, int16(key), kgo.BrokerE2E{})
	}
	h.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.Fetch), kgo.BrokerE2E{ReadErr: os.ErrDeadlineExceeded})
	h.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.Fetch), kgo.BrokerE2E{ReadErr: errors.New("reset")})
	h.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.Fetch), kgo.BrokerE2E{ReadErr: net.ErrClosed})
	h.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.SyncGroup), kgo.BrokerE2E{WriteErr: errors.New("reset")})
	if n := len(family(t, m, &metrics.OperationDuration)); n != 5 {
		t.Errorf("%d series, want send, poll, commit and two failures", n)
	}
	for _, values := range [][]string{{"send"}, {"commit", cfg.Kafka.Group}, {"poll", "timeout", cfg.Kafka.Group}, {"poll", "connection"}} {
		if n := count(t, m, &metrics.OperationDuration, values...); n != 1 {
			t.Errorf("%v: %v, want 1", values, n)
		}
	}
	h.OnGroupManageError(errors.New("fenced"))
	h.OnGroupManageError(context.Canceled)
	if assigned, lost := count(t, m, &metrics.Rebalances, "calls", "assigned"), count(t, m, &metrics.Rebalances, "calls", "lost"); assigned != 1 || lost != 1 {
		t.Errorf("%v assignments and %v losses, want 1 and 1", assigned, lost)
	}
	h.OnFetchBatchRead(kgo.BrokerMetadata{}, "order-events", 0, kgo.FetchBatchMetrics{NumRecords: 7})
	h.OnFetchBatchRead(kgo.BrokerMetadata{}, "elsewhere", 0, kgo.FetchBatchMetrics{NumRecords: 2})
	if known, other := count(t, m, &metrics.MessagesConsumed, "order-events"), count(t, m, &metrics.MessagesConsumed, metrics.Other); known != 7 || other != 2 {
		t.Errorf("%v and %v records, want 7 and 2", known, other)
	}
}

// TestWaitsBeforeAHandlingAreMeasured: from the reading of an event to its first handling, and only where a call is planned.
func TestWaitsBeforeAHandlingAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := watched(t, busy(1, 1), 1)
		for _, planned := range []consume.Task{
			{Pool: consume.Pool{App: "main"}, Facts: func() look.Facts { return look.Facts{Method: "alipay.trade.create"} }},
			{Pool: consume.Pool{App: "main"}, Facts: func() look.Facts { return look.Facts{} }}, // it is skipped
			{}, // an observation
		} {
			task, err := s.pipelines[0].Process(func(context.Context, consume.Input) (consume.Task, error) {
				time.Sleep(time.Second) // for memory
				planned.Handle = func(context.Context, consume.Input) (consume.Outcome, error) { return consume.Outcome{}, nil }
				return planned, nil
			})(t.Context(), consume.Input{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one follows a pause
				time.Sleep(20 * time.Second)
				if _, err := task.Handle(t.Context(), consume.Input{Record: &kgo.Record{Topic: "order-events"}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		series := family(t, m, &metrics.StepDuration)
		if len(series) != 1 || count(t, m, &metrics.StepDuration, "main", "alipay.trade.create", "queue") != 1 || series[0].GetHistogram().GetSampleSum() != 21 {
			t.Errorf("%v, want one wait of 21 seconds", series)
		}
		s.pipelines[0].Resolved("main", time.Minute)
		if n := count(t, m, &metrics.StepDuration, "main", "alipay.trade.create", "resolve"); n != 1 {
			t.Errorf("%v searches, want 1", n)
		}
	})
}

// TestHandlingsAreMeasured: also those that end without an outcome.
func TestHandlingsAreMeasured(t *testing.T) {
	s, m := watched(t, busy(1, 1), 1)
	fails := errors.New("no outcome")
	task, err := s.pipelines[0].Process(func(context.Context, consume.Input) (consume.Task, error) {
		return consume.Task{Key: "k", Handle: func(context.Context, consume.Input) (consume.Outcome, error) { return consume.Outcome{}, fails }}, nil
	})(t.Context(), consume.Input{})
	if err != nil || task.Key != "k" {
		t.Fatal(task, err)
	}
	in := consume.Input{Record: &kgo.Record{Topic: "order-events"}}
	for range 2 {
		if _, err := task.Handle(t.Context(), in); !errors.Is(err, fails) {
			t.Error(err)
		}
		fails = nil
	}
	if n := count(t, m, &metrics.ProcessDuration, "no_outcome"); n != 1 {
		t.Errorf("%v handlings without an outcome, want 1", n)
	}
	if n := len(family(t, m, &metrics.ProcessDuration)); n != 2 {
		t.Errorf("%d series, want 2", n)
	}
	task, err = s.pipelines[0].Process(func(context.Context, consume.Input) (consume.Task, error) {
		return consume.Task{}, errors.ErrUnsupported
	})(t.Context(), in)
	if task.Handle != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Error("an error has a handling")
	}
}
