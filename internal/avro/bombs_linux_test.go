//go:build !race

// The race detector takes more memory than these processes are given.

package avro_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"alipay-kafka-bridge/internal/avro"
)

// A bomb that works ends the process, and no recover catches that: each runs in a child of
// its own, which is this test binary under a limit.
const (
	bombName     = "AVRO_TEST_BOMB"
	bombLimit    = 256 << 20 // bytes of memory that the child may take; beyond it the kernel gives none
	bombResident = 200 << 10 // KiB that it may have used (security K5)
)

// bombs return what came of the attack, in a word.
var bombs = map[string]func() string{
	"K5 a schema inside itself, 2 MB of 0x02": func() string {
		return readWith(`{"type":"record","name":"OrderEvent","fields":[{"name":"next","type":["null","OrderEvent"]}]}`, bytes.Repeat([]byte{2}, 2<<20))
	},
	"K5 9,000 nested arrays": func() string {
		return readWith(recordOf(fieldOf(strings.Repeat(`{"type":"array","items":`, 9000)+`"int"`+strings.Repeat("}", 9000), "")), []byte{2, 2})
	},
	"K5 15 kB of blocks of nulls": func() string {
		return readWith(recordOf(fieldOf(`{"type":"array","items":"null"}`, "")), bytes.Repeat([]byte{0x80, 0x94, 0xeb, 0xdc, 3}, 3000))
	},
	"K5 blocks of records that take no bytes": func() string {
		return readWith(recordOf(fieldOf(`{"type":"array","items":{"type":"record","name":"E","fields":[{"name":"n","type":"null"}]}}`, "")), bytes.Repeat([]byte{0x80, 0x94, 0xeb, 0xdc, 3}, 3000))
	},
	"K5 a schema of half a megabyte": func() string {
		return readWith(recordOf(fieldOf(`"int"`, `,"doc":"`+strings.Repeat("x", 512<<10)+`"`)), []byte{2})
	},
	"K5 5,000 fields": func() string {
		return readWith(recordOf(strings.Repeat(fieldOf(`"int"`, "")+",", 5_000)+fieldOf(`"int"`, "")), []byte{2})
	},
	"K5 types used 2^14 times": func() string { return readWith(doubling(`"int"`), []byte{2}) },
	"K5 a count of 2^31-1": func() string {
		return readWith(listOf("array", `"items":"string"`), []byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
	},
	"K5 a count of -2^63": func() string { return readWith(listOf("array", `"items":"string"`), binary.AppendVarint(nil, -1<<63)) },
	"K5 a count of 2^31-1 in a map": func() string {
		return readWith(listOf("map", `"values":"string"`), []byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
	},
	"K5 a string that says it has 2^62":  func() string { return readWith(recordOf(fieldOf(`"string"`, "")), binary.AppendVarint(nil, 1<<62)) },
	"K5 a string of 10 MB":               func() string { return readWith(recordOf(fieldOf(`"string"`, "")), longText(10<<20)) },
	"K5 a string of 10 MB, if let in":    func() string { return readUnder(32<<20, recordOf(fieldOf(`"string"`, "")), longText(10<<20)) },
	"K5 the most values that are let in": func() string { return readWith(listOf("array", `"items":`+tinyRecord), tinyRecords(33_000)) },
	"K5 more values than are let in":     func() string { return readWith(listOf("array", `"items":`+tinyRecord), tinyRecords(300_000)) },
	"K5 items that grow by defaults": func() string {
		return readWith(growing(), append(binary.AppendVarint(nil, 40_000), make([]byte, 40_001)...))
	},
	"K7 an endless answer":             func() string { return askRegistry(endless) },
	"K7 an endless answer, compressed": func() string { return askRegistry(gzipBomb) },
	"K7 an endless header":             func() string { return askRegistry(endlessHeader) },
	"K7 a redirect to itself": func() string {
		return askRegistry(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	},
	"K7 an id of another subject":          func() string { return askRegistry(anotherSubject) },
	"K7 a schema of 1 MB":                  func() string { return askRegistry(largeSchema) },
	"K5 a sound record (the test's proof)": func() string { return readWith(recordOf(fieldOf(`"string"`, "")), []byte{2, 'x'}) },
}

// TestMain is the child's side too.
func TestMain(m *testing.M) {
	bomb, ok := bombs[os.Getenv(bombName)]
	if !ok {
		os.Exit(m.Run())
	}
	limit := syscall.Rlimit{Cur: bombLimit, Max: bombLimit}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		panic(err)
	}
	fmt.Printf("outcome=%s resident=%d\n", bomb(), residentPeak())
	os.Exit(0)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// residentPeak is the most memory that this process ever had resident, in KiB.
func residentPeak() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(string(highWater.FindSubmatch(status)[1]))
	return n
}

// explode runs the bombs of a rule and compares what came of each.
func explode(t *testing.T, rule string, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(bombs)) {
		if !strings.HasPrefix(name, rule+" ") {
			continue
		}
		t.Run(strings.TrimPrefix(name, rule+" "), func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), bombName+"="+name, "GOMAXPROCS=2")
			out, err := child.CombinedOutput()
			var outcome string
			var resident int
			if _, scan := fmt.Sscanf(string(out), "outcome=%s resident=%d", &outcome, &resident); err != nil || scan != nil {
				t.Fatalf("the process died: %v\n%.2000s", err, out)
			}
			if outcome != want[name] {
				t.Errorf("got %s, want %s", outcome, want[name])
			}
			if resident > bombResident {
				t.Errorf("%d KiB resident, want at most %d", resident, bombResident)
			}
			t.Logf("%s, %d MiB resident", outcome, resident>>10)
		})
	}
}

