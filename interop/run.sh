#!/usr/bin/env bash
# Calls `bridge simulate` with the official SDKs and prints a table SDK x mode x method. A cell is
#   ok      the call succeeded, and the SDK accepted the signature of the answer
#   known   the call failed with the words in known.tsv, which also gives the reason
#   BAD     everything else: another failure, or a known failure that no longer occurs
# Exits 1 if a cell of the chosen SDKs is BAD or missing, or if a notification that an SDK signed and the bridge
# answered with success is not in Kafka. For these, `bridge run --only notify` runs, without any private key.
#
# usage: interop/run.sh [SDK...]      SDKs: java node python global (AlipayHK); without names, all of them
#
# The SDKs are downloaded from their registries. java/pom.xml, node/package-lock.json and
# python/requirements.txt pin them with all their dependencies. They are kept in folders under
# ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge, named after checksums of these files. Nothing is written to the checkout.
# INTEROP_SEED is the simulator's seed (0), INTEROP_QUIRKS the quirks of its answers (default).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge

say() { printf '%s\n' "$*" >&2; }
die() { say "interop: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is not installed; install $2"; }

# pinned NAME FILE: prints the folder of what FILE pins; it changes with FILE.
pinned() {
	local sum
	sum=$(cksum <"$here/$2")
	printf '%s' "$cache/interop-$1-${sum%% *}"
}

# into DIR COMMAND: creates DIR from a temporary folder that COMMAND fills, so that an incomplete
# download never looks complete.
into() {
	local target=$1 fresh
	shift
	[[ -d $target ]] && return
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	say "downloading $(basename "$target")"
	"$@" "$fresh" >&2 || { rm -rf "$fresh"; die "download to $target failed; check the network and the messages above"; }
	mv -T "$fresh" "$target" 2>/dev/null || rm -rf "$fresh" # another process was faster
}

