//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// drillProcess: a pipeline that is stopped as a whole; instances that are gone, begin again and again, or have other settings; credentials that end; a collector
// that takes no spans; and events that are late.
func drillProcess(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	soon := func(d time.Duration) string {
		return fmt.Sprintf(", more_alipay_keys: [{file: good-public, until: %q}]", time.Now().Add(d).Format(time.RFC3339))
	}
	s := newScene(t, []string{"a", "b"}, []string{"events", "queries"}, []string{"good", "weeks", "days"}, map[string]string{"weeks": soon(2 * time.Hour), "days": soon(time.Hour)})
	settings, err := os.ReadFile(s.settings)
	must(t, err)
	plain := regexp.MustCompile(`, more_alipay_keys: \[[^]]*\]`).ReplaceAll(settings, nil)
	plain = regexp.MustCompile(`\n  queries: .*`).ReplaceAll(plain, nil)
	for partition := range int32(2) {
		s.commitForeign("group-queries", "queries", partition)
	}
	settings = fmt.Appendf(settings, "telemetry: {otlp_endpoint: %q}\n", collector.URL)
	s.replace(s.settings, settings)
	a, b := s.bridge("a"), s.bridge("b")
	s.flow("weeks", time.Second, 0)
	s.watch("a", "b")
	defer s.note()
	s.scraped(s.port["b"], 3, untilFires)

	collector.Close()
	late := s.flow("good", 100*time.Millisecond, time.Minute)
	s.replace(s.settings, append(settings, "# other\n"...))
	must(t, b.cmd.Process.Signal(syscall.SIGHUP))
	await(t, "the settings were read", patience, func() bool { return b.logged("reloaded") })
	s.replace(s.settings, []byte("kafka: none\n"))
	must(t, a.cmd.Process.Signal(syscall.SIGHUP))
	s.fires("settings, credentials, spans and late events", untilFires,
		"BridgePartitionStopped critical kafka partition=0 topic="+s.topic("queries"),
		"BridgePartitionStopped critical kafka partition=1 topic="+s.topic("queries"),
		"BridgeNotProgressing critical kafka pipeline=queries",
		"- BridgeNotProgressing warning kafka "+s.instance("a")+" pipeline=queries",
		"- BridgeNotProgressing warning kafka "+s.instance("b")+" pipeline=queries",
		"BridgeConfigDiffers warning bridge",
		"BridgeReloadFailed warning bridge "+s.instance("a"),
		"BridgeSpansLost warning bridge "+s.instance("a"),
		"BridgeSpansLost warning bridge "+s.instance("b"),
		"BridgeCredentialExpiring warning merchant app=weeks credential=more_alipay_keys[0]",
		"- BridgeCredentialExpiring warning merchant app=days credential=more_alipay_keys[0]",
		"BridgeCredentialExpiring critical merchant app=days credential=more_alipay_keys[0]",
		"BridgeLate critical bridge app=good",
		"- BridgeLate warning bridge app=good",
	)

	late()
	a.stop(t)
	b.stop(t)
	s.replace(s.settings, plain)
	a, b = s.bridge("a"), s.bridge("b")
	s.quiet(untilFires)

	b.kill()
	absent := "BridgeAbsent warning bridge " + s.instance("b")
	began := time.Now()
	for n := 0; n < 4 || !slices.ContainsFunc(s.firing(false), func(a string) bool { return strings.HasPrefix(a, "BridgeRestarting ") }) && time.Since(began) < untilFires; n++ {
		a.kill()
		starts := s.starts("a")
		a = s.bridge("a")
		await(t, "a scrape of the new process", patience, func() bool { return s.starts("a") > starts })
	}
	s.fires("one instance is gone, another begins again and again", untilFires, absent, "BridgeRestarting critical bridge "+s.instance("a"))
	a.kill()
	s.fires("no instance is left", untilFires, "BridgeAbsent critical bridge", "- "+absent, "- BridgeAbsent warning bridge "+s.instance("a"), "BridgeRestarting critical bridge "+s.instance("a"))
}

// starts is how often Prometheus has seen a slot begin, within five minutes.
func (s *scene) starts(slot string) int {
	s.t.Helper()
	_, values := s.query(fmt.Sprintf(`changes(process_start_time_seconds{instance="127.0.0.1:%s"}[5m])`, s.port[slot]))
	if len(values) == 0 {
		return 0
	}
	n, err := strconv.Atoi(values[0])
	must(s.t, err)
	return n
}
