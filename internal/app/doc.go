// Package app turns settings into a running service. It connects the parts, runs the pipelines, and
// reloads keys, tokens and accounts while they run.
package app
