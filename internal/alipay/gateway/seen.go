package gateway

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/recent"
)

// seenSignatures is how many signatures a gateway remembers at least; twice as many at most, some 200 bytes each.
// For AlipayHK it is five minutes at 100 calls per second: it refuses older answers by their time.
const seenSignatures = 30_000

var errReplayed = errors.New("the signature was seen before, for another call: an old answer is sent again")

// digest16 names a signature or a call in a table.
type digest16 [16]byte

func digestOf(parts ...string) digest16 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return digest16(sum[:16])
}

// ownerOf is the call that an answer of the classic gateway belongs to: its method and its order. The signature of
// RSA is the same for the same answer, so an answer that comes twice for one order proves nothing.
func ownerOf(r call) digest16 {
	numbers := []string{string(r.Method())}
	switch r := r.(type) {
	case *alipay.TradeCreate:
		numbers = append(numbers, string(r.OutTradeNo))
	case *alipay.TradeQuery:
		numbers = append(numbers, string(r.OutTradeNo), string(r.TradeNo))
	case *alipay.OrderInfoSync:
		numbers = append(numbers, string(r.TradeNo))
	case *alipay.ItemOrderQuery:
		numbers = append(numbers, string(r.OrderNo))
	}
	return digestOf(numbers...)
}

// seenAnswer is one success of the classic gateway.
type seenAnswer struct {
	owner    digest16
	status   string    // of the trade that it shows; empty: it shows none
	sent     time.Time // when its call was sealed
	outdated bool      // a later call had another answer
}

// seenAnswers remembers to which call each signed success belonged. An answer of another method or order is
// refused, and so is a state of a trade that a later call has shown to be over: states do not come back
// (docs/alipay.md, "Trade status").
type seenAnswers struct {
	mu    sync.Mutex
	bySig recent.Map[digest16, seenAnswer]
	last  recent.Map[digest16, lastAnswer] // by owner
}

// lastAnswer is the newest answer of one owner.
type lastAnswer struct {
	sig      digest16
	received time.Time
}

func newSeenAnswers() *seenAnswers {
	return &seenAnswers{bySig: recent.NewMap[digest16, seenAnswer](seenSignatures), last: recent.NewMap[digest16, lastAnswer](seenSignatures)}
}

// check remembers a success, or refuses it.
func (s *seenAnswers) check(signature []byte, a seenAnswer, now time.Time) error {
	sig := digestOf(string(signature))
	s.mu.Lock()
	defer s.mu.Unlock()
	last, hasLast := s.last.Get(a.owner)
	newest, _ := s.bySig.Get(last.sig)
	if before, ok := s.bySig.Get(sig); ok && (before.owner != a.owner || before.outdated && newest.status != a.status) {
		return errReplayed
	}
	// Two calls that were under way together say nothing about which of their answers is the newer one.
	if hasLast && last.sig != sig && last.received.Before(a.sent) {
		newest.outdated = true
		s.bySig.Set(last.sig, newest)
	}
	s.bySig.Set(sig, a)
	s.last.Set(a.owner, lastAnswer{sig, now})
	return nil
}

// seenHK remembers what AlipayHK signed, by its digest: a signature of ECC224 has two forms.
type seenHK struct {
	mu     sync.Mutex
	signed recent.Map[digest16, hkSeen] // guarded by mu
}

// hkSeen is the event for which a signed text was seen first, and when.
type hkSeen struct {
	event digest16
	at    time.Time
}

func newSeenHK() *seenHK { return &seenHK{signed: recent.NewMap[digest16, hkSeen](seenSignatures)} }

// first remembers a signed text. It returns for which event the text was seen first, and whether that was before.
func (s *seenHK) first(signed []byte, now hkSeen) (first hkSeen, again bool) {
	key := digestOf(string(signed))
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.signed.Get(key); ok {
		return first, true
	}
	s.signed.Set(key, now)
	return now, false
}
