package sight

import (
	"maps"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/order"
)

// Notifications counts what became of the notifications of each account. Only accounts of the settings are named.
type Notifications struct {
	mu sync.Mutex
	by map[order.Account]*admin.Notifications // guarded by mu
}

// Note counts a request. taken reports whether it was answered with success: only then its signature was believed, and what
// it says is in Kafka.
func (n *Notifications) Note(a order.Account, verdict string, taken bool) {
	if a == "" {
		return // the path names no account: anyone can send that
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by = map[order.Account]*admin.Notifications{}
	}
	of := n.by[a]
	if of == nil {
		of = &admin.Notifications{Account: string(a), Verdicts: map[string]int{}}
		n.by[a] = of
	}
	of.Verdicts[verdict]++
	if taken {
		of.Taken++
		of.LastTaken = time.Now()
		return
	}
	of.Refused++
	of.LastRefused, of.LastRefusal = time.Now(), verdict
}

// status is what is known, by account.
func (n *Notifications) status() []admin.Notifications {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []admin.Notifications
	for _, name := range slices.Sorted(maps.Keys(n.by)) {
		one := *n.by[name]
		one.Verdicts = maps.Clone(one.Verdicts)
		out = append(out, one)
	}
	return out
}
