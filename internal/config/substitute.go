package config

import (
	"fmt"
	"regexp"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// reference is ${NAME} in a string value.
var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// substitute replaces each ${NAME} once. It works on values after YAML was parsed, so that a value of
// the environment never becomes structure, and is not substituted again (security Y1).
func substitute(text string, env func(string) (string, bool)) (string, error) {
	if strings.Contains(reference.ReplaceAllString(text, ""), "${") {
		return "", fmt.Errorf("%s has a ${ without a valid name; use ${NAME}, with letters, digits and _", fault.Quote(text))
	}
	var missing []string
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := ref[2 : len(ref)-1]
		value, ok := env(name)
		if !ok {
			missing = append(missing, name)
		}
		return value
	})
	if missing != nil {
		return "", fmt.Errorf("the environment variable %s is not set; set it, or write the value here", strings.Join(missing, ", "))
	}
	return out, nil
}
