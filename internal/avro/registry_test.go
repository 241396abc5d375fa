package avro_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"alipay-kafka-bridge/internal/avro"
)

const small = `{"type":"record","name":"Small","fields":[{"name":"n","type":"int"}]}`

// smallValue is a record of [small] under this id.
func smallValue(id byte) []byte { return []byte{0, 0, 0, 0, id, 2} }

// registryServer is a registry made of a few answers; it counts the look-ups by id.
type registryServer struct {
	asked   atomic.Int64
	mu      sync.Mutex
	schemas map[string]string // id to answer; guarded by mu
	subject string            // under which all are listed; guarded by mu
	broken  bool              // guarded by mu: every answer is 503
	deleted map[string]bool   // by id: known only to those who ask for deleted versions, too; guarded by mu
}

func (s *registryServer) onlyDeleted(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = map[string]bool{id: true}
}

func (s *registryServer) set(id, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schemas[id] = answer
}

func (s *registryServer) listUnder(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subject = subject
}

func (s *registryServer) breakDown(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

func (s *registryServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, versions := strings.CutSuffix(strings.TrimPrefix(req.URL.Path, "/schemas/ids/"), "/versions")
	answer, known := s.schemas[id]
	if !versions {
		s.asked.Add(1)
	}
	switch {
	case s.broken:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !known, s.deleted[id] && req.URL.Query().Get("deleted") != "true":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
	case versions:
		fmt.Fprintf(w, `[{"subject":%q,"version":1}]`, cmp.Or(s.subject, "events-value"))
	default:
		fmt.Fprint(w, answer)
	}
}

func schemaAnswer(text string) string {
	b, _ := json.Marshal(map[string]string{"schema": text})
	return string(b)
}

// inBubble runs a test against a registry on an in-memory network under a fake clock.
func inBubble(t *testing.T, test func(t *testing.T, s *registryServer, r *avro.Registry)) {
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		listener, err := network.Listen("tcp", "localhost:8081")
		if err != nil {
			t.Fatal(err)
		}
		s := &registryServer{schemas: map[string]string{"1": schemaAnswer(small)}}
		server := &http.Server{Handler: s}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(listener) })
		r, err := avro.NewRegistry(avro.RegistryOptions{URL: "http://localhost:8081", DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		test(t, s, r)
		r.Close()
		_ = server.Close()
		serving.Wait()
	})
}

func TestOneLookUpForManyAskers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				var n int64
				err := r.Read(t.Context(), "events", avro.MustCodec(small), smallValue(1), func(read avro.Reader) { n = read.Long("n") })
				if err != nil || n != 1 {
					t.Errorf("got %d, %v", n, err)
				}
			})
		}
		askers.Wait()
		if got := s.asked.Load(); got != 1 {
			t.Errorf("the registry was asked %d times, want once", got)
		}
	})
}

// final says whether an error of a reading is final: the record becomes a dead letter.
func final(err error) bool {
	var u *avro.UndecodableError
	return errors.As(err, &u)
}

// A follower of the registry learns late of a schema that its producer uses already.
func TestALateSchemaIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		for range 10 {
			if _, _, err := r.Open(t.Context(), "events", smallValue(7)); err == nil || final(err) {
				t.Fatalf("got %v, want an error that is not final", err)
			}
			time.Sleep(time.Second)
		}
		s.set("7", schemaAnswer(small))
		if _, _, err := r.Open(t.Context(), "events", smallValue(7)); err != nil {
			t.Errorf("it is known by now: %v", err)
		}
	})
}

// An id that stays unknown is final, is remembered for a while, and is asked for again later.
func TestUnknownIDIsFinalAfterAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		open := func() error {
			_, _, err := r.Open(t.Context(), "events", smallValue(7))
			return err
		}
		_ = open()
		time.Sleep(16 * time.Second)
		before := s.asked.Load()
		for range 10 {
			if err := open(); reason(err) != avro.ReasonUndecodable {
				t.Fatalf("got %v, want undecodable", err)
			}
		}
		if got := s.asked.Load(); got != before+1 {
			t.Errorf("the registry was asked %d times, want once", got-before)
		}
		s.set("7", schemaAnswer(small))
		time.Sleep(time.Minute)
		if err := open(); err != nil {
			t.Errorf("it is known by now: %v", err)
		}
	})
}

