package repo_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dials are the files that open connections, and to which hosts: those that the settings or the
// operator name. No URL in an event, an answer or a notification is ever used (security G9).
var dials = map[string]string{
	"internal/admin/ask.go":                "--address, admin.listen",
	"examples/consumers/go/main.go":        "an example: BROKERS, REGISTRY",
	"cmd/bridge/health.go":                 "--address, probes.listen",
	"internal/alipay/gateway/transport.go": "the gateways of the settings",
	"internal/alipay/keys/vault.go":        "Vault, as private_key_uri names it",
	"internal/app/serve.go":                "kafka.brokers",
	"internal/app/stable.go":               "kafka.brokers",
	"internal/audit/ends.go":               "the demo's own Kafka",
	"internal/audit/reader.go":             "the demo's own Kafka",
	"internal/avro/remote.go":              "registry.url",
	"internal/check/gateways.go":           "the gateways of the settings",
	"internal/check/host.go":               "notify.listen, of this machine",
	"internal/check/kafka.go":              "kafka.brokers",
	"internal/consume/engine.go":           "kafka.brokers",
	"internal/demo/demo.go":                "the demo's own Kafka",
	"internal/kafka/fetch.go":              "none: it only uses kgo's decompressor",
	"internal/kafka/oauth.go":              "kafka.sasl.token_url",
	"internal/kafka/options.go":            "kafka.brokers, --brokers",
	"internal/kafka/tls.go":                "kafka.brokers and registry.url",
	"internal/produce/transact.go":         "kafka.brokers",
	"internal/notify/publish.go":           "kafka.brokers",
	"internal/app/retention.go":            "kafka.brokers",
	"internal/audit/standing/begin.go":     "kafka.brokers",
	"internal/reread/reread.go":            "kafka.brokers",
	"internal/status/restore.go":           "kafka.brokers",
	"internal/simulator/outbox/send.go":    "only in the simulator: notify_url, as Alipay does",
	"internal/telemetry/export.go":         "telemetry.otlp_endpoint",
	"internal/telemetry/push.go":           "telemetry.otlp_endpoint",
}

// opens matches code that opens a connection, or makes something that does.
var opens = regexp.MustCompile(`\bhttp\.(Get|Post|PostForm|Head|DefaultClient|DefaultTransport)\b|\bhttp\.(Client|Transport)\{|` +
	`\bnet\.(Dial\w*\(|Dialer\{)|\btls\.(Dial\w*\(|Dialer\{)|\bkgo\.NewClient\(|\bsr\.NewClient\(|\botlp(trace|metric)(http|grpc)\.New\(`)

// TestG9_WhoOpensConnections: a file that opens connections is listed with the hosts.
func TestG9_WhoOpensConnections(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "interop") {
			return err
		}
		if text := read(t, path); opens.Match(text) {
			seen[path] = true
			if dials[path] == "" {
				t.Errorf("%s opens connections (%s) but is not listed; write into dials_test.go to which hosts", path, opens.Find(text))
			}
			if regexp.MustCompile(`ProxyFromEnvironment|InsecureSkipVerify`).Match(text) && !strings.HasPrefix(path, "internal/simulator/") {
				t.Errorf("%s uses a proxy from the environment, or accepts any certificate (security G1)", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range dials {
		if !seen[path] {
			t.Errorf("%s is listed but opens no connection; remove it from dials_test.go", path)
		}
	}
}
