package notify

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// shares counts what each sender holds. It forgets those that hold nothing.
type shares struct {
	most int

	mu sync.Mutex
	by map[netip.Addr]int // guarded by mu
}

func newShares(most int) *shares { return &shares{most: most, by: map[netip.Addr]int{}} }

// take reports whether a sender may hold one more.
func (s *shares) take(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[a] >= s.most {
		return false
	}
	s.by[a]++
	return true
}

func (s *shares) give(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[a]--; s.by[a] <= 0 {
		delete(s.by, a)
	}
}

// Limits of connections, as metrics name them.
const (
	LimitAll     = "all"
	LimitAddress = "address"
)

// limited is a listener that closes connections beyond its limits at once: it never lets one sender's half-open
// connections make others wait.
type limited struct {
	net.Listener
	places  chan struct{} // as many as connections may be open
	senders *shares
	exempt  func(netip.Addr) bool // proxies: their connections carry many senders
	refused func(limit string)
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		held, limit := l.admit(c)
		if limit == "" {
			return held, nil
		}
		l.refused(limit)
		_ = c.Close()
	}
}

// admit takes the places of a connection, or says which limit it is beyond.
func (l *limited) admit(c net.Conn) (held net.Conn, limit string) {
	from := parseAddress(c.RemoteAddr().String())
	select {
	case l.places <- struct{}{}:
	default:
		return nil, LimitAll
	}
	give := func() { <-l.places }
	if !l.exempt(from) {
		by := sender(from)
		if !l.senders.take(by) {
			give()
			return nil, LimitAddress
		}
		give = func() { <-l.places; l.senders.give(by) }
	}
	return &heldConn{Conn: c, give: sync.OnceFunc(give)}, ""
}

// heldConn gives its places back when it is closed.
type heldConn struct {
	net.Conn
	give func()
}

func (c *heldConn) Close() error {
	defer c.give()
	return c.Conn.Close()
}

// pool bounds work that needs a processor: so many at a time, so many that wait, for so long.
type pool struct {
	entered chan struct{} // those that work or wait
	working chan struct{}
	patient time.Duration
}

func newPool(workers, waiting int, patient time.Duration) *pool {
	return &pool{entered: make(chan struct{}, workers+waiting), working: make(chan struct{}, workers), patient: patient}
}

// do works, and reports whether there was room and time for it.
func (p *pool) do(ctx context.Context, work func()) bool {
	select {
	case p.entered <- struct{}{}:
	default:
		return false
	}
	defer func() { <-p.entered }()
	select {
	case p.working <- struct{}{}:
	default:
		if !p.wait(ctx) {
			return false
		}
	}
	defer func() { <-p.working }()
	work()
	return true
}

func (p *pool) wait(ctx context.Context) bool {
	patience := time.NewTimer(p.patient)
	defer patience.Stop()
	select {
	case p.working <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}
