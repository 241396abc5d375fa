package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"alipay-kafka-bridge/internal/metrics"
)

// TestDashboardsAreUpToDate: the files are what the generator writes.
func TestDashboardsAreUpToDate(t *testing.T) {
	for name, d := range all() {
		want, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../../deploy/grafana/" + name + ".json")
		if err != nil || !bytes.Equal(bytes.TrimSpace(got), want) {
			t.Errorf("deploy/grafana/%s.json is not what the generator writes (%v); run make dashboards", name, err)
		}
	}
}

// TestEveryMetricIsOnADashboard: what is measured can be looked at.
func TestEveryMetricIsOnADashboard(t *testing.T) {
	text, err := json.Marshal(all())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := map[string]string{
		metrics.Stalled.Name:            "an alert",
		metrics.StatusStoreEmptied.Name: "an alert",
	}
	for _, m := range metrics.All() {
		shown := regexp.MustCompile(`\b` + m.Prometheus() + `(_bucket|_sum|_count)?\b`).Match(text)
		if _, known := elsewhere[m.Name]; shown == known {
			t.Errorf("%s: on a dashboard %v, listed as elsewhere %v", m.Prometheus(), shown, known)
		}
	}
}
