package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"alipay-kafka-bridge/docs/reference/cli"
)

// field is a field of JSON.
type field struct{ Path, Type, About string }

// node is the part of a JSON schema that says what fields mean.
type node struct {
	Ref         string          `json:"$ref"`
	Type        types           `json:"type"`
	Format      string          `json:"format"`
	Description string          `json:"description"`
	Properties  map[string]node `json:"properties"`
	Values      *node           `json:"additionalProperties"`
	Items       *node           `json:"items"`
	AnyOf       []node          `json:"anyOf"`
	Defs        map[string]node `json:"$defs"`
}

// types are what a value may be.
type types []string

func (t *types) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// fieldsOf lists the fields of a schema in docs/reference/cli.
func fieldsOf(schema string) ([]field, error) {
	text, err := cli.Schemas.ReadFile(schema + ".schema.json")
	if err != nil {
		return nil, err
	}
	var top node
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("%s.schema.json: %w", schema, err)
	}
	var all []field
	top.walk(top.Defs, "", nil, &all)
	return all, nil
}

// walk adds the fields of a node. Within lists the types that it is in: one may have itself as a part.
func (n node) walk(defs map[string]node, path string, within []string, all *[]field) {
	about := n.Description
	if name := strings.TrimPrefix(n.Ref, "#/$defs/"); n.Ref != "" {
		n = defs[name]
		if slices.Contains(within, name) {
			*all = append(*all, field{path, "object", about + " (as above)"})
			return
		}
		within = append(within, name)
	}
	if path != "" && n.Properties == nil {
		kind := strings.Join(n.Type, " or ")
		if n.Format == "date-time" {
			kind = "time"
		}
		*all = append(*all, field{strings.TrimPrefix(path, "."), kind, about})
	}
	switch {
	case n.Items != nil:
		n.Items.walk(defs, path+"[]", within, all)
	case n.Values != nil && n.Values.Properties != nil:
		n.Values.walk(defs, path+".*", within, all)
	}
	for _, alternative := range n.AnyOf {
		alternative.walk(defs, path, within, all)
	}
	names := make([]string, 0, len(n.Properties))
	for name := range n.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n.Properties[name].walk(defs, path+"."+name, within, all)
	}
}
