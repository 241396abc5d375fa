package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sys/unix"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/app/apptest"
)

// onTerminal runs a command on a terminal of so many columns and returns what the terminal got.
func onTerminal(t *testing.T, columns uint16, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	defer master.Close()
	raw := int(master.Fd())
	apptest.NoError(t, unix.IoctlSetPointerInt(raw, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(raw, unix.TIOCGPTN)
	apptest.NoError(t, err)
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	apptest.NoError(t, err)
	apptest.NoError(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: columns}))
	got := make(chan []byte)
	go func() {
		var b bytes.Buffer
		_, _ = b.ReadFrom(master) // ends with an error when the terminal is closed
		got <- b.Bytes()
	}()
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(terminal)
	root.SetErr(terminal)
	_ = root.ExecuteContext(t.Context())
	apptest.NoError(t, terminal.Close())
	return strings.ReplaceAll(string(<-got), "\r\n", "\n")
}

func chinese() admin.Status {
	s := troubledInstance()
	s.Instance.Slot = "上海-一"
	s.Waiting = []admin.Waiting{
		{Account: "上海旗舰店-第一分店-门店自提专用", OrderNo: "订单20261201000000000000000001", Method: "alipay.trade.create", Topic: "order-events", Partition: 3, Offset: 77, Since: asOf.Add(-11 * time.Minute), Cause: "breaker", Attempts: 4, Class: "TRANSIENT", Code: "ACQ.SYSTEM_ERROR", Behind: 2},
		{Account: "shop", OrderNo: "2026120122001", Topic: "order-events", Since: asOf.Add(-5 * time.Second), Cause: "person", Class: "MISCONFIGURED", Next: asOf.Add(30 * time.Second), Doubt: asOf.Add(-time.Minute)},
		{Account: "北京店", OrderNo: "订单-🧧-7", Topic: "order-events", Since: asOf.Add(-4 * time.Second), Cause: "calling", Attempts: 1},
	}
	return s
}

// At 80 columns tables with Chinese names fit and stay in their columns, order numbers are whole, and
// colours move nothing.
func TestTablesOnATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("FORCE_COLOR", "")
	t.Setenv("TERM", "xterm-256color")
	token := apptest.WriteSecret(t, t.TempDir(), "token", adminToken)
	at := []string{"-a", instance(t, chinese()), "--token-file", token}
	for _, name := range []string{"stuck", "status"} {
		got := onTerminal(t, 80, append([]string{name}, at...)...)
		t.Logf("\n%s", got)
		if !strings.Contains(got, "\x1b[") {
			t.Errorf("%s: no colour:\n%s", name, got)
		}
		for _, line := range strings.Split(got, "\n") {
			if w := text.StringWidthWithoutEscSequences(line); w > 80 {
				t.Errorf("%s: %d columns: %s", name, w, line)
			}
		}
		dumb := onTerminal(t, 80, append([]string{name, "--color", "never"}, at...)...)
		if strings.Contains(dumb, "\x1b") || text.StripEscape(got) != dumb {
			t.Errorf("%s: without colours:\n%s\nwith:\n%s", name, dumb, got)
		}
	}
	got := onTerminal(t, 80, append([]string{"stuck", "--color", "never"}, at...)...)
	lines := strings.Split(got, "\n")
	for i, want := range []string{"订单20261201000000000000000001", "2026120122001", "订单-🧧-7"} {
		before, _, found := strings.Cut(lines[i+1], want)
		header, _, _ := strings.Cut(lines[0], "ORDER")
		if !found || text.StringWidth(before) != len(header) {
			t.Errorf("%s is not in its column:\n%s", want, got)
		}
	}
}
