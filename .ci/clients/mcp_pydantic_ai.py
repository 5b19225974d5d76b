"""A pydantic-ai agent over MCP: its whole loop, with a function where the model would be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mcp_checks import MISSING, P1, Checks, gateway
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

HOUSE = gateway()
CHECKS = Checks("pydantic-ai")


def plan(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Triage as a model would do it: each step is chosen from what the last tool answered."""
    last = messages[-1].parts[-1]
    if not isinstance(last, ToolReturnPart | RetryPromptPart):
        CHECKS.listed([tool.name for tool in info.function_tools])
        return ModelResponse([ToolCallPart("incident_search", {"filter": P1, "limit": 10})])
    body: Any = last.content if isinstance(last.content, dict) else json.loads(str(last.content))
    if "slug" in body:
        CHECKS.refused(body)
        return ModelResponse([TextPart("done")])
    if last.tool_name == "incident_search":
        CHECKS.searched(body, HOUSE)
        ref = next(row["ref"] for row in body["data"] if row["ref"] == HOUSE.ref)
        return ModelResponse([ToolCallPart("incident_get", {"ref": ref})])
    if last.tool_name == "incident_get":
        CHECKS.got(body, HOUSE)
        change = {"ref": HOUSE.held, "changes": {"title": "Server antwortet nicht (pydantic-ai)"}}
        return ModelResponse([ToolCallPart("incident_update", change)])
    CHECKS.held(body)
    return ModelResponse([ToolCallPart("incident_get", {"ref": MISSING})])


async def main() -> None:
    toolset = MCPToolset(HOUSE.url, headers=HOUSE.headers)
    async with toolset:
        result = await Agent(FunctionModel(plan), toolsets=[toolset]).run("Look at the P1 incidents.")
    CHECKS.hold("the agent's loop ends", result.output == "done", result.output)


asyncio.run(main())
CHECKS.end()
