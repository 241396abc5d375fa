#!/usr/bin/env bash
# Runs one Apache Kafka node and one schema registry on 127.0.0.1, to try the bridge and for the
# integration tests. Not for production: there is one copy of everything and no security, and stop
# deletes the data.
#
# usage: integration/kafka.sh COMMAND
#   get        download what is missing (Kafka, registry, Python packages), start nothing
#   start      start both unless they are running, and wait until they answer
#   stop       stop both and delete their data
#   status     print what is running; exit 1 unless both are
#   kill       kill the Kafka node (SIGKILL), keep its data
#   resume     start the Kafka node again with the data it had
#   tool NAME  Kafka's own tools: topics, console-consumer, consumer-groups, acls, get-offsets, ...
#   read ARGS  reader.py: topics as JSON lines, read_committed, through the registry
#   produce ARGS  producer.py: order events in another producer's schema
#
# With KAFKA_SECURE=FOLDER, start, stop and tool use one Kafka node, without a registry, that
# requires TLS with a client certificate, a user and ACLs. The folder must hold server.pem (key and
# certificate), ca.pem, admin.password and bridge.password; admin.properties for the tools is
# written to it. User admin may do everything, user bridge nothing.
#
# Environment: KAFKA_PORT (9092), KAFKA_CONTROLLER_PORT (KAFKA_PORT + 1), REGISTRY_PORT (8081),
# KAFKA_HEAP (256m), KAFKA_WAIT (seconds to wait for each server, 60). Downloads are kept by version
# in ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge; each pair of ports has its own folder there.
set -euo pipefail

readonly KAFKA_VERSION=4.3.1 REGISTRY_VERSION=3.0.9
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly port=${KAFKA_PORT:-9092} registry_port=${REGISTRY_PORT:-8081}
readonly controller_port=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
readonly patience=${KAFKA_WAIT:-60}
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
readonly kafka_home=$cache/kafka-$KAFKA_VERSION registry_home=$cache/apicurio-$REGISTRY_VERSION
readonly secure=${KAFKA_SECURE:-}
readonly state=$cache/run-$port-${secure:+secure-}$registry_port
readonly registry_url=http://127.0.0.1:$registry_port/apis/ccompat/v7
# These start quickly, and are fast enough for some thousand records per second.
readonly java_flags=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dbridge.state=$state")

say() { printf '%s\n' "$*" >&2; }
die() { say "kafka.sh: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is not installed; install $2"; }

# into DIR COMMAND: creates DIR from a temporary folder that COMMAND fills, so that an incomplete
# download never looks complete.
into() {
	local target=$1 fresh
	shift
	[[ -d $target ]] && return
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	"$@" "$fresh" || { rm -rf "$fresh"; die "download to $target failed; check the network and the messages above"; }
	mv -T "$fresh" "$target" 2>/dev/null || rm -rf "$fresh" # another process was faster
}

get_kafka() {
	say "downloading Apache Kafka $KAFKA_VERSION (55 MB)"
	mvn -B -q -Dstyle.color=never -f "$here/pom.xml" -Dkafka.version="$KAFKA_VERSION" dependency:copy-dependencies -DoutputDirectory="$1" >&2
}

