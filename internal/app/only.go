package app

import (
	"fmt"
	"slices"
	"strings"
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

// parts are the parts that a process runs; none: all that the settings describe.
type parts []string

// ParseParts reads a list of parts, separated by commas.
func ParseParts(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(Parts(), name) {
			return nil, fmt.Errorf("%q is no part of the bridge; use some of %s, separated by commas", name, strings.Join(Parts(), ", "))
		}
	}
	return names, nil
}

// has reports whether the process runs a part, if the settings describe it.
func (p parts) has(name string) bool { return len(p) == 0 || slices.Contains(p, name) }

// keyless reports whether the process never calls Alipay: it reads none of our keys and tokens there (security N1).
func (p parts) keyless() bool { return !slices.ContainsFunc(signing, p.has) }

// errNothing is returned where the settings describe none of the parts.
func (p parts) errNothing() error {
	return fmt.Errorf("the settings describe nothing to run of %s; notify needs notify.listen, the others need input topics", strings.Join(p, ", "))
}
