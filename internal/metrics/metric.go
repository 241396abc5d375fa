package metrics

import "strings"

// Kind is what a metric is.
type Kind uint8

// The kinds of metrics.
const (
	Counter   Kind = iota // only grows
	Gauge                 // is asked for at each scrape
	Histogram             // counts measurements in buckets
)

// String returns the word of the Prometheus exposition format.
func (k Kind) String() string {
	return [...]string{"counter", "gauge", "histogram"}[k]
}

// Label is one label of a metric, with the set of its values: what is not in the set becomes _other, so
// that nothing from outside can make series without end (security O5).
type Label struct {
	Name   string
	Help   string
	Values []string // nil: the settings have the set, or, where Free is set, the bridge itself
	Free   bool     // bounded by its nature: topics and partitions that are assigned

	Optional bool // "" means that the series does not have it
	Outlived bool // _other is there before the first event too: an order's account may have left the settings
	Number   bool // pushed as a number, as the semantic conventions want it
}

// Prometheus is the name in a scrape.
func (l Label) Prometheus() string { return strings.ReplaceAll(l.Name, ".", "_") }

// Other is the value of what is not in the set of a label. No name in the settings can be equal to it.
const Other = "_other"

// Metric is one metric of the table.
type Metric struct {
	Name    string // as OpenTelemetry names it, for instance bridge.event.age
	Kind    Kind
	Unit    string // UCUM: s, By, 1, or what is counted in braces
	Help    string
	Labels  []Label
	Buckets []float64 // of a histogram: upper bounds
	Zero    bool      // a counter that alerts read: every set of its labels is there at 0 before the first event
}

// Prometheus is the name in a scrape, without the suffixes of a histogram's series.
func (m *Metric) Prometheus() string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	suffix := map[string]string{"s": "seconds", "By": "bytes"}[m.Unit]
	if m.Unit == "1" && m.Kind == Gauge {
		suffix = "ratio"
	}
	if suffix != "" && !strings.HasSuffix(name, "_"+suffix) {
		name += "_" + suffix
	}
	if m.Kind == Counter {
		name += "_total"
	}
	return name
}

// LabelNames are the names of its labels in a scrape, in order.
func (m *Metric) LabelNames() []string {
	names := make([]string, len(m.Labels))
	for i, l := range m.Labels {
		names[i] = l.Prometheus()
	}
	return names
}
