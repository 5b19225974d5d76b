#!/usr/bin/env bash
# MCP clients of other makers, unchanged, against a gateway: each in an environment of its own, in a temporary folder.
# Usage: .ci/clients/mcp_clients.sh [PYTHON]   PYTHON is the interpreter that has Interlock installed.
set -euo pipefail
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

for environment in mcp-agents mcp-langchain node; do
    "$here/../venv" "$work/$environment" -r "$here/requirements-$environment.txt" 2>"$work/pip" || {
        cat "$work/pip" >&2
        exit 1
    }
done
PATH="$work/node/bin:$PATH"
cp "$here/inspector/package.json" "$work/"
npm install --prefix "$work" --no-audit --no-fund --no-package-lock --loglevel=error >"$work/npm" 2>&1 || {
    cat "$work/npm" >&2
    exit 1
}

cd "$root"
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" "$python" "$here/mcp_gateway.py" >"$work/ready" &
server=$!
for _ in $(seq 150); do
    [ -s "$work/ready" ] && break
    kill -0 "$server" || { echo "the gateway did not start" >&2; exit 1; }
    sleep 0.2
done

passed=0 failed=0
count() {
    # Adds a client's last line, "NAME: N passed, N failed"; a client that ends without one has failed.
    local client=$1
    shift
    env -u PYTHONPATH MCP_STORAGE_DIR="$work/store" "$@" >"$work/said" 2>"$work/complained" || true
    cat "$work/said"
    if [[ $(tail -n 1 "$work/said") =~ ^$client:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        tail -n 20 "$work/complained" >&2
        echo "$client did not end"
        failed=$((failed + 1))
    fi
}
agents="$work/mcp-agents/bin/python"
count pydantic-ai "$agents" "$here/mcp_pydantic_ai.py" "$work/ready"
count openai-agents "$agents" "$here/mcp_openai_agents.py" "$work/ready" "$root/contracts/v1/functions-strict.json"
count langchain-mcp-adapters "$work/mcp-langchain/bin/python" "$here/mcp_langchain.py" "$work/ready"
count mcp-inspector "$python" "$here/mcp_inspector.py" "$work/ready" "$work/node_modules/.bin/mcp-inspector"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
