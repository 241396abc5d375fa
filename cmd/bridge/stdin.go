package main

import (
	"context"
	"io"
)

// stdin reads an input that may never end, such as a terminal, until ctx ends.
type stdin struct {
	ctx context.Context
	r   io.Reader
}

func (s stdin) Read(p []byte) (int, error) {
	type got struct {
		n   int
		err error
	}
	read, own := make(chan got, 1), make([]byte, len(p))
	go func() { // outlives ctx if nothing is typed; then the process ends
		n, err := s.r.Read(own)
		read <- got{n, err}
	}()
	select {
	case g := <-read:
		return copy(p, own[:g.n]), g.err
	case <-s.ctx.Done():
		return 0, context.Cause(s.ctx)
	}
}
