// Package check finds what is wrong with a set-up, and says how to fix it: settings, keys and
// certificates, Kafka, ACLs, topics, schemas, gateways and the clock. It changes nothing and makes no
// Alipay call.
package check
