#!/bin/sh
# A public SOAP client that shares no code with Interlock, unchanged, against the mock Remedy in a process of its own.
# Usage: .ci/clients/remedy_clients.sh [PYTHON]   PYTHON is the interpreter that has Interlock installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${1:-python}
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
printf 'suds: '
"$work/suds/bin/python" "$here/remedy_suds.py" "$work/ready"
