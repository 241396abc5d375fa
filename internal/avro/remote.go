package avro

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/time/rate"
)

const (
	// maxAnswer bounds an answer of the registry: pkg/sr reads without a limit (security K7).
	maxAnswer = 1 << 20
	// asksPerSecond bounds the look-ups that the records of one topic can cause: a flood of
	// random ids would be a flood of requests (security K7).
	asksPerSecond = 5
)

// RegistryOptions configure the registry client. Only URL is required.
type RegistryOptions struct {
	URL       string // https, or http on a loopback address
	MaxRecord int    // largest value that is decoded, in bytes; 0: 1 MiB
	// Authorize adds credentials to each request; nil: none.
	Authorize func(*http.Request) error
	// DialTLSContext opens connections to https; nil: with the system's roots.
	DialTLSContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialContext replaces the network; nil: the real one.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewRegistry returns a Registry that asks a Confluent-compatible schema registry. It asks
// nothing yet. Neither proxies from the environment nor redirects are followed.
func NewRegistry(o RegistryOptions) (*Registry, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("registry: the URL is not absolute")
	}
	if u.User != nil {
		return nil, errors.New("registry: the URL holds credentials: give user and password in their own settings")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("registry: %s is neither https nor on a loopback address", u.Redacted())
	}
	transport := &http.Transport{
		DialContext:     o.DialContext,
		DialTLSContext:  o.DialTLSContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	opts := []sr.ClientOpt{sr.URLs(o.URL), sr.UserAgent("alipay-kafka-bridge"), sr.HTTPClient(&http.Client{
		Transport:     bounded{transport},
		Timeout:       askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})}
	if o.Authorize != nil {
		opts = append(opts, sr.PreReq(o.Authorize))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	from := &remote{client: client, transport: transport, rates: map[string]*rate.Limiter{}}
	return newRegistry(from, o.MaxRecord), nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// bounded cuts answers off at [maxAnswer].
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// remote asks a registry over HTTP.
type remote struct {
	client    *sr.Client
	transport *http.Transport

	mu    sync.Mutex
	rates map[string]*rate.Limiter // by subject; guarded by mu
}

func (r *remote) close() { r.transport.CloseIdleConnections() }

func (r *remote) schema(ctx context.Context, subject string, id SchemaID, subjectOf func(string) string) (writerSchema, error) {
	if err := r.rate(subject).Wait(ctx); err != nil {
		return writerSchema{}, fmt.Errorf("registry: too many look-ups for %s: %w", subject, err)
	}
	// A producer's records outlive the version that it was deleted from.
	ctx = sr.WithParams(ctx, sr.ShowDeleted)
	s, err := r.client.SchemaByID(ctx, int(id))
	if isUnknown(err) {
		return writerSchema{}, &UndecodableError{ReasonUndecodable, errUnknownID}
	}
	if err != nil {
		return writerSchema{}, schemaError(err)
	}
	if s.Type != sr.TypeAvro {
		return writerSchema{}, undecodable("it is of type %s; the bridge reads Avro only", s.Type)
	}
	// Not /subjects: Apicurio does not have it.
	listed, err := r.client.SchemaVersionsByID(ctx, int(id))
	if err != nil && !isUnknown(err) {
		return writerSchema{}, registryError(err)
	}
	subject = subjectOf(s.Schema)
	if !slices.ContainsFunc(listed, func(v sr.SubjectVersion) bool { return v.Subject == subject }) {
		return writerSchema{}, &UndecodableError{ReasonUndecodable, fmt.Errorf("%w under %s", errNotListed, subject)}
	}
	refs := references{remote: r, seen: map[string]bool{}, size: len(s.Schema)}
	if err := refs.collect(ctx, s.References); err != nil {
		return writerSchema{}, err
	}
	return writerSchema{text: s.Schema, references: refs.texts}, nil
}

// maxReferences bounds the schemas that one schema refers to, directly or through others.
const maxReferences = 50

// references collects what a schema refers to, each before what refers to it.
type references struct {
	remote *remote
	seen   map[string]bool
	texts  []string
	size   int // of all texts, that of the referring schema included
}

func (r *references) collect(ctx context.Context, list []sr.SchemaReference) error {
	for _, ref := range list {
		key := fmt.Sprintf("%s/%d", ref.Subject, ref.Version)
		if r.seen[key] {
			continue
		}
		if len(r.seen) >= maxReferences {
			return &UndecodableError{ReasonSchemaRefused, fmt.Errorf("it refers to more than %d other schemas", maxReferences)}
		}
		r.seen[key] = true
		s, err := r.remote.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if isUnknown(err) {
			return &UndecodableError{ReasonUndecodable, fmt.Errorf("%w: it refers to version %d of %.80q", errUnknownID, ref.Version, ref.Subject)}
		}
		if err != nil {
			return schemaError(err)
		}
		if r.size += len(s.Schema.Schema); r.size > maxSchemaText {
			return &UndecodableError{ReasonSchemaRefused, fmt.Errorf("it has, with the schemas that it refers to, more than %d bytes of text", maxSchemaText)}
		}
		if err := r.collect(ctx, s.References); err != nil {
			return err
		}
		r.texts = append(r.texts, s.Schema.Schema)
	}
	return nil
}

func (r *remote) rate(subject string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rates[subject] == nil {
		r.rates[subject] = rate.NewLimiter(asksPerSecond, asksPerSecond)
	}
	return r.rates[subject]
}

func (r *remote) idOf(ctx context.Context, subject, text string) (SchemaID, error) {
	found, err := r.client.LookupSchema(ctx, subject, sr.Schema{Schema: compactJSON(text)})
	if isUnknown(err) {
		return 0, fmt.Errorf("the registry does not list the schema under %s: register it", subject)
	}
	if err != nil {
		return 0, registryError(err)
	}
	return SchemaID(found.ID), nil
}

func (r *remote) register(ctx context.Context, subject, text string) (SchemaID, error) {
	id, err := r.client.RegisterSchema(ctx, subject, sr.Schema{Schema: compactJSON(text)}, -1, -1)
	if err != nil {
		return 0, registryError(err)
	}
	for _, set := range r.client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
		if set.Err != nil {
			return 0, registryError(set.Err)
		}
	}
	return SchemaID(id), nil
}

func (r *remote) history(ctx context.Context, subject string) (History, error) {
	h := History{}
	for _, set := range r.client.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), subject) {
		if set.Err != nil && !isUnknown(set.Err) {
			return h, registryError(set.Err)
		}
		h.Level = set.Level.String()
	}
	listed, err := r.client.Schemas(ctx, subject)
	if err != nil && !isUnknown(err) {
		return h, registryError(err)
	}
	for _, s := range listed {
		h.Versions = append(h.Versions, Version{s.Version, SchemaID(s.ID), s.Schema.Schema})
	}
	return h, nil
}

// isUnknown reports whether the registry answered that it does not have something. A 404 without
// its error code is not that answer: the URL is wrong, and whole topics would become dead letters.
func isUnknown(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound &&
		(answer.ErrorCode == sr.ErrSubjectNotFound.Code ||
			answer.ErrorCode == sr.ErrVersionNotFound.Code ||
			answer.ErrorCode == sr.ErrSchemaNotFound.Code)
}

// schemaError is [registryError] for a request for a schema. One that is too large is refused, or
// its producer would stop its partition.
func schemaError(err error) error {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return &UndecodableError{ReasonSchemaRefused, fmt.Errorf("the registry's answer has more than %d bytes", maxAnswer)}
	}
	return registryError(err)
}

// registryError keeps the code of an answer and little of its text, which anyone may have written.
func registryError(err error) error {
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		return fmt.Errorf("registry answers %d (%d): %.200q", answer.StatusCode, answer.ErrorCode, answer.Error())
	}
	return fmt.Errorf("registry: %w", err)
}

// compactJSON removes the white space of a schema text, so that its layout makes no version.
func compactJSON(text string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return text
	}
	return b.String()
}
