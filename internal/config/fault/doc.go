// Package fault collects the mistakes in a settings file, each with its line, its key and what to
// do. It also has the checks of single values that all settings share.
package fault
