package look

import "time"

// Troubles are runs of failures, by what failed.
type Troubles[K comparable] map[K]*trouble

type trouble struct {
	since, last time.Time
	count       int
}

// troubleOver is how long a run has to be without another failure until it is over.
const troubleOver = time.Minute

// Failed counts a failure, and reports whether it is the first of its run.
func (t Troubles[K]) Failed(k K) bool {
	known := t[k] != nil
	if !known {
		t[k] = &trouble{since: time.Now()}
	}
	t[k].count++
	t[k].last = time.Now()
	return !known
}

// End forgets what is gone. It ends the runs of what works, and of what has not failed for a while, and
// says how often and how long each failed.
func (t Troubles[K]) End(gone, works func(K) bool, say func(k K, failed int, lasted time.Duration)) {
	for k, run := range t {
		switch {
		case gone(k):
			delete(t, k)
		case works(k), time.Since(run.last) >= troubleOver:
			delete(t, k)
			say(k, run.count, time.Since(run.since).Round(time.Second))
		}
	}
}
