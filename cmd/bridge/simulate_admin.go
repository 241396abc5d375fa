package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"alipay-kafka-bridge/internal/simulator"
)

// maxFaults bounds a list of faults.
const maxFaults = 1 << 20

// simulatorAdmin shows what the simulator remembers and lets it misbehave.
func simulatorAdmin(sim *simulator.Simulator) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) { writeJournal(w, sim.Journal()) })
	m.HandleFunc("GET /totals", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, sim.Totals()) })
	m.HandleFunc("GET /tally", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, sim.Tally(r.URL.Query().Get("order")))
	})
	m.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		faults, err := simulator.LoadFaults(http.MaxBytesReader(w, r.Body, maxFaults))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, f := range faults {
			sim.AddFault(f)
		}
		answerJSON(w, map[string]int{"added": len(faults)})
	})
	m.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		sim.ClearFaults()
		answerJSON(w, map[string]bool{"cleared": true})
	})
	return http.NewCrossOriginProtection().Handler(m) // a web page must not make it misbehave
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the reader went away
}

// writeJournal writes requests and executions as JSON lines, in the order in which they came.
func writeJournal(w http.ResponseWriter, j simulator.Journal) {
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Journal-Dropped", fmt.Sprint(j.Dropped))
	e := json.NewEncoder(w)
	executions := j.Executions
	for _, r := range j.Requests {
		for len(executions) > 0 && executions[0].Seq < r.Seq {
			_ = e.Encode(executionLine{"execution", executions[0]})
			executions = executions[1:]
		}
		_ = e.Encode(requestLine{"request", r})
	}
	for _, x := range executions {
		_ = e.Encode(executionLine{"execution", x})
	}
}

type requestLine struct {
	Kind string `json:"kind"`
	simulator.RequestEntry
}

type executionLine struct {
	Kind string `json:"kind"`
	simulator.ExecutionEntry
}
