package main

import "alipay-kafka-bridge/internal/metrics"

// board lays panels out in rows of three.
type board struct {
	variables []string // labels whose values can be chosen
	panels    []any
	x, y      int
	id        int
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

// heat is a heat map of the buckets of a histogram in seconds.
func (b *board) heat(title string, q expr) {
	b.panel("heatmap", title, "", map[string]any{}, []expr{q})
	p := b.last()
	p["targets"].([]any)[0].(map[string]any)["format"] = "heatmap"
	p["options"] = map[string]any{"calculate": false, "yAxis": map[string]any{"unit": "s"}, "color": map[string]any{"mode": "scheme", "scheme": "Oranges"}, "tooltip": map[string]any{"mode": "single", "yHistogram": true}}
}

// table lists the series of a moment, the highest value first, without some columns.
func (b *board) table(title, unit string, q expr, without ...string) {
	b.panel("table", title, unit, map[string]any{}, []expr{q})
	hidden := map[string]bool{}
	for _, column := range without {
		hidden[column] = true
	}
	p := b.last()
	target := p["targets"].([]any)[0].(map[string]any)
	target["format"], target["instant"] = "table", true
	p["options"] = map[string]any{"showHeader": true, "sortBy": []any{map[string]any{"displayName": "Value", "desc": true}}}
	p["transformations"] = []any{map[string]any{"id": "organize", "options": map[string]any{"excludeByName": hidden}}}
}

// link makes the cells of a column of the last table lead to a dashboard, with their value as its variable.
func (b *board) link(column, uid string) {
	url := "/d/" + uid + "?var-" + column + "=${__value.text}&${__url_time_range}"
	b.override(column, map[string]any{"id": "links", "value": []any{map[string]any{"title": "Calls of ${__value.text}", "url": url}}})
}

// unstacked draws one series of the last panel over the stack of the others.
func (b *board) unstacked(series string) {
	b.override(series, map[string]any{"id": "custom.stacking", "value": map[string]any{"mode": "none", "group": "A"}}, map[string]any{"id": "custom.fillOpacity", "value": 0})
}

// override changes how the last panel shows one field.
func (b *board) override(field string, properties ...any) {
	config := b.last()["fieldConfig"].(map[string]any)
	config["overrides"] = append(config["overrides"].([]any), map[string]any{"matcher": map[string]any{"id": "byName", "options": field}, "properties": properties})
}

func (b *board) last() map[string]any { return b.panels[len(b.panels)-1].(map[string]any) }

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
	case "s", "d", "bytes", "percentunit", "":
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
		"templating": map[string]any{"list": b.templating()}, "annotations": map[string]any{"list": annotations()},
		"links": []any{map[string]any{"title": "Bridge", "type": "dashboards", "tags": []string{"bridge"}, "asDropdown": true, "includeVars": true, "keepTime": true}},
	}
}

// templating are the data source, and the variables of the board with the values that a counter has from the start.
func (b *board) templating() []any {
	list := []any{map[string]any{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}}
	for _, name := range b.variables {
		values := "label_values(" + map[string]query{app: new(board).of(&metrics.Attempts), account: new(board).of(&metrics.Results)}[name].text + ", " + name + ")"
		list = append(list, map[string]any{
			"name": name, "label": name, "type": "query", "datasource": source(), "query": values, "definition": values, "refresh": 2, "sort": 1,
			"multi": true, "includeAll": true, "allValue": ".*", "current": map[string]any{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
		})
	}
	return list
}

// annotations mark what may explain a change of a curve: other binaries and settings, and partitions that move.
func annotations() []any {
	var all board
	var list []any
	for _, a := range []struct {
		name, color, title string
		query              expr
	}{
		{"Versions", "blue", "Version {{version}} runs", all.of(&metrics.BuildInfo).appeared("version")},
		{"Settings", "purple", "Settings {{hash}} are in force", all.of(&metrics.ConfigInfo).appeared("hash")},
		{"Assignments", "orange", "Partitions of {{pipeline}} moved", expr{all.of(&metrics.Rebalances).increase("2m").sum("pipeline").text + " > 0", ""}},
	} {
		list = append(list, map[string]any{"name": a.name, "datasource": source(), "enable": true, "iconColor": a.color, "expr": a.query.text, "step": "60s", "titleFormat": a.title})
	}
	return list
}
