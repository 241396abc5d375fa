package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/recent"
)

// check verifies with the key that the header names. If it names none, it tries each, the
// newest first.
func (h *hk) check(sig hkSignature, content []byte) error {
	purpose := sig.purpose()
	if purpose == "" {
		return errHKAlgorithm
	}
	versions := h.keys.versions(hkPlatform, purpose)
	if v := sig.keyVersion; v != "" {
		if h.keys[hkKeyID{hkPlatform, purpose, v}] != nil {
			versions = []string{v}
		} else if !h.tryAll {
			return errHKVersion
		}
	}
	for _, v := range versions {
		if h.verifyUnder(h.keys[hkKeyID{hkPlatform, purpose, v}], content, sig.signature) {
			return nil
		}
	}
	return errHKSignature
}

// verifyUnder checks a signature over content with one key.
func (h *hk) verifyUnder(key any, content, sig []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return verifyAny(crypto.SHA256, []*rsa.PublicKey{k}, content, sig)
	case *ecdsa.PublicKey:
		return h.ecc.verify(k, content, sig)
	}
	return false
}

// keyIsNotOurs finds the most common mistake of all integrations, where our own key is known.
func (h *hk) keyIsNotOurs() error {
	for id, k := range h.keys {
		if pub, ok := k.(interface{ Equal(crypto.PublicKey) bool }); ok && h.own != nil && id.owner == hkPlatform && pub.Equal(h.own) {
			return fmt.Errorf("platform key %s is the public half of our own private key; configure the one AlipayHK shows", id.version)
		}
	}
	return nil
}

// explainMismatch explains why a signature of AlipayHK does not match.
func (h *hk) explainMismatch(sig hkSignature, content []byte, err error) string {
	purpose := sig.purpose()
	versions := h.keys.versions(hkPlatform, purpose)
	if errors.Is(err, errHKVersion) {
		return fmt.Sprintf("the answer names key version %s; configured are %v: add that version's platform key", sanitize(sig.keyVersion, maxCode), versions)
	}
	if !errors.Is(err, errHKSignature) {
		return err.Error()
	}
	if h.own != nil && h.verifyUnder(h.own, content, sig.signature) {
		return "the signature was made with our own private key: this is not AlipayHK's answer"
	}
	for _, v := range versions {
		if h.verifyUnder(h.keys[hkKeyID{hkPlatform, purpose, v}], content, sig.signature) {
			return fmt.Sprintf("the answer names key version %s, but the signature is good with version %s: the versions of two keys are swapped in the settings", sanitize(sig.keyVersion, maxCode), v)
		}
	}
	var keys []*rsa.PublicKey
	for _, v := range versions {
		if k, ok := h.keys[hkKeyID{hkPlatform, purpose, v}].(*rsa.PublicKey); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return err.Error()
	}
	return explainKey(crypto.SHA256, keys, sig.signature) + "; what is signed is POST, path, Client-Id, Response-Time and the raw body"
}

// withinSkew reports whether the time of an answer is within the skew of the attempt.
func (h *hk) withinSkew(text string, sent time.Time) bool {
	if h.skew < 0 {
		return true
	}
	t, err := parseHKTime(text)
	return err == nil && !t.Before(sent.Add(-h.skew)) && !t.After(h.now().Add(h.skew))
}

// seenLimit is how many orders seenOrders remembers at least; twice as many at most.
const seenLimit = 20_000

// seenOrders remembers to which order of ours each orderId of AlipayHK belongs. An answer has
// nothing else from its request, so one that was recorded and is sent again for another order
// would pass as that order's (security G3). It forgets orders that it has not seen for a long time.
type seenOrders struct {
	mu   sync.Mutex
	byID recent.Map[string, alipay.OutTradeNo] // by orderId; guarded by mu
}

func newSeenOrders() *seenOrders {
	return &seenOrders{byID: recent.NewMap[string, alipay.OutTradeNo](seenLimit)}
}

// belongs reports whether an orderId may be this order's: it is, or it is seen for the first time.
func (s *seenOrders) belongs(orderID string, no alipay.OutTradeNo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.byID.Get(orderID); ok && have != no {
		return false
	}
	s.byID.Set(orderID, no)
	return true
}
