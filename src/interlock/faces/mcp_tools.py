"""What an MCP face offers: tools by name, who may see them, and how they are called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.faces.answers import mcp_result
from interlock.gateway.describe import listing
from interlock.gateway.runtime import Runtime
from interlock.principals.models import Agent
from interlock.tools.catalogue import BY_NAME
from interlock.tools.contracts import listed


@dataclass(frozen=True, slots=True)
class McpTools:
    """The tools behind the MCP faces.

    ``entries``: a tool list's entry by tool name. ``plain``: tools that ask nothing of a request but name and
    arguments (no mirrored headers, no client capabilities), so that they need no SDK. ``shown``: the names in
    an agent's tool list, in order. ``call``: agent, tool name and arguments to an MCP tool result; answers any
    name, also an unknown or an unlisted one.
    """

    entries: Mapping[str, dict[str, Any]]
    plain: frozenset[str]
    shown: Callable[[Agent], tuple[str, ...]]
    call: Callable[[Agent, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]

    def listed(self, agent: Agent) -> list[dict[str, Any]]:
        """An agent's tool list."""
        return [self.entries[name] for name in self.shown(agent)]

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The listed input schema of a tool, None when there is no such tool."""
        entry = self.entries.get(name)
        return None if entry is None else entry["inputSchema"]


def gateway_tools(runtime: Runtime) -> McpTools:
    """The catalogue, called through the gateway's pipeline."""
    handle = runtime.pipeline.handle

    async def call(agent: Agent, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return mcp_result(await handle(agent, name, arguments, "mcp"))

    entries = {name: listed(tool) for name, tool in BY_NAME.items()}
    return McpTools(entries, frozenset(entries), listing, call)
