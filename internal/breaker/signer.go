package breaker

import (
	"context"
	"crypto"
	"time"

	"github.com/sony/gobreaker/v2"

	"alipay-kafka-bridge/internal/alipay/keys"
)

// Figures of the breaker for a remote signer: a signing service answers within milliseconds, so a
// few failures are enough to pause.
const (
	signerConsecutive = 5
	signerOpen        = 5 * time.Second
)

// remoteSigner is a signer whose public half is known, as package keys requires of all others' signers.
type remoteSigner interface {
	keys.Signer
	Public() crypto.PublicKey
}

// guardedSigner is a breaker for a remote signer (security Y2). While it is open the signer is not
// called; the attempt ends as Transient, unsent, and the gateway's own breaker makes events wait
// without spending their budget.
type guardedSigner struct {
	remoteSigner
	breaker *gobreaker.CircuitBreaker[[]byte]
}

// NewSigner returns a remote signer with a breaker; one whose public half is not known is
// returned as it is. onState is called on every change with the breaker's lock held; it must not
// block.
func NewSigner(s keys.Signer, onState func(from, to string)) keys.Signer {
	remote, ok := s.(remoteSigner)
	if !ok {
		return s
	}
	return &guardedSigner{remote, gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name:          "signer",
		MaxRequests:   defaultHalfOpen, // as many as the gateway's breaker probes with
		Timeout:       signerOpen,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= signerConsecutive },
		OnStateChange: func(_ string, from, to gobreaker.State) { onState(from.String(), to.String()) },
	})}
}

// Sign asks the signer unless its breaker is open.
func (s *guardedSigner) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	return s.breaker.Execute(func() ([]byte, error) { return s.remoteSigner.Sign(ctx, digest) })
}
