// Package avro turns Kafka values into records and back: Confluent frames, the schema
// registry or a folder of schemas, Avro bytes, and plain JSON for people. It does
// not know events or results, only names and values.
package avro
