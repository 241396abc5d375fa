// Package check finds what is wrong with a set-up, and says how to fix it: settings, keys and
// certificates, the machine, Kafka, ACLs, topics, schemas, gateways and the clock. It changes nothing, but
// for a file that it removes again, and makes no Alipay call.
package check
