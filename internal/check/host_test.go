package check

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/order"
)

// onHost checks the machine.
func onHost(t *testing.T, cfg config.Config) Report {
	t.Helper()
	c := &checker{cfg: cfg}
	c.host(t.Context())
	return c.Report
}

// TestCheckOfAReceiverHere: a receiver needs no folder for trade status, and no other process a port for notifications.
func TestCheckOfAReceiverHere(t *testing.T) {
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "")
	cfg.Status.Folder, cfg.Notify.Listen = "/proc/alipay-kafka-bridge", "192.0.2.1:8086"
	for part, want := range map[string]string{"notify": "notify.listen", "status": "the folder of trade status"} {
		c := &checker{cfg: cfg, only: app.PartList{part}}
		c.host(t.Context())
		wantFound(t, c.Report, want)
	}
}

// TestCheckFindsStatusFolder: a folder that run could not write to is found, and nothing is left in the others.
func TestCheckFindsStatusFolder(t *testing.T) {
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "file", "x")
	closed := filepath.Join(dir, "closed")
	apptest.NoError(t, os.Mkdir(closed, 0o500))
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "")
	for folder, want := range map[string]string{
		dir:                                    "",
		filepath.Join(dir, "a", "b"):           "", // run creates it
		filepath.Join(dir, "file"):             "file is not a folder; let the user of the bridge write there",
		filepath.Join(dir, "file", "a"):        "not a directory",
		filepath.Join(closed, "a"):             "permission denied",
		filepath.Join(dir, "\x00"):             "invalid argument",
		"/proc/alipay-kafka-bridge/of-no-user": "cannot be written",
	} {
		if want == "permission denied" && os.Getuid() == 0 {
			continue // may write anywhere
		}
		cfg.Status.Folder = folder
		if want == "" {
			wantFound(t, onHost(t, cfg))
		} else {
			wantFound(t, onHost(t, cfg), want)
		}
	}
	left, err := os.ReadDir(dir)
	apptest.NoError(t, err)
	if len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

// TestCheckFindsNotifyPort: a port of someone else, and an address of another machine, are found. A receiver that
// runs already is only noted.
func TestCheckFindsNotifyPort(t *testing.T) {
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "")
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		apptest.NoError(t, err)
		return l
	}
	cfg.Notify.Listen = "127.0.0.1:0"
	wantFound(t, onHost(t, cfg))

	cfg.Notify.Listen = "192.0.2.1:8086" // TEST-NET-1
	wantFound(t, onHost(t, cfg), "notify.listen: listen tcp 192.0.2.1:8086")

	serve := func(l net.Listener, h http.Handler) {
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
		cfg.Notify.Listen = l.Addr().String()
	}
	serve(listen(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	wantFound(t, onHost(t, cfg), "address already in use")

	receiver, err := notify.New(notify.Options{Log: slog.New(slog.DiscardHandler), MaxConnections: 1, MaxPerAddress: 1})
	apptest.NoError(t, err)
	defer receiver.Close()
	receiver.UseAccounts(map[order.Account]*notify.Account{"shop": {Name: "shop"}})
	cert, key := apptest.NewAuthority(t).Issue(t, "pay.example", time.Now().Add(time.Hour))
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	apptest.NoError(t, err)
	for _, l := range []net.Listener{listen(), tls.NewListener(listen(), &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})} {
		serve(l, receiver)
		r := onHost(t, cfg)
		wantFound(t, r)
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "runs at "+cfg.Notify.Listen+" already") {
			t.Errorf("notes = %q", r.Notes)
		}
	}
}

// TestCheckExaminesTheHost: it is part of a check, and not of one without network.
func TestCheckExaminesTheHost(t *testing.T) {
	cfg := withSchemas(t, apptest.LoadSettings(t, apptest.ClosedPortApp, ""))
	cfg.Status.Folder = "/proc/none"
	cfg.Kafka.Brokers = []string{"127.0.0.1:1"}
	if text := Run(t.Context(), cfg, Options{}).Text(); !strings.Contains(text, "the folder of trade status, /proc/none") {
		t.Error(text)
	}
	wantFound(t, Run(t.Context(), cfg, Options{Offline: true}))
}
