#!/usr/bin/env bash
# Creates the ACLs of everyone who works with the bridge's topics, under their default names.
#
# usage: acls.sh BOOTSTRAP ADMIN_PROPERTIES      for instance acls.sh kafka:9093 admin.properties
#
# Who      User:bridge            the instances: what `bridge check --acls` prints, but for every slot
#          User:bridge-installer  who runs `bridge topics create`
#          User:bridge-receiver   processes that only receive notifications: bridge run --only notify
#          User:bridge-operator   who runs `bridge tail`, `bridge send` to send an event again, and `bridge accept`
#                                 and `bridge erase`, which write to trade-observations
#          User:shop              a system that publishes order events; one user for each, with its own topic
#          User:shop-results      a system that reads results; its groups begin with its name
#
# No one else may write outputs and internal topics: whoever could would decide what counts as paid. With
# integrity.key_file, an observation also needs a seal with that key. users.yaml has the same for Strimzi.
#
# KAFKA_ACLS is the command of Kafka, kafka-acls.sh by default.
set -euo pipefail

[[ $# -eq 2 ]] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
readonly bootstrap=$1 properties=$2

# allow USER OPERATION PATTERN RESOURCES
allow() {
	local user=$1 operation=$2 pattern=$3
	shift 3
	"${KAFKA_ACLS:-kafka-acls.sh}" --bootstrap-server "$bootstrap" --command-config "$properties" --add \
		--allow-principal "User:$user" --operation "$operation" --resource-pattern-type "$pattern" "$@"
}

allow bridge Read literal --topic order-events --topic alipay-queries --topic alipay-results --topic bridge-journal --topic order-events.dlq --topic alipay-queries.dlq --topic trade-observations --topic bridge-sweep --topic trade-status --group alipay-kafka-bridge --group alipay-kafka-bridge-queries --group alipay-kafka-bridge-sweep --group alipay-kafka-bridge-status
allow bridge DescribeConfigs literal --topic order-events --topic alipay-queries
allow bridge Write literal --topic order-events.dlq --topic alipay-queries.dlq --topic alipay-results --topic alipay-snapshots --topic trade-observations --topic alipay-notifications --topic trade-status --topic bridge-sweep --topic bridge-journal
# The slots are the names of the pods, and their number changes.
allow bridge Write prefixed --transactional-id alipay-kafka-bridge-

# It joins no group and has no transactional id: an idempotent producer needs no more than Write.
allow bridge-receiver Write literal --topic trade-observations --topic alipay-notifications

allow bridge-installer Create literal --topic order-events --topic order-events.dlq --topic alipay-queries --topic alipay-queries.dlq --topic alipay-results --topic alipay-snapshots --topic trade-observations --topic alipay-notifications --topic trade-status --topic bridge-sweep --topic bridge-journal
allow bridge-installer Describe literal --topic order-events --topic order-events.dlq --topic alipay-queries --topic alipay-queries.dlq --topic alipay-results --topic alipay-snapshots --topic trade-observations --topic alipay-notifications --topic trade-status --topic bridge-sweep --topic bridge-journal

allow bridge-operator Read literal --topic order-events --topic order-events.dlq --topic alipay-queries --topic alipay-queries.dlq --topic alipay-results --topic alipay-snapshots --topic trade-observations --topic alipay-notifications --topic trade-status --topic bridge-sweep --topic bridge-journal
# bridge erase says until when each topic keeps the order.
allow bridge-operator DescribeConfigs literal --topic order-events --topic order-events.dlq --topic alipay-queries --topic alipay-queries.dlq --topic alipay-results --topic alipay-snapshots --topic trade-observations --topic alipay-notifications --topic trade-status --topic bridge-sweep --topic bridge-journal
allow bridge-operator Write literal --topic order-events --topic alipay-queries --topic trade-observations
allow bridge-operator Describe literal --group alipay-kafka-bridge --group alipay-kafka-bridge-queries --group alipay-kafka-bridge-sweep --group alipay-kafka-bridge-status

allow shop Write literal --topic order-events --topic alipay-queries

allow shop-results Read literal --topic alipay-results --topic alipay-snapshots --topic alipay-notifications --topic trade-status
allow shop-results Read prefixed --group shop-results
