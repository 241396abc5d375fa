#!/usr/bin/env bash
# The official SDKs call `bridge simulate`. Prints a table SDK x mode x method; a cell is
#   ok      the SDK did it, and believed the signature of the answer
#   known   the SDK fails or errs with the words of known.tsv, which also says why
#   BAD     anything else: it fails otherwise, or what is known to fail works now
# and exits 1 if a cell of these SDKs is BAD or missing.
#
# usage: interop/run.sh [SDK...]      SDKs: java node python global (AlipayHK); all of them unless named
#
# The SDKs come from their registries, with all that they need pinned in java/pom.xml,
# node/package-lock.json and python/requirements.txt, and are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
# in folders named after the contents of these files. Nothing is written into the checkout.
# INTEROP_SEED chooses the quirks of the answers (0), INTEROP_QUIRKS which ones (default).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge

say() { printf '%s\n' "$*" >&2; }
die() { say "interop: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: install $2"; }

# pinned NAME FILE: the folder of what FILE pins; a change of FILE makes a new one.
pinned() {
	local sum
	sum=$(cksum <"$here/$2")
	printf '%s' "$cache/interop-$1-${sum%% *}"
}

# into makes folder $1 by a command that is given a fresh folder to fill: a broken download
# never looks complete.
into() {
	local target=$1 fresh
	shift
	[[ -d $target ]] && return
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	say "downloading $(basename "$target")"
	"$@" "$fresh" >&2 || { rm -rf "$fresh"; die "could not fill $target"; }
	mv -T "$fresh" "$target" 2>/dev/null || rm -rf "$fresh" # somebody else was quicker
}

get_java() {
	mvn -B -q -Dstyle.color=never -f "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
}
get_node() {
	cp "$here/node/package.json" "$here/node/package-lock.json" "$1" && (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
}
# The virtual environment is made where it stays: its scripts hold their own path, and pip is
# called as a module, which does not mind.
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

# simulate NAME FLAG...: starts a simulator on free ports of the loopback interface and waits for it.
simulate() {
	local name=$1 end=$((SECONDS + 20))
	"$work/bridge" simulate -c "$work/simulator.yaml" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --seed "${INTEROP_SEED:-0}" --quirks "${INTEROP_QUIRKS:-default}" "${@:2}" \
		>"$work/$name.out" 2>"$work/$name.log" &
	simulators+=($!)
	until grep -q '^admin at ' "$work/$name.log"; do
		if ! kill -0 "${simulators[-1]}" 2>/dev/null || ((SECONDS >= end)); then
			cat "$work/$name.log" >&2
			die "the simulator did not start"
		fi
		sleep 0.05
	done
}
gateway_of() { sed -n 's/^simulating Alipay, not for real use, at //p' "$work/$1.log"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/interop.XXXXXX")
simulators=()
finish() {
	((${#simulators[@]} == 0)) || kill "${simulators[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

need go Go
# Everything is on this machine; a proxy would only stand in the way.
export no_proxy='127.0.0.1,localhost' NO_PROXY='127.0.0.1,localhost'
export INTEROP_DIR=$work INTEROP_APP=2021000000000001 INTEROP_CERT_APP=2021000000000002
export INTEROP_ITEM_ORDER=20170427000000001000000001 INTEROP_HK_CLIENT=SIM_5000000000000001
(cd "$here/.." && CGO_ENABLED=0 go build -o "$work/bridge" ./cmd/bridge)
"$work/bridge" simulate --out "$work" --no-serve >/dev/null
cp "$here/simulator.yaml" "$work/simulator.yaml"
simulate plain
simulate secure --tls
INTEROP_GATEWAY=$(gateway_of plain) INTEROP_TLS_GATEWAY=$(gateway_of secure)
INTEROP_ADMIN=$(sed -n 's/^admin at //p' "$work/plain.log")
export INTEROP_GATEWAY INTEROP_TLS_GATEWAY INTEROP_ADMIN
sdks=("$@")
[[ ${#sdks[@]} -gt 0 ]] || sdks=(java node python global)
: >"$work/cells"
for sdk in "${sdks[@]}"; do
	modes=$(awk -F'\t' -v sdk="$sdk" '$1 == sdk {print $2}' "$here/modes.tsv")
	[[ -n $modes ]] || die "no SDK $sdk"
	say "calling with $sdk"
	# shellcheck disable=SC2086 # modes are words
	"run_$sdk" $modes 2>"$work/$sdk.log" >"$work/$sdk.cells" || { tail -n 20 "$work/$sdk.log" >&2; die "$sdk: the driver died"; }
	sed "s/^/$sdk\t/" "$work/$sdk.cells" >>"$work/cells"
done
awk -v sdks="${sdks[*]}" -f "$here/table.awk" "$here/modes.tsv" "$here/known.tsv" "$work/cells"
