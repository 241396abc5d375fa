// Package cli holds the contract of what commands print as JSON: one schema for each command.
package cli

import "embed"

// Schemas are files NAME.schema.json.
//
//go:embed *.schema.json
var Schemas embed.FS
