package alipay

import (
	"context"
	"crypto/rsa"
	"errors"
	"sync"
	"time"
)

// rotationPause is the least time between two changes of the signing key. A change within it
// means that neither key is known to Alipay, so a person must look. [inferred]
const rotationPause = 10 * time.Minute

// rotation holds the app's signing keys: the current one and, while a change of keys is being
// prepared, the next. The classic gateway knows no key versions, so the first signed
// invalid-signature after a success is what tells that Alipay has changed over.
type rotation struct {
	mu         sync.Mutex
	current    Signer
	next       Signer // nil: no change is prepared
	generation int    // counts the signers that were current
	proven     bool   // Alipay accepted a signature of current
	fallback   bool   // it accepted one of next while that was current
	changed    time.Time
}

func newRotation(current, next Signer) *rotation { return &rotation{current: current, next: next} }

// signer returns the signer to use and its generation, by which a late answer is told from one
// to the signer in use.
func (r *rotation) signer() (Signer, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.generation
}

// replace sets both signers anew, as read from their files.
func (r *rotation) replace(current, next Signer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pub, ok := publicOf(current).(*rsa.PublicKey)
	r.proven = r.proven && ok && pub.Equal(publicOf(r.current)) // the same key in a file that was written again
	r.current, r.next, r.fallback = current, next, false
	r.generation++
}

// succeeded notes that Alipay accepted a signature of that generation.
func (r *rotation) succeeded(generation int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation == r.generation {
		r.proven = true
	}
}

// refused notes that Alipay provably refused a signature of that generation, and says whether
// another one is in use by now, so that the call may simply be repeated: a refused signature
// has no effect. It switches once, for all; the old signer becomes the next one.
//
// A switch to a key that Alipay does not know yet is taken back after the pause, since the old
// one has worked.
//
// Two calls sign with the old key, Alipay changes over, both are refused: the first refusal
// switches, the second finds another generation in use and does not switch back.
func (r *rotation) refused(generation int, now time.Time) (again, switched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation != r.generation {
		return true, false
	}
	if r.next == nil || !r.proven && !r.fallback || !r.changed.IsZero() && now.Sub(r.changed) < rotationPause {
		return false, false
	}
	r.current, r.next = r.next, r.current
	r.generation++
	r.proven, r.fallback, r.changed = false, r.proven, now
	return true, true
}

// SetSigners replaces the app's signing keys, as read anew from their files; next may be nil. A
// key that is refused leaves the old ones in use. AlipayHK's keys have versions instead.
func (a *App) SetSigners(current, next Signer) error {
	g, ok := a.wire.(*gateway)
	if !ok || current == nil {
		return errors.New("alipay: signers are replaced at the classic gateway only, and by a signer")
	}
	current, err := g.accept(current)
	if err != nil {
		return err
	}
	if next, err = g.accept(next); err != nil {
		return err
	}
	g.keys.replace(current, next)
	return nil
}

// CheckSigner lets the app's signer sign a fixed text and verifies the signature, so that a
// signer that is elsewhere shows its faults at start. The error wraps [ErrSigner].
func (a *App) CheckSigner(ctx context.Context) error { return a.wire.checkSigner(ctx) }

func (g *gateway) checkSigner(ctx context.Context) error {
	s, _ := g.keys.signer()
	return checkSigner(ctx, s, g.signType.hash())
}
