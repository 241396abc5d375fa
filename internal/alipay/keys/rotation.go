package keys

import (
	"crypto/rsa"
	"sync"
	"time"
)

// rotationPause is the least time between two changes of the signing key. A change within it
// means that neither key is known to Alipay, so a person must look [inferred].
const rotationPause = 10 * time.Minute

// Rotation holds the app's signing keys: the current one and, while a change of keys is being
// prepared, the next. The classic gateway has no key versions, so the first signed
// invalid-signature after a success shows that Alipay has switched to the next key.
type Rotation struct {
	mu         sync.Mutex
	current    Signer
	next       Signer // nil: no change is prepared
	generation int    // counts the signers that were current
	accepted   bool   // Alipay accepted a signature of current
	fallback   bool   // it accepted one of next while that was current
	changed    time.Time
}

func NewRotation(current, next Signer) *Rotation { return &Rotation{current: current, next: next} }

// Signer returns the signer to use and its generation, which separates a late answer from one
// for the signer in use.
func (r *Rotation) Signer() (Signer, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.generation
}

// Fingerprints are those of the signer in use and of the next one, if there is one.
func (r *Rotation) Fingerprints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{Fingerprint(PublicOf(r.current))}
	if r.next != nil {
		out = append(out, Fingerprint(PublicOf(r.next)))
	}
	return out
}

// Renewed returns a rotation with the signers of another one, which were read from changed files,
// and what is known about their keys. A next key that Alipay has switched to stays in use: the
// files often follow later. A key that Alipay never accepted is replaced by what the files say.
func (r *Rotation) Renewed(from *Rotation) *Rotation {
	current, next := from.current, from.next
	r.mu.Lock()
	defer r.mu.Unlock()
	if (r.accepted || r.fallback) && sameKey(r.current, next) {
		current, next = next, current
	}
	return &Rotation{
		current: current, next: next, changed: r.changed,
		accepted: r.accepted && sameKey(r.current, current),
		fallback: r.fallback && sameKey(r.next, next),
	}
}

// sameKey reports whether two signers are known to have the same key.
func sameKey(a, b Signer) bool {
	if a == nil || b == nil {
		return false
	}
	k, ok := PublicOf(a).(*rsa.PublicKey)
	return ok && k.Equal(PublicOf(b))
}

// Succeeded records that Alipay accepted a signature of that generation.
func (r *Rotation) Succeeded(generation int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation == r.generation {
		r.accepted = true
	}
}

// Refused records that Alipay provably refused a signature of that generation. again reports
// whether another one is in use by now, so that the call may simply be repeated: a refused
// signature has no effect. It switches once for all callers; the old signer becomes the next one.
//
// A switch to a key that Alipay does not know yet is undone after the pause, since the old key
// has worked.
//
// Two calls sign with the old key, Alipay switches keys, both are refused: the first refusal
// switches, the second finds another generation in use and does not switch back.
func (r *Rotation) Refused(generation int, now time.Time) (again, switched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation != r.generation {
		return true, false
	}
	if r.next == nil || !r.accepted && !r.fallback || !r.changed.IsZero() && now.Sub(r.changed) < rotationPause {
		return false, false
	}
	r.current, r.next = r.next, r.current
	r.generation++
	r.accepted, r.fallback, r.changed = false, r.accepted, now
	return true, true
}