get_java() {
	mvn -B -q -Dstyle.color=never -f "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
}
get_node() {
	cp "$here/node/package.json" "$here/node/package-lock.json" "$1" && (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
}
# The scripts of a virtual environment contain the path of the temporary folder and would not run
# later; so pip is called as a module, which does not depend on the path.
get_python() {
	python3 -m venv "$1" && "$1/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$here/python/requirements.txt" &&
		"$1/bin/python" -m pip check >&2
}

run_java() { java_source Interop.java "$@"; }
run_global() { java_source Global.java "$@"; }
java_source() {
	need java "a Java runtime, 17 or newer" && need mvn "Maven 3"
	local jars
	jars=$(pinned java java/pom.xml)
	into "$jars" get_java
	java -XX:TieredStopAtLevel=1 -cp "$jars/*" "$here/java/$1" "${@:2}"
}
run_node() {
	need node "Node 20 or newer" && need npm npm
	INTEROP_NODE=$(pinned node node/package-lock.json)
	export INTEROP_NODE
	into "$INTEROP_NODE" get_node
	node "$here/node/interop.mjs" "$@"
}
run_python() {
	need python3 "Python 3.9 or newer with venv"
	local venv
	venv=$(pinned python python/requirements.txt)
	into "$venv" get_python
	"$venv/bin/python" "$here/python/interop.py" "$@"
}

# simulate NAME FLAG...: starts a simulator on free loopback ports and waits until it is ready.
simulate() {
	local name=$1 end=$((SECONDS + 20))
	"$work/bridge" simulate -c "$work/simulator.yaml" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --seed "${INTEROP_SEED:-0}" --quirks "${INTEROP_QUIRKS:-default}" "${@:2}" \
		>"$work/$name.out" 2>"$work/$name.log" &
	simulators+=($!)
	until grep -q '^admin at ' "$work/$name.log"; do
		if ! kill -0 "${simulators[-1]}" 2>/dev/null || ((SECONDS >= end)); then
			cat "$work/$name.log" >&2
			die "the simulator did not start; see the log above"
		fi
		sleep 0.05
	done
}
gateway_of() { sed -n 's/^simulating Alipay, not for real use, at //p' "$work/$1.log"; }

# receive starts Kafka and a receiver on free loopback ports, and waits until it receives.
receive() {
	local end=$((SECONDS + 60))
	mkdir -p "$work/receiver/keys"
	cp "$here/receiver.yaml" "$work/receiver"
	cp "$work"/keys/{alipay-public.pem,app.crt,alipay.crt,root.crt} "$work/receiver/keys"
	mkfifo "$work/stdin"
	"$work/kafka" <"$work/stdin" >"$work/kafka.env" 2>"$work/kafka.log" &
	simulators+=($!)
	exec 3>"$work/stdin" # it ends with this script
	until grep -q REGISTRY "$work/kafka.env"; do
		kill -0 "${simulators[-1]}" 2>/dev/null && ((SECONDS < end)) || { cat "$work/kafka.log" >&2; die "Kafka did not start; see the log above"; }
		sleep 0.05
	done
	# shellcheck source=/dev/null # made above
	source "$work/kafka.env"
	"$work/bridge" topics create --yes -c "$work/receiver/receiver.yaml" >"$work/receiver.log" 2>&1 || { cat "$work/receiver.log" >&2; die "the topics could not be created; see the log above"; }
	"$work/bridge" run --only notify -c "$work/receiver/receiver.yaml" >/dev/null 2>"$work/receiver.log" &
	simulators+=($!)
	until grep -q 'notifications are received' "$work/receiver.log"; do
		kill -0 "${simulators[-1]}" 2>/dev/null && ((SECONDS < end)) || { cat "$work/receiver.log" >&2; die "the receiver did not start; see the log above"; }
		sleep 0.05
	done
	INTEROP_RECEIVER=http://$(sed -n 's/.*notifications are received.* address=\([^ ]*\).*/\1/p' "$work/receiver.log")
	export INTEROP_RECEIVER
}

# durable checks that all that was answered with success is in Kafka.
durable() {
	local answered=0 kept
	[[ ! -e $work/accepted ]] || answered=$(wc -l <"$work/accepted")
	kept=$("$work/bridge" tail notifications --to-end -o json -c "$work/receiver/receiver.yaml" 2>>"$work/receiver.log" | grep -c '"notify_id"' || true)
	say "$answered notifications of the SDKs were answered with success, $kept are in Kafka"
	((answered == kept)) || die "these must be equal"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/interop.XXXXXX")
simulators=()
finish() {
	((${#simulators[@]} == 0)) || kill "${simulators[@]}" 2>/dev/null || true
	exec 3>&- || true
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

need go Go
# Everything runs on this machine, without a proxy.
export no_proxy='127.0.0.1,localhost' NO_PROXY='127.0.0.1,localhost'
export INTEROP_DIR=$work INTEROP_APP=2021000000000001 INTEROP_CERT_APP=2021000000000002
export INTEROP_ITEM_ORDER=20170427000000001000000001 INTEROP_HK_CLIENT=SIM_5000000000000001
(cd "$here/.." && CGO_ENABLED=0 go build -o "$work/" ./cmd/bridge ./interop/kafka)
"$work/bridge" simulate --out "$work" --no-serve >/dev/null
cp "$here/simulator.yaml" "$work/simulator.yaml"
simulate plain
simulate secure --tls
need curl curl
receive
INTEROP_GATEWAY=$(gateway_of plain) INTEROP_TLS_GATEWAY=$(gateway_of secure)
INTEROP_ADMIN=$(sed -n 's/^admin at //p' "$work/plain.log")
export INTEROP_GATEWAY INTEROP_TLS_GATEWAY INTEROP_ADMIN
export INTEROP_ACCEPTS=$here/accepts.sh INTEROP_SELLER=2088000000000000
sdks=("$@")
[[ ${#sdks[@]} -gt 0 ]] || sdks=(java node python global)
: >"$work/cells"
for sdk in "${sdks[@]}"; do
	modes=$(awk -F'\t' -v sdk="$sdk" '$1 == sdk {print $2}' "$here/modes.tsv")
	[[ -n $modes ]] || die "unknown SDK $sdk; use java, node, python or global"
	say "calling with $sdk"
	# shellcheck disable=SC2086 # modes are words
	"run_$sdk" $modes 2>"$work/$sdk.log" >"$work/$sdk.cells" || { tail -n 20 "$work/$sdk.log" >&2; die "$sdk: the test program failed; see the messages above"; }
	sed "s/^/$sdk\t/" "$work/$sdk.cells" >>"$work/cells"
done
durable
awk -v sdks="${sdks[*]}" -f "$here/table.awk" "$here/modes.tsv" "$here/known.tsv" "$work/cells"
