package main

import (
	"fmt"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/metrics"
)

// Variables of dashboards: whoever looks chooses some values of these labels.
const (
	app     = "app"
	account = "account"
)

// expr is a query with the legend of its series.
type expr struct{ text, legend string }

// query builds expressions over one metric. A label that the metric does not have is a panic: the
// generator then writes nothing.
type query struct {
	m        *metrics.Metric
	matchers []string
	text     string
}

// of asks for a metric, of the apps and accounts that were chosen on the board if the metric has such labels. Their
// values are in single quotes: what is in double quotes, a drill expects in a scrape.
func (b *board) of(m *metrics.Metric) query {
	q := query{m: m}
	for _, v := range b.variables {
		if slices.Contains(m.LabelNames(), v) {
			q.matchers = append(q.matchers, v+"=~'$"+v+"'")
		}
	}
	return q.as("")
}

// where asks only for series with one of these values of a label.
func (q query) where(label string, values ...string) query { return q.match(label, "=~", values) }

// whereNot leaves such series out.
func (q query) whereNot(label string, values ...string) query { return q.match(label, "!~", values) }

func (q query) match(label, operator string, values []string) query {
	i := slices.IndexFunc(q.m.Labels, func(l metrics.Label) bool { return l.Prometheus() == label })
	if i < 0 {
		panic(q.m.Name + " has no label " + label)
	}
	for _, v := range values {
		if !slices.Contains(q.m.Labels[i].Values, v) {
			panic(fmt.Sprintf("%s: label %s has no value %s", q.m.Name, label, v))
		}
	}
	q.matchers = append(slices.Clone(q.matchers), fmt.Sprintf("%s%s%q", label, operator, strings.Join(values, "|")))
	return q.as("")
}

// as selects the series of the metric, or those of a histogram with a suffix.
func (q query) as(suffix string) query {
	q.text = q.m.Prometheus() + suffix
	if len(q.matchers) > 0 {
		q.text += "{" + strings.Join(q.matchers, ",") + "}"
	}
	return q
}

func (q query) over(function, time string) query {
	q.text = fmt.Sprintf("%s(%s[%s])", function, q.text, time)
	return q
}

func (q query) rate() query                { return q.over("rate", "5m") }
func (q query) increase(time string) query { return q.over("increase", time) }

func (q query) count() expr { return expr{fmt.Sprintf("count(%s)", q.text), "running"} }

func (q query) sum(labels ...string) expr { return q.by("sum", labels) }
func (q query) max(labels ...string) expr { return q.by("max", labels) }
func (q query) min(labels ...string) expr { return q.by("min", labels) }

func (q query) by(function string, labels []string) expr {
	legend := make([]string, len(labels))
	for i, l := range labels {
		if l != "instance" && !slices.Contains(q.m.LabelNames(), l) {
			panic(q.m.Name + " has no label " + l)
		}
		legend[i] = "{{" + l + "}}"
	}
	if len(labels) == 0 {
		return expr{fmt.Sprintf("%s(%s)", function, q.text), strings.ReplaceAll(q.m.Name, ".", " ")}
	}
	return expr{fmt.Sprintf("%s by (%s) (%s)", function, strings.Join(labels, ", "), q.text), strings.Join(legend, " ")}
}

func (e expr) sum() expr             { return expr{"sum(" + e.text + ")", "all"} }
func (e expr) dividedBy(o expr) expr { return expr{e.text + " / " + o.text, e.legend} }

// most are the series with the highest values.
func (e expr) most(n int) expr { return expr{fmt.Sprintf("topk(%d, %s)", n, e.text), e.legend} }

// appeared are the series of an expression that were not there some minutes ago.
func (q query) appeared(label string) expr {
	e := q.max(label)
	return expr{fmt.Sprintf("%s unless max by (%s) (%s offset 5m)", e.text, label, q.text), e.legend}
}

// histogram is one of the series of a histogram.
func (q query) histogram(suffix string) query {
	if q.m.Kind != metrics.Histogram {
		panic(q.m.Name + " is no histogram")
	}
	return q.as(suffix)
}

func (q query) quantile(share float64, labels ...string) expr {
	inner := q.histogram("_bucket").rate()
	by := strings.Join(append(slices.Clone(labels), "le"), ", ")
	return expr{fmt.Sprintf("histogram_quantile(%g, sum by (%s) (%s))", share, by, inner.text), strings.TrimSpace(fmt.Sprintf("%g of 100 %s", 100*share, legendOf(labels, inner.sum(labels...))))}
}

func legendOf(labels []string, e expr) string {
	if len(labels) == 0 {
		return ""
	}
	return e.legend
}

// buckets are how many measurements fell into each bucket, for a heat map.
func (q query) buckets() expr {
	return expr{fmt.Sprintf("sum by (le) (%s)", q.histogram("_bucket").increase("$__rate_interval").text), "{{le}}"}
}

func (q query) timePerSecond(labels ...string) expr { return q.histogram("_sum").rate().sum(labels...) }
func (q query) countRate(labels ...string) expr     { return q.histogram("_count").rate().sum(labels...) }
