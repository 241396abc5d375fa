// Package docs holds the pages that `bridge explain` prints.
package docs

import "embed"

// Pages are the reference pages and the runbooks.
//
//go:embed codes.md consumers.md findings.md metrics.md reasons.md runbooks.md settings.md
var Pages embed.FS
