package app

import (
	"context"
	"log/slog"
	"net"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/metrics"
)

// DialFunc opens a connection, as [net.Dialer.DialContext] does.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// ListenFunc opens a port, as [net.ListenConfig.Listen] does.
type ListenFunc = func(ctx context.Context, network, addr string) (net.Listener, error)

// Options are what a service gets from its process, as opposed to its settings. The zero value
// logs and traces nothing and uses the network.
type Options struct {
	Tracer  trace.Tracer
	Log     *slog.Logger
	Metrics *metrics.Set // nil: none are made

	AcceptedPositions []consume.AcceptedPosition // committed offsets that an operator set by hand
	AcceptLoss        bool                       // go on where records were deleted before they were read

	Only   []string   // the parts that the process runs; none: all that the settings describe
	Listen ListenFunc // for notifications; nil: the network

	StatusInMemory bool // the store of trade status writes nothing to a disk

	// Dial opens connections to brokers, registry and gateways, below TLS; nil: the network.
	Dial DialFunc
	// WrapSigner replaces the signer of each app by another one; nil: it stays.
	WrapSigner func(keys.Signer) keys.Signer
}

// withDefaults fills in what logs and traces nothing.
func (o Options) withDefaults() Options {
	if o.Tracer == nil {
		o.Tracer = noop.Tracer{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
