#!/bin/sh
# A public SOAP client that shares no code with Interlock, unchanged, against the mock Remedy in a process of its own.
# Usage: .ci/clients/remedy_clients.sh [PYTHON [PROOFS]]
# PYTHON is the interpreter that has Interlock installed; PROOFS, a folder, gets what the clients said, for
# `interlock adapter check --proofs`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${1:-python}
proofs=${2:-}
work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT INT TERM

"$here/../venv" "$work/suds" -r "$here/remedy_suds_requirements.txt"

cd "$root"
"$python" -m mock_servers.remedy --estate 300 --seed 7 >"$work/ready" &
server=$!
for _ in $(seq 150); do
    [ -s "$work/ready" ] && break
    kill -0 "$server" || { echo "the mock did not start" >&2; exit 1; }
    sleep 0.2
done
failed=0
"$work/suds/bin/python" "$here/remedy_suds.py" "$work/ready" >"$work/said" || failed=1
printf 'suds: %s\n' "$(cat "$work/said")"
[ -z "$proofs" ] || "$here/proof" "$python" "$proofs" remedy suds suds-community "$work/suds" "$work/said"
exit "$failed"
