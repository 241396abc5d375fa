// Package sight watches the parts of a process from outside: it wraps the clients of accounts and the
// transactors of engines, takes what breakers and engines report, and makes metrics of it. It decides
// nothing: without it everything works alike.
package sight
