#!/usr/bin/env bash
# Three nodes of a cluster on this machine: a print server NTPRINT that outlives the death
# of the node that it lives on.
#
#   examples/cluster/run.sh [BINARY]    BINARY is spoolhost; without it, one is built
#
# It needs bash and python3 (a printer that counts), takes about half a minute, and leaves
# nothing behind. KEEP=1 keeps its directory. Lines that begin with "nodeN $" are commands as
# an operator of that node would type them, where --addr is not needed.
set -euo pipefail
work=$(mktemp -d /tmp/sc.XXXXXX) # short: socket paths are
pids=()
end() {
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
  for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap end EXIT
say() { printf '\n== %s\n' "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; tail -n 5 "$work"/*.log >&2; exit 1; }
# until SECONDS COMMAND...: waits until the command succeeds
until_() {
  local deadline=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $deadline ] || die "not within the time: $*"; sleep 0.2; done
}
bin=${1:-$work/spoolhost}
[ -x "$bin" ] || (cd "$(dirname "$0")/../.." && go build -o "$bin" ./cmd/spoolhost)

say 'a printer that counts documents'
cat > "$work/printer.py" <<'PY'
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    text = b""
    while d := c.recv(65536):
        text += d
    c.close()
    print("printed:", text.decode(errors="replace").strip(), flush=True)
PY
python3 "$work/printer.py" > "$work/paper" 2> "$work/printer.log" & pids+=($!)
until_ 60 test -s "$work/paper"
port=$(head -n 1 "$work/paper")

say 'three nodes, each with an etcd member'
base=$((20000 + RANDOM % 10000))
mkdir "$work/shared"
for i in 1 2 3; do
  cat > "$work/$i.hcl" <<HCL
data   = "$work/d$i"
listen = ["unix:$work/s$i", "tls:127.0.0.1:$((base + i))"]
cluster {
  name   = "example"
  node   = "node$i"
  shared = "$work/shared"
  listen = "127.0.0.1:$((base + 10 + i))"
}
HCL
done
node() { local i=$1; shift; "$bin" --addr "unix:$work/s$i" "$@"; }
# run N COMMAND...: shows the command, and runs it at node N
run() {
  local i=$1 word line; shift
  line="node$i \$ spoolhost"
  for word; do [[ $word == *' '* ]] && word="'$word'"; line+=" $word"; done
  printf '%s\n' "$line"
  node "$i" "$@"
}
start() {
  rm -f "$work/out$1"
  "$bin" serve --config "$work/$1.hcl" --ipp none > "$work/out$1" 2> "$work/node$1.log" & pids+=($!)
  eval "pid$1=$!"
  until_ 60 grep -q 'is ready' "$work/out$1"
}
echo "node1 \$ spoolhost cluster init --config 1.hcl    # and serve"
"$bin" cluster init --config "$work/1.hcl" > "$work/init"
start 1
for i in 2 3; do
  echo "node$i \$ spoolhost cluster join TOKEN --config $i.hcl    # the command that \"cluster token\" prints, and serve"
  token=$(node 1 cluster token | grep -o 'spoolhost-join-[^ ]*')
  "$bin" cluster join "$token" --config "$work/$i.hcl" > "$work/join$i"
  start $i
done
until_ 60 sh -c "'$bin' --addr unix:$work/s3 cluster status -o json | grep -c '\"role\": *\"member\"' | grep -qx 2"
run 3 cluster status

say 'a print server that lives on one of them, with a printer'
run 1 spooler create NTPRINT
owner() { node "$1" spooler list -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0].get("owner", ""))'; }
online() { grep -Eq 'NTPRINT +online' <<< "$(node "$1" spooler list)"; }
until_ 60 online 2
run 2 port add P1 --spooler NTPRINT --monitor 'Standard TCP/IP Port' --set host=127.0.0.1 --set port="$port"
run 3 printer add office --spooler NTPRINT --port P1
echo 'before' | run 1 print --spooler NTPRINT -p office --wait -
grep -q 'printed: before' "$work/paper" || die 'nothing was printed'

first=$(owner 3)
say "the node that it lives on, $first, is killed (kill -9); the others take documents all the time"
killed=${first#node}
began=$SECONDS
eval "{ kill -9 \$pid$killed; wait \$pid$killed; } 2>/dev/null" || true # the shell would tell of it later
others=$(printf '1 2 3' | tr ' ' '\n' | grep -v "$killed")
for n in 1 2 3 4 5; do
  for i in $others; do
    echo "document $n by node$i" | run "$i" print --spooler NTPRINT -p office -
  done
done
i=${others%%$'\n'*}
until_ 60 sh -c "[ \$(grep -c 'printed: document' '$work/paper') -ge 10 ]"
say "$((SECONDS - began)) s after the kill (a lease is 5 s) it lives on $(owner "$i"), and all are printed once:"
sort "$work/paper" | grep 'printed:' | uniq -c
run "$i" spooler list

say "$first comes back"
start "$killed"
echo 'after' | run "$killed" print --spooler NTPRINT -p office --wait -
grep -q 'printed: after' "$work/paper" || die 'nothing was printed'
say "it does not get the print server back by itself; an operator moves it"
run "$killed" spooler move NTPRINT --to "$first" --wait
say "what has happened to it, as all nodes tell it"
run "$killed" events --spooler NTPRINT --about spooler/NTPRINT
say 'done'
