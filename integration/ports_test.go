//go:build integration

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that were given out. They stay reserved in this process, because whoever drew one listens on it
// only later.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// Free ports are drawn from here. Systems choose higher ones for connections, and for listeners that want any port:
// none of these takes a port that is given out.
const firstPort, portCount = 11_000, 7000

// freePorts returns ports that no process of this machine listens on, and that were not given out before.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for _, i := range rand.Perm(portCount) {
		port := firstPort + i
		if len(ports) == n {
			return ports
		}
		if given.ports[port] {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			given.ports[port] = true
			ports = append(ports, strconv.Itoa(port))
		}
	}
	t.Fatalf("fewer than %d free ports", n)
	return nil
}

// freeAddress is an address at which no one listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + freePorts(t, 1)[0]
}