// A producer that makes ids up does not stop its partition with each of them (security K7).
func TestK7_FewIDsAreWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *registryServer, r *avro.Registry) {
		waited := 0
		for id := byte(100); id < 150; id++ {
			if _, _, err := r.Open(t.Context(), "events", smallValue(id)); !final(err) {
				waited++
			}
		}
		if waited != 3 {
			t.Errorf("%d ids are waited for, want 3", waited)
		}
		if _, _, err := r.Open(t.Context(), "events", smallValue(149)); !final(err) {
			t.Errorf("an id that was final is waited for: %v", err)
		}
		if _, _, err := r.Open(t.Context(), "others", smallValue(100)); final(err) {
			t.Errorf("another topic's id: %v", err)
		}
	})
}

// A registry that is down must never turn events into dead letters.
func TestOutageIsNotTheRecordsFault(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		s.breakDown(true)
		_, _, err := r.Open(t.Context(), "events", smallValue(1))
		var final *avro.UndecodableError
		if err == nil || errors.As(err, &final) {
			t.Fatalf("got %v, want an error that is not final", err)
		}
		s.breakDown(false)
		if _, _, err := r.Open(t.Context(), "events", smallValue(1)); err != nil {
			t.Errorf("the outage was remembered: %v", err)
		}
		s.breakDown(true)
		if _, _, err := r.Open(t.Context(), "events", smallValue(1)); err != nil {
			t.Errorf("a known schema was asked for again: %v", err)
		}
	})
}

// Ids are global in a registry: one of another topic says nothing about this one (security K7).
func TestK7_IDOfAnotherSubjectIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *registryServer, r *avro.Registry) {
		if _, _, err := r.Open(t.Context(), "others", smallValue(1)); err == nil || final(err) {
			t.Errorf("got %v, want an error that is not final yet", err)
		}
		time.Sleep(16 * time.Second)
		if _, _, err := r.Open(t.Context(), "others", smallValue(1)); reason(err) != avro.ReasonUndecodable {
			t.Errorf("got %v, want undecodable", err)
		}
		if _, _, err := r.Open(t.Context(), "events", smallValue(1)); err != nil {
			t.Errorf("its own topic: %v", err)
		}
	})
}

func TestK7_LookUpsOfOneTopicAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		start := time.Now()
		for id := range 25 {
			_, _, _ = r.Open(t.Context(), "events", smallValue(byte(100+id)))
		}
		if got, want := time.Since(start), 4*time.Second; got < want {
			t.Errorf("25 look-ups took %v, want at least %v", got, want)
		}
	})
}

func TestAskerWhoLeavesDoesNotStopTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *registryServer, r *avro.Registry) {
		for id := range 5 { // spend what the limit gives at once
			_, _, _ = r.Open(t.Context(), "events", smallValue(byte(100+id)))
		}
		impatient, leave := context.WithCancel(t.Context())
		var askers sync.WaitGroup
		askers.Go(func() {
			if _, _, err := r.Open(impatient, "events", smallValue(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		askers.Go(func() {
			if _, _, err := r.Open(t.Context(), "events", smallValue(1)); err != nil {
				t.Errorf("who stayed got %v", err)
			}
		})
		synctest.Wait()
		leave()
		askers.Wait()
	})
}

func TestAnswersThatAreNoSchema(t *testing.T) {
	for _, tt := range []struct{ name, answer, want string }{
		{"another type", `{"schemaType":"JSON","schema":"{}"}`, avro.ReasonUndecodable},
		{"a schema that is not safe", schemaAnswer(`{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`), avro.ReasonSchemaRefused},
		{"an answer of 2 MB", strings.Repeat(" ", 2<<20), avro.ReasonSchemaRefused},
		{"a schema of half a megabyte", schemaAnswer(`"` + strings.Repeat("x", 512<<10) + `"`), avro.ReasonSchemaRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
				s.set("2", tt.answer)
				for range 2 {
					if _, _, err := r.Open(t.Context(), "events", smallValue(2)); reason(err) != tt.want {
						t.Errorf("got %v, want %s", err, tt.want)
					}
				}
			})
		})
	}
}

