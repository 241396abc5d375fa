#!/usr/bin/env bash
# Runs the examples of examples/consumers. Their modules, jars and packages are kept by checksum in
# ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge.
#
# usage: integration/consumers.sh get|go|java|python [--to-end]
#   get    download and build what is missing, start nothing
#   other  become the consumer; its environment is described in its source
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../examples/consumers" && pwd)
readonly here
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge

die() { printf 'consumers.sh: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is not installed; install $2"; }

# pinned LANGUAGE FILE...: sets target to the folder of what the files say; it changes with them.
pinned() {
	local sum
	sum=$(cd "$here/$1" && cat -- "${@:2}" | cksum)
	target=$cache/consumer-$1-${sum%% *}
}

# into COMMAND: creates the folder target from a temporary folder that COMMAND fills, so that an incomplete
# download never looks complete.
into() {
	[[ -d $target ]] && return
	mkdir -p "$cache"
	local fresh
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	"$1" "$fresh" >&2 || { rm -rf "$fresh"; die "what $target needs could not be fetched; check the network and the messages above"; }
	mv -T "$fresh" "$target" 2>/dev/null || rm -rf "$fresh" # another process was faster
}

build_go() { CGO_ENABLED=0 go build -C "$here/go" -o "$1/consumer" .; }
get_java() { mvn -B -q -Dstyle.color=never -f "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"; }
# pip is called as a module, because the scripts of the environment have the path of the temporary folder.
get_python() {
	python3 -m venv "$1" && "$1/bin/python" -m pip install -q --disable-pip-version-check -r "$here/python/requirements.txt"
}

prepare() {
	case $1 in
	go) need go Go && pinned go go.mod go.sum main.go store.go && into build_go ;;
	java) need java "a Java runtime, 17 or newer" && need mvn "Maven 3" && pinned java pom.xml && into get_java ;;
	python) need python3 "Python 3.9 or newer with venv" && pinned python requirements.txt && into get_python ;;
	*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
}

language=${1:-}
if [[ $language == get ]]; then
	for each in go java python; do prepare "$each"; done
	exit
fi
prepare "$language"
case $language in
go) exec "$target/consumer" "${@:2}" ;;
java) exec java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$target/*" "$here/java/Consumer.java" "${@:2}" ;;
python) exec "$target/bin/python" -W ignore "$here/python/consumer.py" "${@:2}" ;;
esac
