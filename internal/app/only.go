package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config"
)

// partNotify is the part of a process that receives notifications.
const partNotify = "notify"

// signing are the parts that call Alipay.
var signing = []string{"calls", "queries"}

// Parts are what a process may run: the pipelines and the receiver of notifications.
func Parts() []string {
	var names []string
	for _, kind := range pipelineKinds() {
		if kind.part == "" {
			names = append(names, kind.name)
		}
	}
	return append(names, partNotify)
}

// PartList is which parts a process runs; none: all that the settings describe. It is the value of a flag.
type PartList []string

// Set reads a list of parts, separated by commas.
func (p *PartList) Set(list string) error {
	*p = nil
	if list == "" {
		return nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(Parts(), name) {
			return fmt.Errorf("%q is no part of the bridge; use some of %s, separated by commas", name, strings.Join(Parts(), ", "))
		}
	}
	*p = names
	return nil
}

// String is the list as Set reads it.
func (p *PartList) String() string { return strings.Join(*p, ",") }

// Type is what the list is called in a help text.
func (p *PartList) Type() string { return "parts" }

// Has reports whether the process runs a part, if the settings describe it.
func (p PartList) Has(name string) bool { return len(p) == 0 || slices.Contains(p, name) }

// Keyless reports whether the process never calls Alipay: it reads none of our keys and tokens there (security N1).
func (p PartList) Keyless() bool { return !slices.ContainsFunc(signing, p.Has) }

// runs reports whether a process runs a pipeline.
func (p PartList) runs(kind pipelineKind, c config.Config) bool {
	return p.Has(cmp.Or(kind.part, kind.name)) && len(kind.topics(c.Topics)) > 0
}

// Check returns an error where the settings describe none of the parts.
func (p PartList) Check(c config.Config) error {
	runs := func(kind pipelineKind) bool { return p.runs(kind, c) }
	if slices.ContainsFunc(pipelineKinds(), runs) || c.Notify.Listen != "" && p.Has(partNotify) {
		return nil
	}
	return fmt.Errorf("the settings describe nothing to run of %s; notify needs notify.listen, the others need input topics", strings.Join(p, ", "))
}
