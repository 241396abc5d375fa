// Package integration tries the bridge against servers that are not ours: a real Apache Kafka,
// a real schema registry, and a reader that shares no code with us. Its tests have the build
// tag integration; kafka.sh starts and stops the servers.
package integration
