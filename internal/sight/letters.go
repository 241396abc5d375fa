package sight

import (
	"slices"
	"sync"

	"alipay-kafka-bridge/internal/admin"
)

// maxLetters is how many dead letters a status lists.
const maxLetters = 20

// letters remembers the last dead letters.
type letters struct {
	mu   sync.Mutex
	last []admin.DeadLetter // the newest first, at most maxLetters; guarded by mu
}

func (l *letters) note(d admin.DeadLetter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = slices.Insert(l.last, 0, d)
	l.last = l.last[:min(len(l.last), maxLetters)]
}

func (l *letters) all() []admin.DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]admin.DeadLetter{}, l.last...)
}
