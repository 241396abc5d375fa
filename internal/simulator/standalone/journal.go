package standalone

import (
	"encoding/json"
	"fmt"
	"net/http"

	"alipay-kafka-bridge/internal/simulator"
)

// writeJournal writes requests and executions as JSON lines, in the order of their arrival.
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
