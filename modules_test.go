package repo_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// licence is a licence, recognised by words in its text.
type licence string

const (
	apache2 licence = "Apache License"
	bsd     licence = "Redistribution and use in source and binary forms"
	mit     licence = "Permission is hereby granted, free of charge"
)

// why a module is in the binary. A new module needs an entry here, with its reason (security D1).
type why struct {
	reason  string
	licence licence
}

var modules = map[string]why{
	"github.com/cenkalti/backoff/v5":                                    {"pauses between attempts", mit},
	"github.com/sony/gobreaker/v2":                                      {"circuit breaker", mit},
	"github.com/spf13/cobra":                                            {"command line", apache2},
	"github.com/spf13/pflag":                                            {"cobra's flags", bsd},
	"github.com/twmb/franz-go":                                          {"Kafka client", bsd},
	"github.com/twmb/franz-go/pkg/kadm":                                 {"topics, offsets and ACLs", bsd},
	"github.com/twmb/franz-go/pkg/kfake":                                {"Kafka in the process, for the demo", bsd},
	"github.com/twmb/franz-go/pkg/kmsg":                                 {"Kafka's requests and responses", bsd},
	"github.com/twmb/franz-go/pkg/sr":                                   {"schema registry client", bsd},
	"github.com/klauspost/compress":                                     {"franz-go: gzip, snappy and zstd", bsd},
	"github.com/pierrec/lz4/v4":                                         {"franz-go: lz4", bsd},
	"github.com/golang/snappy":                                          {"Pebble: compressed blocks", bsd},
	"go.opentelemetry.io/otel":                                          {"traces", apache2},
	"go.opentelemetry.io/otel/trace":                                    {"traces", apache2},
	"go.opentelemetry.io/otel/sdk":                                      {"traces", apache2},
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace":                 {"traces leave by OTLP", apache2},
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp":   {"traces leave by OTLP", apache2},
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc":   {"traces leave by OTLP over gRPC", apache2},
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp": {"metrics leave by OTLP", apache2},
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc": {"metrics leave by OTLP over gRPC", apache2},
	"go.opentelemetry.io/proto/otlp":                                    {"otlptrace, otlpmetric: messages", apache2},
	"go.opentelemetry.io/otel/sdk/metric":                               {"metrics", apache2},
	"go.opentelemetry.io/otel/exporters/prometheus":                     {"metrics in the format of Prometheus", apache2},
	"github.com/jedib0t/go-pretty/v6":                                   {"tables, also with Chinese text", mit},
	"github.com/mattn/go-runewidth":                                     {"go-pretty: widths of characters", mit},
	"github.com/rivo/uniseg":                                            {"go-pretty: characters of several code points", mit},
	"github.com/prometheus/client_golang":                               {"metrics in the format of Prometheus; figures of Go and the process", apache2},
	"github.com/prometheus/client_model":                                {"client_golang: its data model", apache2},
	"github.com/prometheus/common":                                      {"client_golang: the text format", apache2},
	"github.com/prometheus/otlptranslator":                              {"otel's exporter: names of metrics", apache2},
	"github.com/prometheus/procfs":                                      {"client_golang: figures of the process", apache2},
	"github.com/beorn7/perks":                                           {"client_golang: quantiles", mit},
	"github.com/munnerz/goautoneg":                                      {"common: which format a scrape asks for", bsd},
	"go.opentelemetry.io/otel/metric":                                   {"metrics", apache2},
	"go.opentelemetry.io/otel/log":                                      {"otel: its log API", apache2},
	"go.opentelemetry.io/auto/sdk":                                      {"otel: automatic instrumentation", apache2},
	"github.com/cespare/xxhash/v2":                                      {"otel: hashes for attributes", mit},
	"github.com/go-logr/logr":                                           {"otel: log of its errors", apache2},
	"github.com/go-logr/stdr":                                           {"otel: log of its errors", apache2},
	"github.com/google/uuid":                                            {"otel/sdk: instance ids", bsd},
	"github.com/grpc-ecosystem/grpc-gateway/v2":                         {"proto/otlp: generated code", bsd},
	"google.golang.org/genproto/googleapis/api":                         {"grpc-gateway: generated code", apache2},
	"google.golang.org/genproto/googleapis/rpc":                         {"grpc: generated code", apache2},
	"google.golang.org/grpc":                                            {"otlptracegrpc: connections; proto/otlp: generated code", apache2},
	"google.golang.org/protobuf":                                        {"OTLP's encoding", bsd},
	"github.com/cockroachdb/pebble/v2":                                  {"the store of trade status", bsd},
	"github.com/cockroachdb/crlib":                                      {"pebble: small helpers", apache2},
	"github.com/cockroachdb/errors":                                     {"pebble: errors", apache2},
	"github.com/cockroachdb/logtags":                                    {"cockroachdb/errors: tags of contexts", apache2},
	"github.com/cockroachdb/redact":                                     {"cockroachdb/errors: texts without secrets", apache2},
	"github.com/cockroachdb/swiss":                                      {"pebble: maps", apache2},
	"github.com/cockroachdb/tokenbucket":                                {"pebble: pace of writes", apache2},
	"github.com/RaduBerinde/axisds":                                     {"pebble: intervals of keys", apache2},
	"github.com/RaduBerinde/btreemap":                                   {"axisds: ordered maps", apache2},
	"github.com/getsentry/sentry-go":                                    {"cockroachdb/errors: reports, which the bridge never sends", mit},
	"github.com/gogo/protobuf":                                          {"cockroachdb/errors: encoded errors", bsd},
	"github.com/kr/pretty":                                              {"cockroachdb/errors: prints of values", mit},
	"github.com/kr/text":                                                {"kr/pretty: columns", mit},
	"github.com/minio/minlz":                                            {"pebble: compression", apache2},
	"github.com/pkg/errors":                                             {"cockroachdb/errors: older errors", bsd},
	"github.com/rogpeppe/go-internal":                                   {"kr/pretty: formatting", bsd},
	"golang.org/x/exp":                                                  {"pebble: constraints of types", bsd},
	"go.yaml.in/yaml/v3":                                                {"settings", mit},
	"golang.org/x/net":                                                  {"grpc: HTTP/2 and traces of requests", bsd},
	"golang.org/x/oauth2":                                               {"tokens for OAUTHBEARER by client credentials", bsd},
	"golang.org/x/sync":                                                 {"one look-up for many callers, slots, groups of goroutines", bsd},
	"golang.org/x/sys":                                                  {"internal/app: forbids memory dumps; also x/term, otel/sdk and grpc", bsd},
	"golang.org/x/term":                                                 {"finds out whether output is a terminal", bsd},
	"golang.org/x/text":                                                 {"GBK", bsd},
	"golang.org/x/time":                                                 {"rate limits", bsd},
}

