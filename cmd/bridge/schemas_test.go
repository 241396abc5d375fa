package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/schemas"
)

// schemasRun runs a schemas command and returns what it printed and its exit code.
func schemasRun(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	c := rootCommand()
	var b bytes.Buffer
	c.SetOut(&b)
	c.SetErr(&b)
	c.SetArgs(append([]string{"schemas"}, args...))
	err := c.ExecuteContext(t.Context())
	if err != nil {
		b.WriteString("error: " + err.Error())
		return b.String(), command.ExitCode(err)
	}
	return b.String(), 0
}

// changed is the order event's schema with one text replaced by another.
func changed(t *testing.T, old, new string) string {
	t.Helper()
	if !strings.Contains(schemas.OrderEvent, old) {
		t.Fatalf("the schema has no %q", old)
	}
	return strings.Replace(schemas.OrderEvent, old, new, 1)
}

func folderOf(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const minorIsLong = `"name": "minor",
       "type": "long"`

// A producer's CI asks about its own file, without a network.
func TestSchemasCheckFolder(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		code             int
		want             []string
	}{
		{"the same", "order.avsc", schemas.OrderEvent, 0, []string{"nothing found"}},
		{"its own namespace", "order.avsc", changed(t, "alipaykafkabridge", "com.shop"), 0, []string{"nothing found"}},
		{"money as a float", "order.avsc", changed(t, minorIsLong, strings.Replace(minorIsLong, "long", "double", 1)), output.ExitFound,
			[]string{"the bridge cannot read it: total.minor: written as double, read as long; breaks alipay.trade.create total_amount, alipayhk.merchant.order.sync amount",
				"items[].price.minor: written as double, read as long; breaks alipay.trade.create goods_detail.price"}},
		{"a field that decides about all calls", "order.avsc", changed(t, `"name": "event_type"`, `"name": "kind"`), output.ExitFound,
			[]string{"event_type: not written, and the reader has no default; breaks every call",
				"its readers cannot read the bridge's schema: kind: not written"}},
		{"a field that is not written", "order.avsc", changed(t, `"name": "subject"`, `"name": "title", "default": ""`), 0,
			[]string{"subject is not written; these stay empty: alipay.trade.create subject"}},
		{"a schema that is not safe", "order.avsc", `{"type":"record","name":"OrderEvent","fields":[{"name":"n","type":["null","OrderEvent"]}]}`, output.ExitFound,
			[]string{"the bridge refuses it: schema_refused"}},
		{"a terminal is not to obey", "order.avsc", changed(t, `"name": "event_type"`, `"name": "kind\u001b]52;"`), output.ExitFound, []string{"schema_refused"}},
		{"a reader of results", "result.avsc", `{"type":"record","name":"CallResult","fields":[{"name":"code","type":"string"},{"name":"new","type":"int"}]}`, output.ExitFound,
			[]string{"its readers cannot read the bridge's schema: new: not written"}},
		{"nothing of ours", "user.avsc", `{"type":"record","name":"User","fields":[]}`, command.ExitFailed, []string{"no .avsc file has a record of the bridge"}},
		{"no schema at all", "README.md", "", command.ExitFailed, []string{"no .avsc file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, code := schemasRun(t, "check", "--folder", folderOf(t, tt.file, tt.text))
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("not said: %s\n%s", want, out)
				}
			}
			if strings.ContainsAny(out, "\x1b") {
				t.Errorf("an escape character came through: %q", out)
			}
		})
	}
}

func TestSchemasCheckJSON(t *testing.T) {
	dir := folderOf(t, "order.avsc", changed(t, `"name": "trade_no"`, `"name": "trade_number"`))
	out, code := schemasRun(t, "check", "--folder", dir, "-o", "json")
	var got check.SchemaReport
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || len(got.NotWritten) != 1 || got.NotWritten[0].Field != "trade_no" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	for _, args := range [][]string{{"check", "-o", "xml"}, {"check", "--folder", dir, "orders"}, {"list", "-o", "xml"}, {"register", "no-such-topic"}} {
		if out, code := schemasRun(t, args...); code != command.ExitUsage {
			t.Errorf("%v: exit %d, want %d: %s", args, code, command.ExitUsage, out)
		}
	}
}

func TestSchemasList(t *testing.T) {
	out, code := schemasRun(t, "list")
	if code != 0 || !strings.Contains(out, "order-events\tevents\tOrderEvent\torder_event.avsc\n") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	out, _ = schemasRun(t, "list", "-o", "jsonl")
	for line := range strings.Lines(out) {
		var got listed
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if c, err := avro.NewCodec(string(got.Schema)); err != nil || c.Name() != got.Record {
			t.Errorf("%s: the schema in it is not %s: %v", line, got.Record, err)
		}
	}
}

func TestSchemasRegistry(t *testing.T) {
	c, err := localkafka.Start(localkafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	at := func(args ...string) []string { return append(args, "--registry="+c.RegistryURL()) }
	out, code := schemasRun(t, at("check")...)
	if code != output.ExitFound || !strings.Contains(out, "order-events: no schema is registered: run bridge schemas register") {
		t.Errorf("before: exit %d:\n%s", code, out)
	}
	for range 2 { // the second time changes nothing
		if out, code := schemasRun(t, at("register")...); code != 0 || !strings.Contains(out, "order-events\tOrderEvent\t") {
			t.Fatalf("register: exit %d:\n%s", code, out)
		}
	}
	if out, code := schemasRun(t, at("check")...); code != 0 || !strings.Contains(out, "nothing found") {
		t.Errorf("after: exit %d:\n%s", code, out)
	}

	producer := avro.MustCodec(changed(t, minorIsLong, strings.Replace(minorIsLong, "long", "string", 1)))
	registry, err := avro.NewRegistry(c.RegistryOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	if _, err := registry.Register(t.Context(), "shop-orders", producer); err != nil {
		t.Fatal(err)
	}
	out, code = schemasRun(t, at("check", "shop-orders=OrderEvent", "results")...)
	if code != output.ExitFound || !strings.Contains(out, "shop-orders version 1: the bridge cannot read it: total.minor: written as string, read as long; breaks alipay.trade.create total_amount") {
		t.Errorf("a producer's money as text: exit %d:\n%s", code, out)
	}
	if out, code := schemasRun(t, at("register", "shop-orders=OrderEvent", "results")...); code != command.ExitFailed || !strings.Contains(out, "alipay-results\tCallResult") {
		t.Errorf("refused: exit %d:\n%s", code, out)
	}
}
