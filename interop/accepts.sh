#!/usr/bin/env bash
# Posts the body of a notification to a receiver of the bridge as Alipay does, and exits with 0 if the answer is exactly
# success: then it is in Kafka.
#
# usage: interop/accepts.sh MODE FILE      MODE is a mode of modes.tsv; for the environment see run.sh
set -euo pipefail

mode=$1 file=$2
account=${mode%%-*} # of receiver.yaml; the form names its charset itself
case $mode in
*-rsa*) account+=-rsa ;;
esac
curl -sS -o "$file.answer" --max-time 20 -H 'Content-Type: application/x-www-form-urlencoded; text/html; charset=utf-8' \
	--data-binary "@$file" "$INTEROP_RECEIVER/notify/$account"
[[ $(<"$file.answer") == success ]] && printf '%s\n' "$file" >>"$INTEROP_DIR/accepted"
