// Package kafka is what the bridge needs of Kafka apart from consuming and producing: options of clients
// (TLS, SASL, OAuth), a memory budget for fetches, the topics of the contract, the ACLs that the bridge
// needs, and requests of an administrator.
package kafka
