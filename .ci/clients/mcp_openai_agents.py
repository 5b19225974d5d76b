"""The OpenAI Agents SDK: its MCP client, its conversion of listed tools, and the published strict functions.

Usage: mcp_openai_agents.py READY STRICT   STRICT is contracts/v1/functions-strict.json.
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from pathlib import Path
from typing import Any

from agents import FunctionTool
from agents.mcp import MCPServerStreamableHttp, MCPUtil
from agents.strict_schema import ensure_strict_json_schema
from agents.tool_context import ToolContext
from mcp_checks import MISSING, P1, TOOLS, Checks, gateway

HOUSE = gateway()
CHECKS = Checks("openai-agents")


def without_nulls(value: Any) -> Any:
    """What strict calls mean: a null stands for an argument that was left out."""
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


def filled(schema: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A call as a strict model writes it: every property is there."""
    return {name: given.get(name) for name in schema["required"]}


async def through_strict(server: MCPServerStreamableHttp, function: dict[str, Any], given: dict[str, Any]) -> Any:
    """Call a tool by its strict function, as the SDK would after a model's call."""

    async def invoke(_context: Any, arguments: str) -> Any:
        result = await server.call_tool(function["name"], without_nulls(json.loads(arguments)))
        return result.structured_content

    tool = FunctionTool(function["name"], function["description"], function["parameters"], invoke, True)
    arguments = json.dumps(filled(tool.params_json_schema, given))
    context = ToolContext(None, tool_name=tool.name, tool_call_id="call", tool_arguments=arguments)
    return await tool.on_invoke_tool(context, arguments)


async def main(functions: dict[str, dict[str, Any]]) -> None:
    async with MCPServerStreamableHttp({"url": HOUSE.url, "headers": HOUSE.headers}) as server:
        tools = await server.list_tools()
        CHECKS.listed([tool.name for tool in tools])
        converted = [MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=True) for tool in tools]
        CHECKS.hold("the SDK converts every listed tool", len(converted) == TOOLS)
        answer = await server.call_tool("incident_search", {"filter": P1, "limit": 10})
        CHECKS.searched(answer.structured_content or {}, HOUSE)
        answer = await server.call_tool("incident_get", {"ref": HOUSE.ref})
        CHECKS.got(answer.structured_content or {}, HOUSE)
        change = {"ref": HOUSE.held, "changes": {"title": "Server antwortet nicht (openai-agents)"}}
        answer = await server.call_tool("incident_update", change)
        CHECKS.held(answer.structured_content or {})
        answer = await server.call_tool("incident_get", {"ref": MISSING})
        CHECKS.hold("an error is one", bool(answer.is_error))
        CHECKS.refused(json.loads(answer.content[0].text))

        for name, function in functions.items():
            published = function["parameters"]
            strict = ensure_strict_json_schema(copy.deepcopy(published))
            CHECKS.hold(f"{name} is strict as published: nothing is changed", strict == published, strict)
        CHECKS.searched(await through_strict(server, functions["incident_search"], {"filter": P1, "limit": 10}), HOUSE)
        CHECKS.got(await through_strict(server, functions["incident_get"], {"ref": HOUSE.ref}), HOUSE)
        change = {"ref": HOUSE.held, "changes": {"title": "Server antwortet nicht (strict)"}}
        CHECKS.held(await through_strict(server, functions["incident_update"], change))


published_functions = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
asyncio.run(main({function["name"]: function for function in published_functions}))
CHECKS.end()
