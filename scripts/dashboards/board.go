package main

// board lays panels out in rows of three.
type board struct {
	panels []any
	x, y   int
	id     int
}

// Sizes on Grafana's grid of 24 columns.
const (
	panelWidth  = 8
	panelHeight = 8
	gridWidth   = 24
)

func (b *board) row(title string) {
	b.wrap()
	b.id++
	b.panels = append(b.panels, map[string]any{"id": b.id, "type": "row", "title": title, "collapsed": false, "gridPos": map[string]int{"x": 0, "y": b.y, "w": gridWidth, "h": 1}})
	b.y++
}

// wrap begins a new line if the last one has panels.
func (b *board) wrap() {
	if b.x > 0 {
		b.x, b.y = 0, b.y+panelHeight
	}
}

func (b *board) text(markdown string) {
	b.add("text", "", map[string]any{"options": map[string]any{"mode": "markdown", "content": markdown}})
}

func (b *board) stat(title, unit string, queries ...expr) {
	b.panel("stat", title, unit, map[string]any{}, queries)
}

func (b *board) lines(title, unit string, queries ...expr) {
	b.panel("timeseries", title, unit, map[string]any{}, queries)
}

func (b *board) stack(title, unit string, queries ...expr) {
	b.panel("timeseries", title, unit, map[string]any{"stacking": map[string]any{"mode": "normal", "group": "A"}, "fillOpacity": 30}, queries)
}

func (b *board) states(title string, queries ...expr) {
	b.panel("state-timeline", title, "", map[string]any{}, queries)
}

func (b *board) panel(kind, title, unit string, custom map[string]any, queries []expr) {
	targets := make([]any, len(queries))
	for i, q := range queries {
		targets[i] = map[string]any{"refId": string(rune('A' + i)), "expr": q.text, "legendFormat": q.legend, "datasource": source()}
	}
	b.add(kind, title, map[string]any{
		"targets": targets, "datasource": source(),
		"fieldConfig": map[string]any{"defaults": map[string]any{"unit": unitOf(unit), "custom": custom}, "overrides": []any{}},
	})
}

func (b *board) add(kind, title string, more map[string]any) {
	b.id++
	p := map[string]any{"id": b.id, "type": kind, "title": title, "gridPos": map[string]int{"x": b.x, "y": b.y, "w": panelWidth, "h": panelHeight}}
	for k, v := range more {
		p[k] = v
	}
	b.panels = append(b.panels, p)
	if b.x += panelWidth; b.x >= gridWidth {
		b.wrap()
	}
}

// unitOf is Grafana's name of a unit; what it does not know is written behind the number.
func unitOf(unit string) string {
	switch unit {
	case "s", "d", "bytes", "":
		return unit
	}
	return "suffix: " + unit
}

// source is the data source that whoever looks has chosen.
func source() any { return map[string]string{"type": "prometheus", "uid": "${source}"} }

func (b *board) json(uid, title string) any {
	return map[string]any{
		"uid": uid, "title": title, "tags": []string{"bridge"}, "schemaVersion": 39, "version": 1, "editable": true,
		"time": map[string]string{"from": "now-3h", "to": "now"}, "refresh": "30s", "panels": b.panels,
		"templating": map[string]any{"list": []any{map[string]any{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}}},
	}
}
