package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/status/store"
)

// TestChildWrites is the child of TestKilledWhileWriting: it writes until it is killed.
func TestChildWrites(t *testing.T) {
	folder := os.Getenv("STORE_CHILD_FOLDER")
	if folder == "" {
		t.Skip("only as a child")
	}
	s := open(t, folder, store.Options{Group: "g", Memtable: 64 << 10})
	cp, _, err := s.Checkpoint(1)
	check(t, err)
	for i := cp.Next + 1; ; i++ {
		check(t, s.Write(1, checkpoint(i), batch(i)))
		fmt.Println(i)
	}
}

// A process that is killed at any moment leaves values and checkpoint that belong together.
func TestKilledWhileWriting(t *testing.T) {
	folder := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 8
	var last int64
	for round := range rounds {
		kill(t, folder, 10+r.IntN(40), time.Duration(r.IntN(2_000))*time.Microsecond)
		s, log := reopen(t, nil, folder, "g")
		if log != "" {
			t.Errorf("round %d: %s", round, log)
		}
		check(t, sound(s))
		cp, _, err := s.Checkpoint(1)
		check(t, err)
		if cp.Next < last {
			t.Errorf("round %d: checkpoint %d, before %d", round, cp.Next, last)
		}
		last = cp.Next
		check(t, s.Close())
	}
	if last < 50 {
		t.Errorf("checkpoint %d after %d rounds: hardly anything was written", last, rounds)
	}
}

// kill starts a child and kills it some time after a number of writes.
func kill(t *testing.T, folder string, writes int, delay time.Duration) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildWrites$")
	child.Env = append(os.Environ(), "STORE_CHILD_FOLDER="+folder)
	out, err := child.StdoutPipe()
	check(t, err)
	check(t, child.Start())
	lines := bufio.NewScanner(out)
	for range writes {
		if !lines.Scan() {
			break
		}
	}
	<-time.After(delay) // where it is then is random on purpose; the outcome does not depend on it
	check(t, child.Process.Kill())
	for lines.Scan() { // it may have a full pipe
	}
	_ = child.Wait() // killed
}
