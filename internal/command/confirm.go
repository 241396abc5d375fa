package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

var errNotConfirmed = errors.New("not confirmed; nothing was changed")

// Confirm asks on talk whether to continue. It returns nil if the answer is yes.
func Confirm(c *cobra.Command, talk io.Writer) error {
	_, _ = fmt.Fprint(talk, "continue? [y/N] ")
	answer, _ := bufio.NewReader(Stdin(c)).ReadString('\n')
	if c.Context().Err() != nil {
		return context.Cause(c.Context())
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}

// Stdin is the standard input of a command. It may never end, such as a terminal: reading ends with the context.
func Stdin(c *cobra.Command) io.Reader { return stdin{c.Context(), c.InOrStdin()} }

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
