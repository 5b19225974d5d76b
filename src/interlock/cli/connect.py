"""``interlock connect``: what to paste into a client."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import orjson
import typer

from interlock.cli.options import DEFAULT_URL, Url


class Client(StrEnum):
    claude = "claude"
    openai = "openai"
    cursor = "cursor"


_OPENAI = """\
# pip install openai-agents
import asyncio, os
from agents import Agent, Runner
from agents.mcp import MCPServerStreamableHttp

async def main() -> None:
    headers = {{"Authorization": f"Bearer {{os.environ['INTERLOCK_KEY']}}"}}
    async with MCPServerStreamableHttp(params={{"url": "{url}/mcp", "headers": headers}}) as interlock:
        agent = Agent(name="triage", instructions="Triage incidents.", mcp_servers=[interlock])
        print((await Runner.run(agent, "Which P1 incidents are open?")).final_output)

asyncio.run(main())
"""


def connect(client: Annotated[Client, typer.Argument(help="The client.")], url: Url = DEFAULT_URL) -> None:
    """Print the client's configuration for this gateway; the key is read from INTERLOCK_KEY."""
    if client is Client.openai:
        typer.echo(_OPENAI.format(url=url))
        return
    server = {"type": "http", "url": f"{url}/mcp", "headers": {"Authorization": "Bearer ${INTERLOCK_KEY}"}}
    if client is Client.cursor:
        server = {"url": f"{url}/mcp", "headers": {"Authorization": "Bearer ${env:INTERLOCK_KEY}"}}
    place = {"claude": ".mcp.json of the project", "cursor": ".cursor/mcp.json"}[client.value]
    typer.echo(f"{place}:", err=True)
    typer.echo(orjson.dumps({"mcpServers": {"interlock": server}}, option=orjson.OPT_INDENT_2).decode())
