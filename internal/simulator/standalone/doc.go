// Package standalone runs the simulator as a process: the folder with its keys and settings, the admin
// port, the state file, and TLS.
package standalone
