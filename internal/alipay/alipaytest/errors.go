package alipaytest

import (
	"encoding/json"

	"alipay-kafka-bridge/internal/alipay"
)

// ErrorTable is testdata/openapi/errors.json.
type ErrorTable struct {
	About     string
	MadeWith  string `json:"made_with"`
	Reactions map[string]string
	Defaults  []struct {
		Code, Why string
		Reaction  json.RawMessage // a word, or words by method
		Breaker   bool            `json:"breaker_failure"`
	}
	Codes []struct {
		Method      alipay.Method
		Code        string
		SubCode     *string `json:"sub_code"`
		Reaction    string
		Breaker     bool `json:"breaker_failure"`
		Origin, Why string
	}
	Transport []struct {
		Event, Reaction, Origin, Why string
		Method                       alipay.Method
		Breaker                      bool `json:"breaker_failure"`
	}
}

func (t ErrorTable) Methods(m alipay.Method) []alipay.Method {
	if m != "*" {
		return []alipay.Method{m}
	}
	var all []alipay.Method
	for _, r := range Classic() {
		all = append(all, r.Method())
	}
	return all
}
