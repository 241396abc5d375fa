package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// host checks what run needs of this machine: a folder for trade status, and the port for notifications.
func (c *checker) host(ctx context.Context) {
	if c.only.Has("status") {
		c.statusFolder()
	}
	if address := c.cfg.Notify.Listen; address != "" && c.only.Has("notify") {
		c.port(ctx, address)
	}
}

func (c *checker) statusFolder() {
	if err := writable(c.cfg.StatusFolder()); err != nil {
		c.add(statusFolder, fmt.Sprintf("the folder of trade status, %s, cannot be written: %v", c.cfg.StatusFolder(), err), "let the user of the bridge write there, or set status.folder or STATE_DIRECTORY to another folder")
	}
}

// writable creates a file in a folder and removes it. Of a folder that run would create, the nearest one that
// exists is meant.
func writable(folder string) error {
	for {
		info, err := os.Stat(folder)
		switch parent := filepath.Dir(folder); {
		case errors.Is(err, os.ErrNotExist) && parent != folder:
			folder = parent
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", folder)
		}
		break
	}
	f, err := os.CreateTemp(folder, ".bridge-check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// port listens for a moment. A port in use is right if a receiver of the bridge uses it.
func (c *checker) port(ctx context.Context, address string) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
	case errors.Is(err, syscall.EADDRINUSE) && receives(ctx, address):
		c.note("notify.listen: a receiver of notifications runs at %s already", address)
	default:
		c.add(notifyPort, fmt.Sprintf("notify.listen: %v", err), "use an address of this machine and a port that no one else uses, above 1023 without privileges; if the receiver runs on another machine, check there")
	}
}

// receiverTimeout bounds the question to whoever uses the port.
const receiverTimeout = 2 * time.Second

// receives reports whether a receiver of the bridge answers: with fail, as to all that is no notification; or, with TLS, as
// Go does to a request in clear.
func receives(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, receiverTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: check\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(io.LimitReader(conn, 1<<10))
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	return body == "fail" || strings.HasPrefix(body, "Client sent an HTTP request to an HTTPS server")
}
