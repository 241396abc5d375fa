#!/usr/bin/env bash
# Runs one Prometheus and one Alertmanager on 127.0.0.1, to look at the metrics and alerts of the
# bridge and for the integration tests. Not for production: stop deletes what was scraped.
#
# Both are built from their Go modules, which needs only Go: about 5 minutes with two processors, 1.2 GB
# of modules and 1.4 GB of Go's build cache, once; the binaries are 90 MB. After promtool
# (deploy/prometheus/check.sh) it is a minute, because most packages are the same. Neither has its web
# pages, which are not in the modules: ask the APIs, or run the container images for the pages.
#
# usage: integration/prometheus.sh COMMAND
#   get        build both unless they are built, and print the folder of the binaries
#   start      start both unless they are running, and wait until they are ready
#   reload     make both read their settings again
#   stop       stop both and delete their data
#   status     print whether they are running; exit 1 unless both are
#
# Environment: PROMETHEUS_PORT (9090), ALERTMANAGER_PORT (9093), PROMETHEUS_TARGETS (the addresses
# to scrape, 127.0.0.1:9464), PROMETHEUS_RULES (deploy/prometheus/alerts.yaml), PROMETHEUS_INTERVAL
# (between scrapes and between evaluations, 15s), PROMETHEUS_WAIT (seconds to wait for an answer,
# 60). The binaries are kept by version in ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge; each
# port of Prometheus has its own folder there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly deploy=$here/../deploy/prometheus
PROMETHEUS_VERSION=$(sed -n 's/^readonly VERSION=\(v[0-9.]*\).*/\1/p' "$deploy/check.sh") # as promtool
readonly PROMETHEUS_VERSION
readonly ALERTMANAGER_VERSION=v0.35.0
readonly port=${PROMETHEUS_PORT:-9090} alertmanager_port=${ALERTMANAGER_PORT:-9093}
readonly interval=${PROMETHEUS_INTERVAL:-15s} patience=${PROMETHEUS_WAIT:-60}
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
readonly home=$cache/prometheus-$PROMETHEUS_VERSION-$ALERTMANAGER_VERSION state=$cache/run-prometheus-$port

say() { printf '%s\n' "$*" >&2; }
die() { say "prometheus.sh: $*"; exit 1; }

# get builds in a temporary folder, so that an incomplete build never looks complete. Without service
# discovery, whose modules are most of Prometheus, there is less to download. Alertmanager wants the
# folder of its pages, and the module cache is read-only: it is built from a copy with an empty page.
get() {
	[[ -x $home/prometheus && -x $home/alertmanager ]] && return
	command -v go >/dev/null || die "go is not installed; install Go"
	local fresh pages
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	trap 'chmod -R u+w "$fresh"; rm -rf "$fresh"' EXIT
	say "building Prometheus $PROMETHEUS_VERSION and Alertmanager $ALERTMANAGER_VERSION (some minutes, once)"
	mkdir "$fresh/home"
	# From an empty folder, so that no go.mod is touched.
	(cd "$fresh" && GOFLAGS='' GOBIN=$fresh/home go install -trimpath -ldflags='-s -w' -tags remove_all_sd \
		"github.com/prometheus/prometheus/cmd/prometheus@$PROMETHEUS_VERSION") >&2 ||
		die "Prometheus could not be built; check the network and the messages above"
	(cd "$fresh" && go mod download "github.com/prometheus/alertmanager@$ALERTMANAGER_VERSION") >&2 ||
		die "the module of Alertmanager could not be downloaded; check the network and the messages above"
	cp -R "$(go env GOMODCACHE)/github.com/prometheus/alertmanager@$ALERTMANAGER_VERSION" "$fresh/tree"
	chmod -R u+w "$fresh/tree"
	pages=$fresh/tree/ui/app/dist
	mkdir -p "$pages"
	echo 'This build has no pages.' >"$pages/index.html"
	(cd "$fresh/tree" && GOFLAGS='' go build -trimpath -ldflags='-s -w' -o "$fresh/home/alertmanager" ./cmd/alertmanager) >&2 ||
		die "Alertmanager could not be built; see the messages above"
	mv -T "$fresh/home" "$home" 2>/dev/null || [[ -x $home/alertmanager ]] # another process was faster
	rm -rf "$fresh"
	trap - EXIT
}

# running NAME succeeds if the process in the pid file is running and was started by this script.
running() {
	local pid
	pid=$(cat "$state/$1.pid" 2>/dev/null) || return 1
	ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "$state/$1.yaml"
}

