package kafka

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Answers is a hook of a client. It notes when a broker last answered: a member of a group sends a
// heartbeat every few seconds, so that silence means trouble.
type Answers struct{ last atomic.Int64 }

// Interface check.
var _ kgo.HookBrokerE2E = (*Answers)(nil)

// OnBrokerE2E is called by the client.
func (a *Answers) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, exchange kgo.BrokerE2E) {
	if exchange.Err() == nil {
		a.last.Store(time.Now().UnixNano())
	}
}

// Last is when a broker last answered; the zero time: never.
func (a *Answers) Last() time.Time {
	if n := a.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