# Version 2.8 of the plugin: newer ones need a parent POM that is not available.
get_registry() {
	say "downloading Apicurio Registry $REGISTRY_VERSION (109 MB)"
	local tar=$1/download
	mvn -B -q -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:copy \
		-Dartifact="io.apicurio:apicurio-registry-app:$REGISTRY_VERSION:tar.gz:all" -DoutputDirectory="$tar" >&2
	tar -xzf "$tar"/*.tar.gz -C "$1" && rm -r "$tar"
}

get_python() {
	say "installing the Python reader"
	python3 -m venv "$1" >&2 && "$1/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >&2
}

servers() {
	need java "a Java runtime, 17 or newer"
	need curl curl
	[[ -d $kafka_home && -d $registry_home ]] || need mvn "Maven 3"
	into "$kafka_home" get_kafka
	into "$registry_home" get_registry
}

# reader_venv finds or creates the Python environment. Its folder is named after a checksum of the
# requirements, so that a change creates a new one.
reader_venv() {
	need python3 "Python 3.9 or newer with venv"
	local sum
	sum=$(cksum <"$here/requirements.txt")
	venv=$cache/python-${sum%% *}
	into "$venv" get_python
}

# running NAME: succeeds if the process in the pid file is running and was started by this script.
running() {
	local pid
	pid=$(cat "$state/$1.pid" 2>/dev/null) || return 1
	ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "-Dbridge.state=$state"
}

# spawn NAME COMMAND: starts COMMAND in its own process group, so that Ctrl-C does not stop it.
spawn() {
	local name=$1
	shift
	(
		set -m
		nohup "$@" >"$state/$name.log" 2>&1 </dev/null &
		echo $! >"$state/$name.pid"
	)
}

# await NAME CHECK: waits until CHECK succeeds; fails if the process ends or the time is up. A process that has
# just been started is not yet the program that running looks for.
await() {
	local name=$1 begin=$SECONDS end=$((SECONDS + patience))
	shift
	until "$@"; do
		if ! running "$name" && ((SECONDS > begin + 2)) || ((SECONDS >= end)); then
			tail -n 20 "$state/$name.log" >&2
			die "$name did not start; see $state/$name.log"
		fi
		sleep 0.1
	done
}

kafka_ready() { grep -qsF 'Kafka Server started' "$state/kafka.log"; }
registry_ready() { curl -fsS --noproxy '*' -m 2 -o /dev/null "$registry_url/subjects" 2>/dev/null; }

end_process() {
	local name=$1 pid end=$((SECONDS + 20))
	running "$name" || { rm -f "$state/$name.pid"; return 0; }
	pid=$(cat "$state/$name.pid")
	kill "${2:--TERM}" "$pid"
	while running "$name"; do
		if ((SECONDS >= end)); then kill -KILL "$pid"; fi
		sleep 0.1
	done
	rm -f "$state/$name.pid"
}

must_be_free() {
	# Opening this file succeeds only if a process listens on the port.
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		die "port $1 is in use by another process; set $2 to another port"
	fi
}

# listeners of the open node.
listeners() {
	cat <<-END
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
	END
}

# secure_listeners of the node with KAFKA_SECURE. It accepts unsigned tokens, because there is no
# issuer here. Sessions end after a few seconds, so that clients read their secrets again.
secure_listeners() {
	local module=org.apache.kafka.common.security admin bridge
	admin=$(<"$secure/admin.password") bridge=$(<"$secure/bridge.password")
	cat <<-END
		listeners=SECURE://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
		advertised.listeners=SECURE://127.0.0.1:$port
		listener.security.protocol.map=SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
		inter.broker.listener.name=SECURE
		sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
		listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
		listener.name.secure.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_bridge="$bridge";
		listener.name.secure.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
		listener.name.secure.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required username="admin" password="$admin";
		listener.name.secure.scram-sha-512.connections.max.reauth.ms=5000
		listener.name.secure.oauthbearer.sasl.jaas.config=$module.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";
		listener.name.secure.ssl.client.auth=required
		ssl.keystore.type=PEM
		ssl.keystore.location=$secure/server.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$secure/ca.pem
		authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
		# Only the node itself uses the controller's listener, which has no users.
		super.users=User:admin;User:ANONYMOUS
	END
}

# tool_properties are the settings of Kafka's tools for the node with KAFKA_SECURE.
tool_properties() {
	cat <<-END
		security.protocol=SASL_SSL
		sasl.mechanism=SCRAM-SHA-512
		sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="$(<"$secure/admin.password")";
		ssl.keystore.type=PEM
		ssl.keystore.location=$secure/server.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$secure/ca.pem
	END
}

settings() {
	if [[ $secure ]]; then secure_listeners; else listeners; fi
	cat <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller_port
		controller.listener.names=CONTROLLER
		log.dirs=$state/data
		# One node: one copy of everything, and few partitions, which start faster.
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		# A killed node may register again once its session is over.
		broker.session.timeout.ms=3000
		broker.heartbeat.interval.ms=500
		# Lower than the default, for tests that kill members of a group.
		group.min.session.timeout.ms=1000
		# A misspelt topic is an error.
		auto.create.topics.enable=false
	END
}

start_node() {
	spawn kafka java "-Xmx${KAFKA_HEAP:-256m}" "${java_flags[@]}" -Dlog4j2.level=INFO \
		-cp "$kafka_home/*" kafka.Kafka "$state/server.properties"
}

start_kafka() {
	running kafka && return
	rm -rf "$state/data"
	(umask 077 && settings >"$state/server.properties")
	local users=() password
	if [[ $secure ]]; then
		(umask 077 && tool_properties >"$secure/admin.properties")
		password=$(<"$secure/bridge.password")
		users=(
			--add-scram "SCRAM-SHA-512=[name=admin,password=$(<"$secure/admin.password")]"
			--add-scram "SCRAM-SHA-512=[name=bridge,password=$password]"
			--add-scram "SCRAM-SHA-256=[name=bridge,password=$password]"
		)
	fi
	java -Xmx64m "${java_flags[@]}" -cp "$kafka_home/*" kafka.tools.StorageTool format \
		-t 4L6g3nShT-eMCtK--X86sw -c "$state/server.properties" "${users[@]}" >"$state/format.log" 2>&1 ||
		{ cat "$state/format.log" >&2; die "the data folder could not be formatted; see the messages above"; }
	start_node
}

start_registry() {
	running registry && return
	# With H2 in memory.
	spawn registry java -Xmx384m "${java_flags[@]}" \
		-Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$registry_port" \
		-jar "$registry_home/apicurio-registry-app-$REGISTRY_VERSION-runner.jar"
}

# start_secure starts the node with KAFKA_SECURE.
start_secure() {
	servers
	running kafka || { must_be_free "$port" KAFKA_PORT; must_be_free "$controller_port" KAFKA_CONTROLLER_PORT; }
	mkdir -p "$state"
	trap 'end_process kafka' EXIT
	start_kafka
	await kafka kafka_ready
	trap - EXIT
	say "Kafka     127.0.0.1:$port, secured"
}

start() {
	servers
	running kafka || { must_be_free "$port" KAFKA_PORT; must_be_free "$controller_port" KAFKA_CONTROLLER_PORT; }
	running registry || must_be_free "$registry_port" REGISTRY_PORT
	mkdir -p "$state"
	trap 'end_process kafka; end_process registry' EXIT # both or none
	start_registry
	start_kafka
	await kafka kafka_ready
	await registry registry_ready
	# Every version of a schema must be able to read the records of every other version.
	curl -fsS --noproxy '*' -m 10 -o /dev/null -X PUT -H 'Content-Type: application/vnd.schemaregistry.v1+json' \
		-d '{"compatibility":"FULL_TRANSITIVE"}' "$registry_url/config" || die "the registry did not accept the compatibility FULL_TRANSITIVE; see $state/registry.log"
	trap - EXIT
	say "Kafka     127.0.0.1:$port"
	say "registry  $registry_url"
	say "logs      $state/*.log"
	say "stop with ${KAFKA_PORT:+KAFKA_PORT=$port }${REGISTRY_PORT:+REGISTRY_PORT=$registry_port }integration/kafka.sh stop"
}

status() {
	local ok=0 name
	for name in kafka registry; do
		if running "$name"; then
			say "$name is running, pid $(cat "$state/$name.pid")"
		else
			say "$name is not running"
			ok=1
		fi
	done
	return $ok
}

stop() {
	end_process kafka
	end_process registry
	rm -rf "$state"
	say "stopped"
}

# tool NAME ARGS: runs kafka-NAME.sh of the distribution with the address of the node.
tool() {
	local class
	case ${1:-} in
	topics) class=org.apache.kafka.tools.TopicCommand ;;
	console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
	console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
	consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
	acls) class=org.apache.kafka.tools.AclCommand ;;
	get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
	delete-records) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
	transactions) class=org.apache.kafka.tools.TransactionsCommand ;;
	*) die "unknown tool '${1:-}'; use topics, console-consumer, console-producer, consumer-groups, acls, get-offsets, delete-records or transactions" ;;
	esac
	shift
	servers
	local as=()
	[[ $secure ]] && as=(--command-config "$secure/admin.properties")
	exec java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.level=ERROR -cp "$kafka_home/*" "$class" --bootstrap-server "127.0.0.1:$port" "${as[@]}" "$@"
}

main() {
	case ${1:-} in
	get) servers; reader_venv ;;
	start) if [[ $secure ]]; then start_secure; else start; fi ;;
	stop) stop ;;
	status) status ;;
	kill) end_process kafka -KILL ;;
	resume) running kafka || { [[ -d $state/data ]] || die "no data to resume with; use start"; start_node; await kafka kafka_ready; } ;;
	tool) shift; tool "$@" ;;
	read)
		shift
		reader_venv
		exec "$venv/bin/python" "$here/reader.py" --brokers "127.0.0.1:$port" --registry "$registry_url" "$@"
		;;
	produce)
		shift
		reader_venv
		exec "$venv/bin/python" "$here/producer.py" --brokers "127.0.0.1:$port" --registry "$registry_url" "$@"
		;;
	*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
}

main "$@"
