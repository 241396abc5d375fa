package localkafka

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"alipay-kafka-bridge/internal/avro"
)

// maxBody is the size limit of a request to the registry.
const maxBody = 1 << 20

// newRegistry returns a registry that refuses what a real one refuses. srfake itself accepts any text
// as a schema, and considers all schemas compatible.
func newRegistry() *srfake.Registry {
	fake := srfake.NewRegistry(srfake.WithGlobalCompat(sr.CompatFullTransitive))
	fake.Intercept(gate{fake}.intercept)
	return fake
}

// gate checks new schemas in front of the fake registry.
type gate struct{ fake *srfake.Registry }

// intercept answers requests that the fake would answer wrongly, and reports whether it did.
func (g gate) intercept(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	path := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	switch {
	case len(path) == 3 && path[0] == "subjects" && path[2] == "versions":
		return g.register(w, r, path[1])
	case len(path) >= 4 && path[0] == "compatibility" && path[1] == "subjects":
		return g.check(w, r, path[2], path[4:])
	}
	return false
}

// register refuses a schema that is not valid, or not compatible with older versions. It leaves other
// schemas, and the body, to the fake.
func (g gate) register(w http.ResponseWriter, r *http.Request, subject string) bool {
	text, err := readSchema(r)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, sr.ErrInvalidSchema.Code, err)
		return true
	}
	level, old := g.level(subject), g.versions(subject)
	if !strings.HasSuffix(level, "_TRANSITIVE") && len(old) > 1 {
		old = old[len(old)-1:]
	}
	if err := compatible(level, text, old); err != nil {
		refuse(w, http.StatusConflict, http.StatusConflict, err)
		return true
	}
	return false
}

// check answers whether a schema could be registered, against one version or all.
func (g gate) check(w http.ResponseWriter, r *http.Request, subject string, version []string) bool {
	text, err := readSchema(r)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, sr.ErrInvalidSchema.Code, err)
		return true
	}
	old := g.versions(subject)
	if len(version) == 1 {
		if old = pick(old, version[0]); old == nil {
			refuse(w, http.StatusNotFound, sr.ErrVersionNotFound.Code, fmt.Errorf("there is no version %s", version[0]))
			return true
		}
	}
	answer := struct {
		Is       bool     `json:"is_compatible"`
		Messages []string `json:"messages,omitempty"`
	}{Is: true}
	if err := compatible(g.level(subject), text, old); err != nil {
		answer.Is, answer.Messages = false, []string{err.Error()}
	}
	respond(w, http.StatusOK, answer)
	return true
}

// pick returns the version with this name, or nil if there is none.
func pick(old []string, version string) []string {
	if version == "latest" && len(old) > 0 {
		return old[len(old)-1:]
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || n > len(old) {
		return nil
	}
	return old[n-1 : n]
}

// compatible compares a new schema with older ones, as the compatibility level requires.
func compatible(level, text string, old []string) error {
	for _, before := range old {
		var err error
		switch strings.TrimSuffix(level, "_TRANSITIVE") {
		case "BACKWARD":
			err = avro.Readable(text, before)
		case "FORWARD":
			err = avro.Readable(before, text)
		case "FULL":
			err = avro.Compatible(text, before)
		}
		if err != nil {
			return fmt.Errorf("the schema is not %s: %w", level, err)
		}
	}
	return nil
}

// readSchema reads the schema of a request and restores the body.
func readSchema(r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var s sr.Schema
	if err := json.Unmarshal(body, &s); err != nil {
		return "", err
	}
	if s.Type != sr.TypeAvro {
		return "", fmt.Errorf("type %s is not Avro", s.Type)
	}
	_, err = avro.NewCodec(s.Schema)
	return s.Schema, err
}

// level returns the compatibility level of a subject.
func (g gate) level(subject string) string {
	var config struct {
		Level string `json:"compatibilityLevel"`
	}
	if !g.ask("/config/"+subject+"?defaultToGlobal=true", &config) && !g.ask("/config", &config) {
		return "FULL_TRANSITIVE"
	}
	return config.Level
}

// versions returns the schemas of a subject, oldest first.
func (g gate) versions(subject string) []string {
	var numbers []int
	if !g.ask("/subjects/"+subject+"/versions", &numbers) {
		return nil
	}
	name, err := url.PathUnescape(subject)
	if err != nil {
		return nil
	}
	var texts []string
	for _, n := range numbers {
		if s, ok := g.fake.GetSchema(name, n); ok {
			texts = append(texts, s.Schema.Schema)
		}
	}
	return texts
}

// ask sends a request to the fake without a network, and reports whether it had an answer.
func (g gate) ask(path string, into any) bool {
	w := httptest.NewRecorder()
	g.fake.Handler().ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	return w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), into) == nil
}

func refuse(w http.ResponseWriter, status, code int, err error) {
	respond(w, status, map[string]any{"error_code": code, "message": err.Error()})
}

func respond(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client is gone
}
