"""The MCP Inspector's command line, which is the TypeScript SDK's client.

Usage: mcp_inspector.py READY INSPECTOR   INSPECTOR is the path of its command.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from mcp_checks import MISSING, P1, Checks, gateway

HOUSE = gateway()
CHECKS = Checks("mcp-inspector")


def inspect(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run it: exit status, what it printed, what it complained of."""
    header = f"Authorization: Bearer {HOUSE.key}"
    base = [sys.argv[2], "--cli", HOUSE.url, "--transport", "http", "--header", header]
    done = subprocess.run([*base, *arguments], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except json.JSONDecodeError:
        return done.returncode, {}, done.stderr + done.stdout


def call(tool: str, **arguments: Any) -> tuple[int, dict[str, Any], str]:
    pairs: list[str] = []
    for name, value in arguments.items():
        pairs += ["--tool-arg", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return inspect("--method", "tools/call", "--tool-name", tool, *pairs)


status, listed, complaint = inspect("--method", "tools/list", "--strict")
CHECKS.listed([tool["name"] for tool in listed.get("tools", [])])
CHECKS.hold("its strict reading of the schemas finds no error", status == 0, complaint)
status, answer, complaint = call("incident_search", filter=P1, limit=10)
CHECKS.searched(answer.get("structuredContent", {}), HOUSE)
status, answer, complaint = call("incident_get", ref=HOUSE.ref)
CHECKS.got(answer.get("structuredContent", {}), HOUSE)
status, answer, complaint = call(
    "incident_update", ref=HOUSE.held, changes={"title": "Server antwortet nicht (inspector)"}
)
CHECKS.hold("a held write is a success to it", status == 0 and not answer.get("isError"), complaint)
CHECKS.held(answer.get("structuredContent", {}))
status, answer, complaint = call("incident_get", ref=MISSING)
CHECKS.refused(json.loads((answer.get("content") or [{"text": "{}"}])[0]["text"]))
CHECKS.end()
