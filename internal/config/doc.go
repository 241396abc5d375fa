// Package config reads the settings: one strict YAML file. It refuses what it does not know,
// reports all faults at once with their lines, takes secrets from files only, and never
// prints one. docs/settings.md, made from the types here, lists every key.
package config
