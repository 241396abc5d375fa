package incident_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/incident"
)

var at = time.Date(2026, 1, 31, 19, 12, 7, 0, time.UTC)

func failure(order, code, trace string, sent time.Time) admin.Failure {
	return admin.Failure{
		At: sent, Took: 1.5, Account: "secret-merchant", Method: "alipay.trade.create", OrderNo: order, RequestNo: "r-" + order, Class: "TRANSIENT",
		HTTPStatus: 200, Code: "20000", SubCode: code, TraceID: trace,
	}
}

func instance(slot string, calls int, last time.Time, failures ...admin.Failure) incident.Instance {
	kinds := []admin.FailureKind{{Method: "alipay.trade.create", Class: "TRANSIENT", Code: "aop.ACQ.SYSTEM_ERROR", Calls: calls, First: at.Add(-time.Hour), Last: last}}
	return incident.Instance{Answer: admin.Answer{Address: "10.0.0.1:8087", Status: admin.Status{
		AsOf: at, Instance: admin.Instance{Slot: slot, Group: "g"}, Verdict: admin.Verdict{Text: "Waiting for Alipay", Do: "nothing", Also: []string{"A second one."}},
		Apps: []admin.App{{Name: "main", Failures: failures, FailureKinds: kinds}, {Name: "quiet"}},
	}}}
}

// What Alipay gets: calls of all instances by their numbers, times in China's zone, sums by code, and no names of ours.
func TestForProvider(t *testing.T) {
	a := instance("a", 3, at.Add(-10*time.Minute), failure("T1", "aop.ACQ.SYSTEM_ERROR", "trace-1", at.Add(-11*time.Minute)))
	b := instance("b", 4, at.Add(-time.Minute), failure("订单2", "aop.ACQ.SYSTEM_ERROR", "trace-2", at.Add(-time.Minute)))
	got := incident.ForProvider(at, []incident.Instance{a, b, {Answer: admin.Answer{Err: errors.New("gone")}}}, map[string]incident.App{"main": {ID: "2021000000000001", Gateway: "https://openapi.alipay.com"}})
	for _, want := range []string{
		"App: 2021000000000001\n", "Gateway / 网关: https://openapi.alipay.com\n", "2026-02-01 03:12:07.000 +08:00",
		"alipay.trade.create  aop.ACQ.SYSTEM_ERROR  7             2026-02-01 02:12:07.000 +08:00  2026-02-01 03:11:07.000 +08:00\n",
		"trace-1", "r-T1", "1.500 s", "订单2",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Index(got, "trace-2") > strings.Index(got, "trace-1") {
		t.Errorf("the last call is not the first line:\n%s", got)
	}
	for _, never := range []string{"secret-merchant", "quiet", "10.0.0.1"} {
		if strings.Contains(got, never) {
			t.Errorf("%q must not be in\n%s", never, got)
		}
	}
	lost := failure("T3", "", "", at)
	lost.Code, lost.HTTPStatus, lost.Class = "", 0, "AMBIGUOUS"
	if got := incident.ForProvider(at, []incident.Instance{instance("a", 1, at, lost)}, nil); !strings.Contains(got, "no valid answer / 无有效响应") || strings.Contains(strings.ToLower(got), "ambiguous") {
		t.Errorf("our own words are in\n%s", got)
	}
	if got := incident.ForProvider(at, []incident.Instance{{}}, nil); !strings.Contains(got, "No call has failed") {
		t.Error(got)
	}
}

// A hostile number cannot break out of its line.
func TestForProviderIsPlainText(t *testing.T) {
	got := incident.ForProvider(at, []incident.Instance{instance("a", 1, at, failure("T1\nApp: 999\x1b[2J", "x", "t", at))}, nil)
	if strings.Contains(got, "\nApp: 999") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func read(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o600 {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		out[h.Name] = string(text)
	}
}

// The archive has a folder for each instance, and says what is missing. No instance chooses where files go.
func TestArchive(t *testing.T) {
	a := instance("../../etc", 1, at)
	a.Goroutines, a.Metrics = []byte("goroutine profile"), []byte("bridge_up 1")
	b := instance("b", 1, at)
	b.Missing = []string{"/goroutines: 404 Not Found"}
	files, err := incident.Files(at, []incident.Instance{a, b, {Answer: admin.Answer{Address: "c:1", Err: errors.New("refused")}}}, incident.File{Name: "settings.yaml", Text: []byte("x: 1\n")})
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := incident.Write(&archive, "inc", at, files); err != nil {
		t.Fatal(err)
	}
	got := read(t, &archive)
	for name, want := range map[string]string{
		"inc/README.txt": "Waiting for Alipay", "inc/settings.yaml": "x: 1", "inc/etc-10-0-0-1-8087/goroutines.txt": "goroutine profile",
		"inc/etc-10-0-0-1-8087/metrics.txt": "bridge_up 1", "inc/etc-10-0-0-1-8087/status.json": `"slot": "../../etc"`, "inc/b-10-0-0-1-8087/status.json": `"slot": "b"`,
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 6 || !strings.Contains(got["inc/README.txt"], "c:1 could not be asked: refused") || !strings.Contains(got["inc/README.txt"], "Missing: /goroutines: 404") || !strings.Contains(got["inc/README.txt"], "Also: A second one.") {
		t.Errorf("%d files\n%s", len(got), got["inc/README.txt"])
	}
}

// A running instance is asked for goroutines and metrics; one of an older version may not have them.
func TestCollect(t *testing.T) {
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	status := func(int) admin.Status { return instance("a", 1, at).Status }
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bridge_up 1") })
	now := serve(admin.Operators{Status: status, Metrics: metrics}.Handler())
	older := http.NewServeMux()
	older.Handle("GET /status.json", admin.Operators{Status: status}.Handler())
	got := incident.Collect(t.Context(), admin.Client{}, []string{now, serve(older), "127.0.0.1:1"})
	if len(got) != 3 || string(got[0].Metrics) != "bridge_up 1" || !strings.HasPrefix(string(got[0].Goroutines), "goroutine profile: total") || len(got[0].Missing) != 0 {
		t.Errorf("%+v", got[0])
	}
	if len(got[1].Missing) != 2 || got[1].Err != nil || got[2].Err == nil {
		t.Errorf("older: %v, %v; nothing there: %v", got[1].Missing, got[1].Err, got[2].Err)
	}
}
