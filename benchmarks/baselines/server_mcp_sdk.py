"""Baseline M: the official MCP SDK 2.x; one tool calls the backend with httpx2; no governance.

``NTOOLS=60 BACKEND=http://127.0.0.1:18080 uvicorn benchmarks.baselines.server_mcp_sdk:app --port 8002
--no-access-log``; the endpoint is ``/mcp``. ``NTOOLS`` adds tools that are only listed.
"""

from __future__ import annotations

import os
from typing import Any

import httpx2
from benchmarks.baselines.model import Incident, one
from mcp.server.mcpserver import MCPServer

BACKEND = os.environ.get("BACKEND", "http://127.0.0.1:18080")
GET = (
    os.environ.get("PREFIX", "")
    + "/api/now/table/incident/{}?sysparm_display_value=all&sysparm_exclude_reference_link=false"
)
TOOLS = int(os.environ.get("NTOOLS", "1"))

server = MCPServer("baseline", log_level="ERROR")
_clients: list[httpx2.AsyncClient] = []


def client() -> httpx2.AsyncClient:
    """The one client, made in the loop that uses it."""
    if not _clients:
        limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256)
        _clients.append(httpx2.AsyncClient(base_url=BACKEND, timeout=30, trust_env=False, limits=limits))
    return _clients[0]


@server.tool(name="incident_get", description="Read one incident by sys_id, normalised")
async def incident_get(sys_id: str) -> Incident:
    answer = await client().get(GET.format(sys_id))
    answer.raise_for_status()
    return one(answer.content).result


def add_listed(index: int) -> None:
    """A tool that is there to be listed, of the size tools of such a server have."""

    async def search(
        query: str,
        limit: int = 10,
        fields: list[str] | None = None,
        include_inactive: bool = False,
        order_by: str | None = None,
    ) -> dict[str, Any]:
        return {}

    description = (
        f"Tool {index}: searches configuration items by query, returns normalised records with quality flags "
        "and the source reference"
    )
    server.tool(name=f"other_{index}", description=description)(search)


for number in range(TOOLS - 1):
    add_listed(number)

app = server.streamable_http_app(stateless_http=True, json_response=True)
