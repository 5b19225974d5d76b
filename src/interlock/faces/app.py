"""All faces of one gateway behind one door, as an ASGI app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from interlock.faces.door import App, Door
from interlock.faces.mcp_tools import McpTools, gateway_tools
from interlock.faces.rest import build_rest
from interlock.gateway.runtime import Runtime


class LateMcp:
    """The SDK face, imported and started at the first message that needs it: it is a third of a cold start."""

    def __init__(self, tools: McpTools, hosts: tuple[str, ...]) -> None:
        self._tools = tools
        self._hosts = hosts
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[App] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the app runs; stops the face if it was started."""
        try:
            yield
        finally:
            self._stop.set()
            if self._task is not None:
                await self._task

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._started is None:
            self._started = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._serve(self._started))
        app = await asyncio.shield(self._started)
        await app(scope, receive, send)

    async def _serve(self, started: asyncio.Future[App]) -> None:
        """Enter and leave the SDK's task group in one task, as it demands."""
        from interlock.faces.mcp_sdk import HttpMcp, agent_of_request, build_server

        try:
            face = HttpMcp(build_server(self._tools, agent_of_request), self._hosts)
            async with face.running():
                started.set_result(face)
                await self._stop.wait()
        except Exception as error:
            if started.done():
                raise
            self._started = None  # the next message tries again
            started.set_exception(error)


def build_app(runtime: Runtime, *, thin: bool = True) -> App:
    """REST, MCP, health and metrics of an open gateway."""
    tools = gateway_tools(runtime)
    mcp = LateMcp(tools, runtime.hosts)
    return Door(runtime, build_rest(runtime, mcp.running), mcp, tools, thin=thin)
