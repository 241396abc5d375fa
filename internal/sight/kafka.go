package sight

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
)

// system is the messaging system, as the semantic conventions name it.
const system = "kafka"

// connections is a hook of all clients: it counts their connections to brokers.
type connections struct {
	metrics *metrics.Set
	open    atomic.Int64 // below 0 for a moment: a connection that fails early is closed before it is noted
}

// Interface checks.
var (
	_ kgo.HookBrokerConnect    = (*connections)(nil)
	_ kgo.HookBrokerDisconnect = (*connections)(nil)
	_ kgo.HookBrokerE2E        = membership{}
	_ kgo.HookFetchBatchRead   = membership{}
	_ kgo.HookGroupManageError = membership{}
)

// OnBrokerConnect is called by clients, also for what failed after the connection was there.
func (c *connections) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	if conn != nil {
		c.open.Add(1)
	}
	if err != nil && !isOver(err) {
		c.metrics.Add(context.Background(), &metrics.KafkaConnectFailures, 1, connectFailure(err))
	}
}

// OnBrokerDisconnect is called by clients.
func (c *connections) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) {
	c.open.Add(-1)
	c.metrics.Add(context.Background(), &metrics.KafkaDisconnects, 1)
}

// isOver reports whether the client itself ended what it did.
func isOver(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, net.ErrClosed)
}

// connectFailure says why a connection cannot be made.
func connectFailure(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &certificate), errors.As(err, &header), errors.As(err, &alert):
		return "tls"
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.IllegalSaslState), errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "sasl"
	case isTimeout(err):
		return "timeout"
	}
	return "other"
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// ConnectionHook returns the hook of every client of the process.
func (s *Sight) ConnectionHook() kgo.Hook { return &s.connections }

// membership is a hook of the clients of one pipeline. It is called for requests and batches, never for a record.
type membership struct {
	metrics         *metrics.Set
	pipeline, group string
}

// PipelineHook returns the hook of the clients of a pipeline.
func (s *Sight) PipelineHook(name, group string) kgo.Hook { return membership{s.metrics, name, group} }

// OnBrokerE2E is called for each exchange with a broker.
func (h membership) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	name, group := "", h.group
	switch kmsg.Key(key) {
	case kmsg.Produce:
		name, group = "send", ""
	case kmsg.Fetch:
		name = "poll"
	case kmsg.TxnOffsetCommit, kmsg.OffsetCommit:
		name = "commit"
	case kmsg.SyncGroup:
		if e.Err() == nil {
			h.metrics.Add(context.Background(), &metrics.Rebalances, 1, h.pipeline, "assigned")
		}
		return
	default:
		return
	}
	failed := ""
	switch err := e.Err(); {
	case err == nil:
	case isOver(err):
		return
	case isTimeout(err):
		failed = "timeout"
	default:
		failed = "connection"
	}
	h.metrics.Record(context.Background(), &metrics.OperationDuration, e.DurationE2E().Seconds(), system, name, group, failed)
}

// OnFetchBatchRead is called for each batch that was fetched.
func (h membership) OnFetchBatchRead(_ kgo.BrokerMetadata, topic string, _ int32, m kgo.FetchBatchMetrics) {
	h.metrics.Add(context.Background(), &metrics.MessagesConsumed, float64(m.NumRecords), system, "poll", topic, h.group)
}

// OnGroupManageError is called when an error ended the membership.
func (h membership) OnGroupManageError(err error) {
	if !isOver(err) {
		h.metrics.Add(context.Background(), &metrics.Rebalances, 1, h.pipeline, "lost")
	}
}

// Process measures how long the handlings of a pipeline take, and how long events wait for the first one.
func (p *Pipeline) Process(prepare consume.PrepareFunc) consume.PrepareFunc {
	m := p.sight.metrics
	return func(ctx context.Context, in consume.Input) (consume.Task, error) {
		read := time.Now()
		task, err := prepare(ctx, in)
		if handle := task.Handle; handle != nil {
			app, facts, again := task.Pool.App, task.Facts, false
			task.Handle = func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
				began := time.Now()
				method := methodOf(app, facts)
				if method != "" && !again {
					m.Record(ctx, &metrics.StepDuration, began.Sub(read).Seconds(), app, method, metrics.StepQueue)
				}
				again = true // another handling of it waited for something else
				out, err := handle(ctx, in)
				took, failed := time.Since(began).Seconds(), ""
				if err != nil {
					failed = "no_outcome"
				} else if method != "" && !p.Internal {
					p.means.note(in.Topic, took)
				}
				m.Record(ctx, &metrics.ProcessDuration, took, system, "process", in.Topic, p.Group, failed)
				return out, err
			}
		}
		return task, err
	}
}

// methodOf is the method of the call that is planned for an event; empty: none is.
func methodOf(app string, facts func() look.Facts) string {
	if app == "" || facts == nil {
		return ""
	}
	return facts().Method
}

// Resolved measures a search for what became of a create, also one that was interrupted. It is a hook of the handler.
func (p *Pipeline) Resolved(app string, took time.Duration) {
	p.sight.metrics.Record(context.Background(), &metrics.StepDuration, took.Seconds(), app, string(alipay.MethodTradeCreate), metrics.StepResolve)
}

// sent counts the records of a transaction by topic.
func (t *Transactor) sent(ctx context.Context, records []*kgo.Record, failed string) {
	topics := map[string]int{}
	for _, r := range records {
		topics[r.Topic]++
	}
	for topic, n := range topics {
		t.pipeline.sight.metrics.Add(ctx, &metrics.MessagesSent, float64(n), system, "send", topic, failed)
	}
}