// Every module in the binary is listed with a reason and with a licence that was checked, and no
// other module is listed.
func TestD1_ModulesOfTheBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bridge")
	output(t, "env", "CGO_ENABLED=0", "go", "build", "-mod=readonly", "-o", binary, "./cmd/bridge")
	var built struct {
		Deps []struct {
			Path    string
			Replace *struct{ Path string }
		}
	}
	if err := json.Unmarshal(output(t, "go", "version", "-m", "-json", binary), &built); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range built.Deps {
		seen[m.Path] = true
		known, ok := modules[m.Path]
		if !ok {
			t.Errorf("%s is in the binary but not listed; write into modules_test.go why, and under which licence", m.Path)
			continue
		}
		if m.Replace != nil {
			t.Errorf("%s is replaced by %s", m.Path, m.Replace.Path)
		}
		if got := licenceOf(t, m.Path); !bytes.Contains(got, []byte(known.licence)) {
			t.Errorf("%s: the licence does not contain %q:\n%.200s", m.Path, known.licence, got)
		}
	}
	for path := range modules {
		if !seen[path] {
			t.Errorf("%s is listed but not in the binary; remove it from modules_test.go", path)
		}
	}
}

// licenceOf returns the licence of a module in one line, because line breaks differ.
func licenceOf(t *testing.T, module string) []byte {
	t.Helper()
	dir := strings.TrimSpace(string(output(t, "go", "list", "-m", "-f", "{{.Dir}}", module)))
	files, err := filepath.Glob(filepath.Join(dir, "L[Ii][Cc][Ee][Nn][Ss][Ee]*"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no licence: %v", module, err)
		return nil
	}
	return bytes.Join(bytes.Fields(read(t, files[0])), []byte(" "))
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out
}
