// Package standalone runs the simulator as a process of its own: the folder with its keys and settings,
// the admin port, the state file, and TLS.
package standalone