must_be_free() {
	# Opening this file succeeds only if a process listens on the port.
	if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
		die "port $1 is in use by another process; set $2 to another port"
	fi
}

# settings writes what both read. The intervals of Alertmanager are short: who looks here does not
# want to wait for a group.
settings() {
	local targets=''
	for t in ${PROMETHEUS_TARGETS:-127.0.0.1:9464}; do targets+="${targets:+, }\"$t\""; done
	cp "${PROMETHEUS_RULES:-$deploy/alerts.yaml}" "$state/rules.yaml"
	cat >"$state/prometheus.yaml" <<-END
		global: {scrape_interval: $interval, scrape_timeout: $interval, evaluation_interval: $interval}
		rule_files: ["$state/rules.yaml"]
		alerting:
		  alertmanagers:
		    - static_configs: [{targets: ["127.0.0.1:$alertmanager_port"]}]
		scrape_configs:
		  - job_name: bridge
		    static_configs: [{targets: [$targets]}]
	END
	{
		cat <<-END
			route: {receiver: none, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
			receivers: [{name: none}]
		END
		cat "$deploy/inhibit.yaml"
	} >"$state/alertmanager.yaml"
}

ready() { curl -fsS --noproxy '*' -m 2 -o /dev/null "http://127.0.0.1:$1/-/ready" 2>/dev/null; }

# launch NAME ARGUMENT... starts a binary in its own process group, so that Ctrl-C does not stop it.
launch() {
	local name=$1
	shift
	(
		set -m
		nohup "$home/$name" --config.file="$state/$name.yaml" "$@" >"$state/$name.log" 2>&1 </dev/null &
		echo $! >"$state/$name.pid"
	)
}

# await NAME PORT: waits until NAME is ready; fails if the process ends or the time is up. A process that has just
# been started is not yet the program that running looks for.
await() {
	local name=$1 begin=$SECONDS end=$((SECONDS + patience))
	until ready "$2"; do
		if ! running "$name" && ((SECONDS > begin + 2)) || ((SECONDS >= end)); then
			tail -n 20 "$state/$name.log" >&2
			end_process prometheus
			end_process alertmanager
			die "$name did not start; see $state/$name.log"
		fi
		sleep 0.1
	done
}

start() {
	command -v curl >/dev/null || die "curl is not installed; install curl"
	get
	mkdir -p "$state"
	if ! running alertmanager || ! running prometheus; then settings; fi
	if ! running alertmanager; then
		must_be_free "$alertmanager_port" ALERTMANAGER_PORT
		launch alertmanager --web.listen-address="127.0.0.1:$alertmanager_port" --cluster.listen-address= --storage.path="$state/alertmanager"
	fi
	if ! running prometheus; then
		must_be_free "$port" PROMETHEUS_PORT
		launch prometheus --web.listen-address="127.0.0.1:$port" --storage.tsdb.path="$state/data"
	fi
	await alertmanager "$alertmanager_port"
	await prometheus "$port"
	say "queries   http://127.0.0.1:$port/api/v1/query?query=ALERTS"
	say "alerts    http://127.0.0.1:$alertmanager_port/api/v2/alerts"
	say "logs      $state/prometheus.log, $state/alertmanager.log"
	say "stop with ${PROMETHEUS_PORT:+PROMETHEUS_PORT=$port }integration/prometheus.sh stop"
}

reload() {
	if ! running prometheus || ! running alertmanager; then die "they are not running; start them"; fi
	settings
	kill -HUP "$(cat "$state/prometheus.pid")" "$(cat "$state/alertmanager.pid")"
}

end_process() {
	local pid end=$((SECONDS + 20))
	if running "$1"; then
		pid=$(cat "$state/$1.pid")
		kill "$pid"
		while running "$1"; do
			if ((SECONDS >= end)); then kill -KILL "$pid"; fi
			sleep 0.1
		done
	fi
	rm -f "$state/$1.pid"
}

stop() {
	end_process prometheus
	end_process alertmanager
	rm -rf "$state"
	say "stopped"
}

status() {
	local name ok=0
	for name in prometheus alertmanager; do
		if running "$name"; then
			say "$name is running, pid $(cat "$state/$name.pid")"
		else
			say "$name is not running"
			ok=1
		fi
	done
	return $ok
}

main() {
	case ${1:-} in
	get) get; echo "$home" ;;
	start) start ;;
	reload) reload ;;
	stop) stop ;;
	status) status ;;
	*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
}

main "$@"
