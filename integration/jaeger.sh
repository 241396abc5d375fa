#!/usr/bin/env bash
# Runs one Jaeger v2 on 127.0.0.1, with traces in memory, to look at the traces of the bridge and
# for the integration tests. Not for production: stop deletes the traces.
#
# Jaeger is built from its Go module, which needs only Go, 3 to 6 minutes and 2.2 GB of memory with
# two processors, once. The module has no web pages: traces are read through the query API. For the
# pages, run Jaeger's container image instead (docs/howto/read-a-trace.md).
#
# usage: integration/jaeger.sh COMMAND
#   get        build Jaeger unless it is built, and print the path of the binary
#   start      start it unless it is running, and wait until it answers
#   stop       stop it and delete its traces
#   status     print whether it is running; exit 1 unless it is
#   check FILE start Jaeger, which is an OpenTelemetry collector, with the settings in FILE for a
#              moment; exit 1 if it refuses them
#
# Environment: JAEGER_QUERY_PORT (16686), JAEGER_GRPC_PORT (4317), JAEGER_HTTP_PORT (4318),
# JAEGER_WAIT (seconds to wait for an answer, 30). The binary is kept by version in
# ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge; each query port has its own folder there.
set -euo pipefail

readonly JAEGER_VERSION=1.76.0 # the tree of this module also holds v2, as cmd/jaeger
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly query_port=${JAEGER_QUERY_PORT:-16686} grpc_port=${JAEGER_GRPC_PORT:-4317} http_port=${JAEGER_HTTP_PORT:-4318}
readonly patience=${JAEGER_WAIT:-30}
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
readonly home=$cache/jaeger-$JAEGER_VERSION
readonly binary=$home/jaeger state=$cache/run-jaeger-$query_port

say() { printf '%s\n' "$*" >&2; }
die() { say "jaeger.sh: $*"; exit 1; }

# get builds the binary. The module is copied because go install refuses a module with a replace
# directive, and because the module cache is read-only.
get() {
	[[ -x $binary ]] && return
	command -v go >/dev/null || die "go is not installed; install Go"
	local source fresh
	mkdir -p "$cache"
	# From an empty folder, so that no go.mod is touched.
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	trap 'chmod -R u+w "$fresh"; rm -rf "$fresh"' EXIT
	say "building Jaeger $JAEGER_VERSION (some minutes, once)"
	(cd "$fresh" && go mod download "github.com/jaegertracing/jaeger@v$JAEGER_VERSION") >&2 ||
		die "the module could not be downloaded; check the network and the messages above"
	source=$(go env GOMODCACHE)/github.com/jaegertracing/jaeger@v$JAEGER_VERSION
	cp -R "$source" "$fresh/tree" && chmod -R u+w "$fresh/tree"
	mkdir "$fresh/home"
	(cd "$fresh/tree" && go build -trimpath -ldflags='-s -w' -o "$fresh/home/jaeger" ./cmd/jaeger) >&2 ||
		die "Jaeger could not be built; see the messages above"
	mv -T "$fresh/home" "$home" 2>/dev/null || [[ -x $binary ]] # another process was faster
	chmod -R u+w "$fresh"
	rm -rf "$fresh"
	trap - EXIT
}

# running succeeds if the process in the pid file is running and was started by this script.
running() {
	local pid
	pid=$(cat "$state/jaeger.pid" 2>/dev/null) || return 1
	ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "$state/jaeger.yaml"
}

must_be_free() {
	# Opening this file succeeds only if a process listens on the port.
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		die "port $1 is in use by another process; set $2 to another port"
	fi
}

settings() {
	cat <<-END
		service:
		  extensions: [jaeger_storage, jaeger_query]
		  pipelines:
		    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
		  telemetry:
		    metrics: {level: none}
		extensions:
		  jaeger_storage:
		    backends:
		      memory: {memory: {max_traces: 100000}}
		  jaeger_query:
		    storage: {traces: memory}
		    http: {endpoint: "127.0.0.1:$query_port"}
		    grpc: {endpoint: "127.0.0.1:0"}
		receivers:
		  otlp:
		    protocols:
		      grpc: {endpoint: "127.0.0.1:$grpc_port"}
		      http: {endpoint: "127.0.0.1:$http_port"}
		exporters:
		  jaeger_storage_exporter: {trace_storage: memory}
	END
}

ready() { curl -fsS --noproxy '*' -m 2 -o /dev/null "http://127.0.0.1:$query_port/api/services" 2>/dev/null; }

start() {
	command -v curl >/dev/null || die "curl is not installed; install curl"
	get
	if ! running; then
		must_be_free "$query_port" JAEGER_QUERY_PORT
		must_be_free "$grpc_port" JAEGER_GRPC_PORT
		must_be_free "$http_port" JAEGER_HTTP_PORT
		mkdir -p "$state"
		settings >"$state/jaeger.yaml"
		# In its own process group, so that Ctrl-C does not stop it.
		(
			set -m
			nohup "$binary" --config "$state/jaeger.yaml" >"$state/jaeger.log" 2>&1 </dev/null &
			echo $! >"$state/jaeger.pid"
		)
	fi
	# A process that has just been started is not yet the program that running looks for.
	local begin=$SECONDS end=$((SECONDS + patience))
	until ready; do
		if ! running && ((SECONDS > begin + 2)) || ((SECONDS >= end)); then
			tail -n 20 "$state/jaeger.log" >&2
			end_process
			die "Jaeger did not start; see $state/jaeger.log"
		fi
		sleep 0.1
	done
	say "OTLP      127.0.0.1:$grpc_port (grpc), http://127.0.0.1:$http_port (http/protobuf)"
	say "queries   http://127.0.0.1:$query_port/api/traces?service=SERVICE"
	say "log       $state/jaeger.log"
	say "stop with ${JAEGER_QUERY_PORT:+JAEGER_QUERY_PORT=$query_port }integration/jaeger.sh stop"
}

end_process() {
	local pid end=$((SECONDS + 20))
	if running; then
		pid=$(cat "$state/jaeger.pid")
		kill "$pid"
		while running; do
			if ((SECONDS >= end)); then kill -KILL "$pid"; fi
			sleep 0.1
		done
	fi
	rm -f "$state/jaeger.pid"
}

stop() {
	end_process
	rm -rf "$state"
	say "stopped"
}

status() {
	running || { say "jaeger is not running"; return 1; }
	say "jaeger is running, pid $(cat "$state/jaeger.pid")"
}

# check FILE: a collector that refuses its settings ends at once.
check() {
	[[ -r ${1:-} ]] || die "no file to check; say which one"
	get
	local log pid end=$((SECONDS + patience)) ok=0
	log=$(mktemp)
	"$binary" --config "$1" >"$log" 2>&1 </dev/null &
	pid=$!
	until grep -qsF 'Everything is ready' "$log"; do
		if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= end)); then
			tail -n 20 "$log" >&2
			ok=1
			break
		fi
		sleep 0.1
	done
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm -f "$log"
	((ok == 0)) || die "the collector did not start with $1; see the messages above"
	say "the collector starts with $1"
}

main() {
	case ${1:-} in
	get) get; echo "$binary" ;;
	start) start ;;
	stop) stop ;;
	status) status ;;
	check) shift; check "$@" ;;
	*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
}

main "$@"
