#!/usr/bin/env bash
# Checks alerts.yaml and runs alerts_test.yaml with promtool. With the argument get, it only prints the
# path of promtool.
#
# promtool comes from the Go module proxy and is built once: some minutes, and 300 MB of disk for
# Go's caches. It is kept by version in ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge.
set -euo pipefail

readonly VERSION=v0.316.0 # of Prometheus 3.16
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
readonly promtool=$cache/promtool-$VERSION/promtool

# get builds promtool in a temporary folder, so that an incomplete build never looks complete.
# Without service discovery, whose modules are most of Prometheus, there is less to download.
get() {
	local fresh
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	printf 'building promtool %s\n' "$VERSION" >&2
	(cd "$fresh" && GOFLAGS='' GOBIN=$fresh go install -tags remove_all_sd "github.com/prometheus/prometheus/cmd/promtool@$VERSION") >&2 || {
		rm -rf "$fresh"
		printf 'check.sh: promtool could not be built; check the network and the messages above\n' >&2
		exit 1
	}
	mv -T "$fresh" "$(dirname "$promtool")" 2>/dev/null || rm -rf "$fresh" # another process was faster
}

[[ -x $promtool ]] || get
if [[ ${1:-} == get ]]; then
	echo "$promtool"
	exit
fi
cd "$here"
"$promtool" check rules alerts.yaml
"$promtool" test rules alerts_test.yaml
