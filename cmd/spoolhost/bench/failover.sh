#!/usr/bin/env bash
# Measures how long a cluster spooler is away when it is moved, when its owner is killed and
# when a monitor hangs, and how long clients wait meanwhile: three nodes with etcd members on
# this machine, in a temporary directory, with the defaults but for short time-outs.
#
#   cmd/spoolhost/bench/failover.sh                               everything: half an hour
#   cmd/spoolhost/bench/failover.sh --rows move --printers 1000 -v   one row, with the steps of the moves
#   cmd/spoolhost/bench/failover.sh --rows limits --spoolers 100     as many spoolers as are promised
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=$(mktemp -d /tmp/fo.XXXXXX) # short: sockets are in it
trap 'rm -rf "$work"' EXIT
go build -o "$work/spoolhost" ./cmd/spoolhost
go build -o "$work/failover" ./cmd/spoolhost/bench/failover
"$work/failover" --spoolhost "$work/spoolhost" --dir "$work" "$@"
