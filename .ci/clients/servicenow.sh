#!/bin/sh
# Two public ServiceNow clients, unchanged, against the mock over https: each in an environment of its own.
# Usage: .ci/clients/servicenow.sh [PYTHON [PROOFS]]
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

for client in pysnow aiosnow; do
    "$here/../venv" "$work/$client" -r "$here/requirements-$client.txt"
done

cd "$root"
"$python" -m mock_servers.servicenow --estate 500 --seed 7 --https-port 0 --certificates "$work/tls" >"$work/ready" &
server=$!
for _ in $(seq 150); do
    [ -s "$work/ready" ] && break
    kill -0 "$server" || { echo "the mock did not start" >&2; exit 1; }
    sleep 0.2
done
url=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["https_url"])' "$work/ready")

# Both clients verify certificates: each is told of the test authority the way its HTTP library documents.
failed=0
for client in pysnow aiosnow; do
    REQUESTS_CA_BUNDLE="$work/tls/ca.pem" SSL_CERT_FILE="$work/tls/ca.pem" \
        "$work/$client/bin/python" "$here/servicenow_$client.py" "$url" >"$work/said" || failed=1
    printf '%s: %s\n' "$client" "$(cat "$work/said")"
    [ -z "$proofs" ] || "$here/proof" "$python" "$proofs" servicenow "$client" "$client" "$work/$client" "$work/said"
done
exit "$failed"
