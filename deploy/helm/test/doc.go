// Package test tests what deploy ships: the Helm chart, the settings of Compose, and the topics and
// ACLs. It is a module of its own, so that Helm and what it needs stay out of the bridge.
package test