// A schema may use types of other schemas, which may use types of others again.
func TestReferences(t *testing.T) {
	referring := func(schema, subject string) string {
		return fmt.Sprintf(`{"schema":%s,"references":[{"name":"any","subject":%q,"version":1}]}`, mustJSON(schema), subject)
	}
	const (
		top    = `{"type":"record","name":"Small","fields":[{"name":"n","type":"int"},{"name":"m","type":"shop.Money"}]}`
		money  = `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"minor","type":"long"},{"name":"unit","type":"Unit"}]}`
		unit   = `{"type":"enum","name":"Unit","namespace":"shop","symbols":["FEN","CENT"]}`
		moneyB = "\x08\x02" // 4 CENT
	)
	read := func(t *testing.T, s *registryServer, r *avro.Registry) (map[string]any, error) {
		t.Helper()
		s.set("2", referring(top, "money"))
		_, record, err := r.Open(t.Context(), "events", append(smallValue(2), moneyB...))
		return record, err
	}
	t.Run("resolved", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
			s.set("/subjects/money/versions/1", referring(money, "unit"))
			s.set("/subjects/unit/versions/1", schemaAnswer(unit))
			got, err := read(t, s, r)
			if want := map[string]any{"minor": int64(4), "unit": "CENT"}; err != nil || !reflect.DeepEqual(got["m"], want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	})
	t.Run("not known yet", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
			if _, err := read(t, s, r); err == nil || final(err) {
				t.Errorf("got %v, want an error that is not final", err)
			}
		})
	})
	t.Run("in a circle", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
			s.set("/subjects/money/versions/1", referring(money, "unit"))
			s.set("/subjects/unit/versions/1", referring(`{"type":"enum","name":"Other","symbols":["A"]}`, "money"))
			if _, err := read(t, s, r); reason(err) != avro.ReasonSchemaRefused {
				t.Errorf("got %v, want schema_refused", err)
			}
		})
	})
	t.Run("without an end", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
			s.set("/subjects/money/versions/1", referring(money, "s0"))
			for i := range 100 {
				s.set(fmt.Sprintf("/subjects/s%d/versions/1", i), referring(unit, fmt.Sprintf("s%d", i+1)))
			}
			if _, err := read(t, s, r); reason(err) != avro.ReasonSchemaRefused {
				t.Errorf("got %v, want schema_refused", err)
			}
		})
	})
}

// Schemas that a schema refers to are refused when they are too large, one by one or together:
// waiting would stop the partition, and reading on would take 50 MiB for each look-up.
func TestK7_LargeReferences(t *testing.T) {
	for _, tt := range []struct {
		name      string
		size      int // of each
		wantAsked int64
	}{
		{"one above the limit of an answer", 2 << 20, 2},
		{"many that are too large together", 200 << 10, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
				answer := func(text string, next int) string {
					return fmt.Sprintf(`{"schema":%s,"references":[{"name":"any","subject":"s%d","version":1}]}`, mustJSON(text), next)
				}
				s.set("2", answer(small, 0))
				for i := range 40 {
					s.set(fmt.Sprintf("/subjects/s%d/versions/1", i), answer(`{"doc":"`+strings.Repeat("x", tt.size)+`"}`, i+1))
				}
				if _, _, err := r.Open(t.Context(), "events", smallValue(2)); reason(err) != avro.ReasonSchemaRefused {
					t.Errorf("got %v, want schema_refused", err)
				}
				if n := s.asked.Load(); n != tt.wantAsked {
					t.Errorf("%d schemas were asked for, want %d", n, tt.wantAsked)
				}
			})
		})
	}
}

// A version that was deleted in the registry is still asked for: its records are still there.
func TestDeletedVersionsAreRead(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		s.set("2", schemaAnswer(small))
		s.onlyDeleted("2")
		if _, _, err := r.Open(t.Context(), "events", smallValue(2)); err != nil {
			t.Error(err)
		}
	})
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Each of these is a registry that cannot be asked: the caller waits, and nothing is followed.
func TestK7_RegistryThatMisbehaves(t *testing.T) {
	var elsewhere atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) }))
	defer other.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"a bare 404: the URL is wrong": func(w http.ResponseWriter, r *http.Request) {
			http.NotFound(w, r)
		},
		"refused credentials": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"no JSON":             func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			r, err := avro.NewRegistry(avro.RegistryOptions{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			_, _, err = r.Open(t.Context(), "events", smallValue(1))
			var final *avro.UndecodableError
			if err == nil || errors.As(err, &final) || elsewhere.Load() {
				t.Errorf("got %v, another host was asked: %v", err, elsewhere.Load())
			}
		})
	}
}

