"""LangChain's adapters over an MCP client of before 2026 (``mcp<2``): handshake, session header and all."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from typing import Any

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp_checks import MISSING, P1, Checks, gateway

HOUSE = gateway()
CHECKS = Checks("langchain-mcp-adapters")


def body(result: Any) -> dict[str, Any]:
    """A tool's answer: the text of its first content block."""
    content = result.content if hasattr(result, "content") else result
    text = content if isinstance(content, str) else content[0]["text"]
    found: dict[str, Any] = json.loads(text)
    return found


async def main() -> None:
    CHECKS.hold("the client is one of before 2026", version("mcp").startswith("1."), version("mcp"))
    connection: Any = {"transport": "streamable_http", "url": HOUSE.url, "headers": HOUSE.headers}
    tools = await MultiServerMCPClient({"interlock": connection}).get_tools()
    CHECKS.listed([tool.name for tool in tools])
    by_name = {tool.name: tool for tool in tools}
    CHECKS.searched(body(await by_name["incident_search"].ainvoke({"filter": P1, "limit": 10})), HOUSE)
    CHECKS.got(body(await by_name["incident_get"].ainvoke({"ref": HOUSE.ref})), HOUSE)
    change = {"ref": HOUSE.held, "changes": {"title": "Server antwortet nicht (langchain)"}}
    CHECKS.held(body(await by_name["incident_update"].ainvoke(change)))
    CHECKS.refused(body(await by_name["incident_get"].ainvoke({"ref": MISSING})))


asyncio.run(main())
CHECKS.end()