func TestK5_BombsBySchema(t *testing.T) {
	const refused, bad = avro.ReasonSchemaRefused, avro.ReasonUndecodable
	explode(t, "K5", map[string]string{
		"K5 a schema inside itself, 2 MB of 0x02": refused, "K5 9,000 nested arrays": refused, "K5 15 kB of blocks of nulls": refused,
		"K5 blocks of records that take no bytes": refused, "K5 a schema of half a megabyte": refused, "K5 5,000 fields": refused,
		"K5 types used 2^14 times": bad, "K5 a count of 2^31-1": bad, "K5 a count of -2^63": bad, "K5 a count of 2^31-1 in a map": bad,
		"K5 a string that says it has 2^62": bad, "K5 a string of 10 MB": avro.ReasonTooLarge, "K5 a string of 10 MB, if let in": "read",
		"K5 the most values that are let in": "read", "K5 more values than are let in": bad, "K5 items that grow by defaults": bad,
		"K5 a sound record (the test's proof)": "read",
	})
}

// A registry that misbehaves is an outage. A schema that is too long, or another topic's, is
// the producer's doing and final.
func TestK7_RegistryAsAPath(t *testing.T) {
	const refused = avro.ReasonSchemaRefused
	explode(t, "K7", map[string]string{
		"K7 an endless answer": refused, "K7 an endless answer, compressed": refused, "K7 an endless header": "wait", "K7 a redirect to itself": "wait",
		"K7 an id of another subject": "wait", "K7 a schema of 1 MB": refused,
	})
}

// word says what came of a reading.
func word(err error) string {
	var word string
	switch word = reason(err); word {
	case avro.ReasonUndecodable, avro.ReasonSchemaRefused, avro.ReasonTooLarge:
		return word
	}
	if err != nil {
		return "wait"
	}
	return "read"
}

// readWith reads bytes as what the bridge would read from a topic whose writer has this
// schema, or says why not. The limit of a record's size is out of the way, up to 4 MiB.
func readWith(schema string, b []byte) string { return readUnder(4<<20, schema, b) }

func readUnder(limit int, schema string, b []byte) string {
	server := httptest.NewServer(answering(schema))
	defer server.Close()
	r, err := avro.NewRegistry(avro.RegistryOptions{URL: server.URL, MaxRecord: limit})
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	reader := avro.MustCodec(recordOf(`{"name":"f","type":"string","default":""}`))
	if strings.Contains(schema, tinyRecord) || strings.Contains(schema, `"grow"`) {
		reader = avro.MustCodec(recordOf(`{"name":"f","type":{"type":"array","items":` + manyFields + `}}`))
	}
	_, _, err = r.Open(context.Background(), "events", append([]byte{0, 0, 0, 0, 1}, b...))
	if err == nil {
		err = r.Read(context.Background(), "events", reader, append([]byte{0, 0, 0, 0, 1}, b...), func(avro.Reader) {})
	}
	return word(err)
}

// answering is a registry that has one schema, under id 1 and the topic events.
func answering(schema string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/versions") {
			fmt.Fprint(w, `[{"subject":"events-value","version":1}]`)
			return
		}
		fmt.Fprint(w, schemaAnswer(schema))
	}
}
