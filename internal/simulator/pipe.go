package simulator

import (
	"context"
	"net"
	"sync"
)

// Pipe is a listener in memory. Its connections are made by [net.Pipe], so that client and server
// can run in one testing/synctest bubble; create it inside the bubble.
type Pipe struct {
	conns  chan net.Conn // unbuffered: a dial succeeds when Accept runs; never closed
	closed chan struct{} // closed by Close
	once   sync.Once
}

var _ net.Listener = (*Pipe)(nil)

// NewPipe returns a listener in memory.
func NewPipe() *Pipe {
	return &Pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next dial. After Close it returns [net.ErrClosed].
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Addr: p.Addr(), Err: net.ErrClosed}
	}
}

// Close ends Accept and refuses later dials. Connections stay open.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr returns a name, since there is no address.
func (p *Pipe) Addr() net.Addr { return pipeAddr{} }

// DialContext connects to the listener; it ignores network and address. Its signature is that of
// [net.Dialer] and of the field of [net/http.Transport].
func (p *Pipe) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = client.Close(), server.Close()
	return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: p.Addr(), Err: err}
}

// pipeAddr is the address of every pipe.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "simulator" }
