// Package config reads the settings: one strict YAML file. It refuses what it does not know,
// reports all faults at once with their lines, takes secrets from files only, and never
// prints one. docs/DESIGN.md, "Settings", says what belongs to an app and what to an account.
package config
