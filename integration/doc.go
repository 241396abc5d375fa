// Package integration tests the bridge with servers that are not ours: a real Apache Kafka, a real
// schema registry, a real Jaeger, and a reader that shares no code with the bridge. Its tests have the build tag
// integration; kafka.sh and jaeger.sh start and stop the servers.
package integration