func TestK7_RegistryURLs(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://registry.example.com": true, "http://127.0.0.1:8081": true, "http://[::1]:8081": true, "http://localhost": true,
		"http://registry.example.com": false, "http://10.0.0.1": false, "ftp://localhost": false, "registry:8081": false,
		"https://user:SECRET@registry.example.com": false, "": false, "https://[": false,
	} {
		_, err := avro.NewRegistry(avro.RegistryOptions{URL: url})
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v, want ok = %v", url, err, ok)
		}
	}
}

func TestRegisterAndWrite(t *testing.T) {
	fake := srfake.New(srfake.WithAuth("Bearer token"))
	defer fake.Close()
	r, err := avro.NewRegistry(avro.RegistryOptions{URL: fake.URL(), Authorize: func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer token")
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := avro.MustCodec(small)
	if _, err := r.Frame(t.Context(), "events", c, nil, func(w *avro.Writer) { w.Long("n", 1) }); err == nil {
		t.Error("framed with a schema that is not registered")
	}
	id, err := r.Register(t.Context(), "events", c)
	if err != nil {
		t.Fatal(err)
	}
	value, err := r.Frame(t.Context(), "events", c, nil, func(w *avro.Writer) { w.Long("n", -3) })
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := avro.Unframe(value); got != id {
		t.Errorf("framed under id %d, want %d", got, id)
	}
	var n int64
	err = r.Read(t.Context(), "events", avro.MustCodec(small), value, func(read avro.Reader) { n = read.Long("n") })
	if err != nil || n != -3 {
		t.Errorf("read %d, %v", n, err)
	}
	for _, level := range mustClient(t, fake.URL()).Compatibility(t.Context(), "events-value") {
		if level.Level != sr.CompatFullTransitive {
			t.Errorf("compatibility of %s is %v, %v", level.Subject, level.Level, level.Err)
		}
	}
}

func mustClient(t *testing.T, url string) *sr.Client {
	t.Helper()
	c, err := sr.NewClient(sr.URLs(url), sr.BearerToken("token"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The cache is bounded, and what is used stays in it.
func TestK7_CodecCacheIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		open := func(id int) {
			value := []byte{0, 0, 0, byte(id >> 8), byte(id), 2}
			_, _, _ = r.Open(t.Context(), "events", value)
		}
		for id := 2; id <= 1100; id++ {
			s.set(strconv.Itoa(id), schemaAnswer(small))
			open(1)
			open(id)
		}
		before := s.asked.Load()
		open(1)
		open(1100)
		if got := s.asked.Load(); got != before {
			t.Errorf("what was used last was asked for again: %d look-ups", got-before)
		}
		open(2)
		if got := s.asked.Load(); got != before+1 {
			t.Errorf("the oldest was still known, or %d look-ups", got-before)
		}
	})
}

// A producer may register a thousand schemas that are as large as they may be.
func TestK7_CodecCacheIsBoundedByText(t *testing.T) {
	inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
		large := recordOf(fieldOf(`"int"`, `,"doc":"`+strings.Repeat("x", 200<<10)+`"`))
		open := func(id byte) {
			if _, _, err := r.Open(t.Context(), "events", smallValue(id)); err != nil {
				t.Errorf("id %d: %v", id, err)
			}
		}
		for id := byte(2); id < 22; id++ { // 4 MiB of text, of which 2 stay
			s.set(strconv.Itoa(int(id)), schemaAnswer(large))
			open(1)
			open(id)
		}
		before := s.asked.Load()
		open(1)
		open(21)
		open(14)
		if got := s.asked.Load(); got != before {
			t.Errorf("what was used last was asked for again: %d look-ups", got-before)
		}
		open(2)
		if got := s.asked.Load(); got != before+1 {
			t.Errorf("the oldest was still known, or %d look-ups", got-before)
		}
	})
}
