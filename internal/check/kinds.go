package check

import "slices"

// kind is a kind of finding: the part of the check that looks for it, and the word by which `bridge explain` knows it.
type kind struct{ part, id string }

var kinds []kind

func define(part, id string) kind {
	kinds = append(kinds, kind{part, id})
	return kinds[len(kinds)-1]
}

// All kinds, each with a row in docs/findings.md.
var (
	settingWrong    = define(partSettings, "setting_wrong")
	partsIncomplete = define(partSettings, "parts_incomplete")
	mappingWrong    = define(partSettings, "mapping_wrong")

	connectionFiles = define(partKeys, "connection_files")
	keyUnusable     = define(partKeys, "key_unusable")

	notYetValid = define(partCertificates, "not_yet_valid")
	expired     = define(partCertificates, "expired")
	expiresSoon = define(partCertificates, "expires_soon")

	statusFolder = define(partHost, "status_folder")
	notifyPort   = define(partHost, "notify_port")

	kafkaUnreachable  = define(partKafka, "kafka_unreachable")
	otherCluster      = define(partKafka, "other_cluster")
	noTransactions    = define(partKafka, "no_transactions")
	noStart           = define(partKafka, "no_start")
	positionNotOurs   = define(partKafka, "position_not_ours")
	recordsDeleted    = define(partKafka, "records_deleted")
	positionBeyondEnd = define(partKafka, "position_beyond_end")
	nothingCommitted  = define(partKafka, "nothing_committed")
	brokerConfig      = define(partKafka, "broker_config")
	kafkaRefuses      = define(partKafka, "kafka_refuses")

	aclMissing      = define(partACLs, "acl_missing")
	aclTooWide      = define(partACLs, "acl_too_wide")
	topicUnguarded  = define(partACLs, "topic_unguarded")
	noAuthorizer    = define(partACLs, "no_authorizer")
	kafkaHidesACLs  = define(partACLs, "kafka_refuses")
	kafkaHidesTopic = define(partTopics, "kafka_refuses")

	topicMissing    = define(partTopics, "topic_missing")
	topicPartitions = define(partTopics, "topic_partitions")
	topicReplicas   = define(partTopics, "topic_replicas")
	topicPair       = define(partTopics, "topic_pair")
	topicConfig     = define(partTopics, "topic_config")

	registryUnreachable = define(partSchemas, "registry_unreachable")
	schemaDiffers       = define(partSchemas, "schema_differs")
	schemaMissing       = define(partSchemas, "schema_missing")

	gatewayUnreachable = define(partGateways, "gateway_unreachable")
	clockWrong         = define(partClock, "clock_wrong")
)

// IDs are the words of all findings, sorted.
func IDs() []string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.id)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
