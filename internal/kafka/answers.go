package kafka

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Answers is a hook of a client. It notes when a broker last answered, and whether the client is a
// member of its group: a member of a group sends a
// heartbeat every few seconds, so that silence means trouble.
type Answers struct {
	last   atomic.Int64
	member atomic.Bool
}

// Interface check.
var _ kgo.HookBrokerE2E = (*Answers)(nil)

// OnBrokerE2E is called by the client.
func (a *Answers) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, exchange kgo.BrokerE2E) {
	if exchange.Err() != nil {
		return
	}
	a.last.Store(time.Now().UnixNano())
	switch kmsg.Key(key) {
	case kmsg.SyncGroup:
		a.member.Store(true)
	case kmsg.LeaveGroup:
		a.member.Store(false)
	}
}

// Member reports whether the client joined its group and the group was not asked to let it go.
func (a *Answers) Member() bool { return a.member.Load() }

// Last is when a broker last answered; the zero time: never.
func (a *Answers) Last() time.Time {
	if n := a.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
