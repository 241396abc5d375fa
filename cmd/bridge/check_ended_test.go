package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestCheckEndsWithItsContext: a check that is interrupted while a broker keeps silent ends at
// once with the cause, and tells nothing that it found since.
func TestCheckEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	defer silent.Close()
	cfg := withSchemas(t, loadSettings(t, nowhereApp, "kafka: {brokers: ['"+silent.Addr().String()+"'], slot: s, start: earliest}\n"))
	settings := filepath.Join(filepath.Dir(cfg.Apps["main"].PrivateKeyFile.Path), "bridge.yaml")
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- checkOptions{file: settings, output: "text"}.run(ctx, &out) }()
	conn, err := silent.Accept()
	mustDo(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1)) // the question is there
	mustDo(t, err)
	cancel(interrupted)
	select {
	case err := <-ended:
		if !errors.Is(err, interrupted) || exitCode(err) != exitFailed || out.Len() > 0 {
			t.Errorf("err = %v, exit %d, printed %q; want the cause alone", err, exitCode(err), out.String())
		}
	case <-time.After(5 * time.Second):
		t.Error("the check goes on")
		<-ended
	}
}
