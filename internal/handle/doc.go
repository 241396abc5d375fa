// Package handle is the path of one order event: read it, plan its call, call, resolve what is
// unknown, and make the records of its outcome.
package handle
