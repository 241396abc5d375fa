#!/usr/bin/env bash
# Tests the chart, the settings of Compose, and the topics and ACLs in deploy/kafka, without a cluster
# and without a container engine.
#
# kubectl-validate has the schemas of Kubernetes 1.23 to 1.30; those of KEDA and of the Prometheus
# operator come from their Go modules. All of it is fetched or built once: some minutes. It is kept by
# version in ${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge; Go needs about 3 GB for its own caches. Arguments
# go to go test.
set -euo pipefail

readonly VALIDATE=v0.0.4 KEDA=v2.21.0 OPERATOR=v0.85.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/alipay-kafka-bridge
readonly validate=$cache/kubectl-validate-$VALIDATE crds=$cache/crds-$KEDA-$OPERATOR

die() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }

# into DIR COMMAND: creates DIR from a temporary folder that COMMAND fills, so that an incomplete
# folder never looks complete.
into() {
	local target=$1 fresh
	shift
	[[ -d $target ]] && return
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/fresh.XXXXXX")
	(cd "$fresh" && "$@" "$fresh") >&2 || { rm -rf "$fresh"; die "$target could not be made; check the network and the messages above"; }
	mv -T "$fresh" "$target" 2>/dev/null || rm -rf "$fresh" # another process was faster
}

get_validate() {
	printf 'building kubectl-validate %s\n' "$VALIDATE"
	GOFLAGS='' GOBIN=$1 go install "sigs.k8s.io/kubectl-validate@$VALIDATE"
}

# module_files MODULE@VERSION FOLDER FILES: copies files of a module to the current folder.
module_files() {
	local module=$1 folder=$2
	shift 2
	GOFLAGS='' go mod download "$module"
	(cd "$(go env GOMODCACHE)/$module/$folder" && cp -- "$@" "$OLDPWD")
}

get_crds() {
	module_files "github.com/kedacore/keda/v2@$KEDA" config/crd/bases keda.sh_scaledobjects.yaml
	module_files "github.com/prometheus-operator/prometheus-operator@$OPERATOR" example/prometheus-operator-crd \
		monitoring.coreos.com_podmonitors.yaml monitoring.coreos.com_prometheusrules.yaml
	chmod u+w ./*
}

into "$validate" get_validate
into "$crds" get_crds
promtool=$("$here/../prometheus/check.sh" get)
cd "$here/test"
KUBECTL_VALIDATE=$validate/kubectl-validate CRDS=$crds PROMTOOL=$promtool go test "$@" ./...
go vet ./...
