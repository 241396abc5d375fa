package metrics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// scope names the bridge's own metrics.
const scope = "alipay-kafka-bridge"

// Options configure a [Set].
type Options struct {
	Resource *resource.Resource  // of what is pushed; nil: the SDK's default
	Push     []sdkmetric.Reader  // readers that push, apart from the scrape
	Values   map[string][]string // the sets of labels that come from the settings, by the label's name and, where one name has several sets, metric/label
}

// Set is the instruments of one process. It may be used by many goroutines.
type Set struct {
	provider *sdkmetric.MeterProvider
	registry *prometheus.Registry
	values   map[string][]string

	counters   map[*Metric]metric.Float64Counter
	histograms map[*Metric]metric.Float64Histogram
	gauges     map[*Metric]metric.Float64ObservableGauge
	sets       sync.Map // seriesKey: attribute.Set; bounded by the sets of labels

	mu       sync.Mutex
	observes []func(*Observer) // guarded by mu
}

// seriesKey is one series of a counter or histogram.
type seriesKey struct {
	m      *Metric
	labels [maxLabels]string
}

// maxLabels is the highest number of labels of a metric.
const maxLabels = 5

// New makes the instruments of the whole table, and every series at 0 that an alert reads.
func New(o Options) (*Set, error) {
	s := &Set{
		registry: prometheus.NewRegistry(), values: o.Values,
		counters: map[*Metric]metric.Float64Counter{}, histograms: map[*Metric]metric.Float64Histogram{}, gauges: map[*Metric]metric.Float64ObservableGauge{},
	}
	exporter, err := otelprom.New(otelprom.WithRegisterer(s.registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options := []sdkmetric.Option{
		sdkmetric.WithReader(exporter),
		sdkmetric.WithCardinalityLimit(0), // the sets of the labels bound the series; the SDK's own limit would hide some
	}
	if o.Resource != nil {
		options = append(options, sdkmetric.WithResource(o.Resource))
	}
	for _, r := range o.Push {
		options = append(options, sdkmetric.WithReader(r))
	}
	s.provider = sdkmetric.NewMeterProvider(options...)
	if err := s.build(); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return s, nil
}

// Stop pushes the last values, where values are pushed. It must be called last; after it, there are no scrapes.
func (s *Set) Stop(ctx context.Context) error { return s.provider.Shutdown(ctx) }

// Flush pushes the values of this moment; it is for tests.
func (s *Set) Flush(ctx context.Context) error { return s.provider.ForceFlush(ctx) }

func (s *Set) build() error {
	meter := s.provider.Meter(scope)
	var observed []metric.Observable
	for _, m := range All() {
		var err error
		switch m.Kind {
		case Counter:
			s.counters[m], err = meter.Float64Counter(m.Name, metric.WithDescription(m.Help), metric.WithUnit(m.Unit))
		case Histogram:
			s.histograms[m], err = meter.Float64Histogram(m.Name, metric.WithDescription(m.Help), metric.WithUnit(m.Unit), metric.WithExplicitBucketBoundaries(m.Buckets...))
		case Gauge:
			s.gauges[m], err = meter.Float64ObservableGauge(m.Name, metric.WithDescription(m.Help), metric.WithUnit(m.Unit))
			observed = append(observed, s.gauges[m])
		}
		if err != nil {
			return err
		}
		if m.Zero {
			s.zero(m, nil)
		}
	}
	_, err := meter.RegisterCallback(s.observe, observed...)
	return err
}

// zero adds 0 to every series of a counter.
func (s *Set) zero(m *Metric, labels []string) {
	if len(labels) == len(m.Labels) {
		s.Add(context.Background(), m, 0, labels...)
		return
	}
	if m.Labels[len(labels)].Optional {
		s.zero(m, append(slices.Clone(labels), ""))
	}
	for _, v := range s.valuesOf(m, len(labels)) {
		s.zero(m, append(slices.Clone(labels), v))
	}
	if m.Labels[len(labels)].Outlived {
		s.zero(m, append(slices.Clone(labels), Other))
	}
}

// valuesOf are the values that a label may have.
func (s *Set) valuesOf(m *Metric, i int) []string {
	l := m.Labels[i]
	if l.Values != nil {
		return l.Values
	}
	if v, ok := s.values[m.Name+"/"+l.Name]; ok {
		return v
	}
	return s.values[l.Name]
}

// Add adds to a counter. labels are its labels' values in the order of the table.
func (s *Set) Add(ctx context.Context, m *Metric, n float64, labels ...string) {
	if s == nil {
		return
	}
	s.counters[m].Add(ctx, n, metric.WithAttributeSet(s.set(m, labels)))
}

// Record adds a measurement to a histogram. If ctx has a sampled span, it becomes an exemplar.
func (s *Set) Record(ctx context.Context, m *Metric, v float64, labels ...string) {
	if s == nil {
		return
	}
	s.histograms[m].Record(ctx, v, metric.WithAttributeSet(s.set(m, labels)))
}

// bound returns the value of a label; what is not in the set of the label is _other.
func (s *Set) bound(m *Metric, i int, v string) string {
	l := &m.Labels[i]
	if l.Free || l.Optional && v == "" || slices.Contains(s.valuesOf(m, i), v) {
		return v
	}
	return Other
}

// set returns the labels of a series.
func (s *Set) set(m *Metric, labels []string) attribute.Set {
	key := seriesKey{m: m}
	for i, v := range labels {
		key.labels[i] = s.bound(m, i, v)
	}
	if found, ok := s.sets.Load(key); ok {
		return found.(attribute.Set)
	}
	made := s.make(m, key.labels[:len(labels)])
	s.sets.Store(key, made)
	return made
}

func (s *Set) make(m *Metric, labels []string) attribute.Set {
	kvs := make([]attribute.KeyValue, 0, len(labels))
	for i, v := range labels {
		l := m.Labels[i]
		if l.Optional && v == "" {
			continue
		}
		kv := attribute.String(l.Name, v)
		if n, err := strconv.Atoi(v); l.Number && err == nil {
			kv = attribute.Int(l.Name, n)
		}
		kvs = append(kvs, kv)
	}
	return attribute.NewSet(kvs...)
}

// Observe registers a function that gives the values of gauges at each scrape. It must not block.
func (s *Set) Observe(f func(*Observer)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observes = append(s.observes, f)
}

// Observer takes the values of gauges at one moment.
type Observer struct {
	set  *Set
	to   metric.Observer
	most map[seriesKey]float64 // of Max
}

// Gauge gives the value of one series. labels are its labels' values in the order of the table.
func (o *Observer) Gauge(m *Metric, v float64, labels ...string) {
	bounded := make([]string, len(labels))
	for i, l := range labels {
		bounded[i] = o.set.bound(m, i, l)
	}
	o.to.ObserveFloat64(o.set.gauges[m], v, metric.WithAttributeSet(o.set.make(m, bounded)))
}

// Max gives the value of one series that several may give: the highest counts.
func (o *Observer) Max(m *Metric, v float64, labels ...string) {
	key := seriesKey{m: m}
	for i, l := range labels {
		key.labels[i] = o.set.bound(m, i, l)
	}
	if most, known := o.most[key]; !known || v > most {
		o.most[key] = v
	}
}

// State is 1 where something is true.
func State(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (s *Set) observe(_ context.Context, to metric.Observer) error {
	s.mu.Lock()
	all := slices.Clone(s.observes)
	s.mu.Unlock()
	o := &Observer{s, to, map[seriesKey]float64{}}
	for _, f := range all {
		f(o)
	}
	for key, v := range o.most {
		o.Gauge(key.m, v, key.labels[:len(key.m.Labels)]...)
	}
	return nil
}

// maxScrapes is how many scrapes run at a time; more get 503.
const maxScrapes = 4

// Handler serves the metrics in the formats of Prometheus: with exemplars where the client asks for
// OpenMetrics.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
}

// Gatherer is for tests.
func (s *Set) Gatherer() prometheus.Gatherer { return s.registry }
