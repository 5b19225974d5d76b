"""The front door: a thin ASGI app that answers the hottest requests itself and hands all others on.

Hot are ``POST /v1/tools/{tool}`` and, on ``/mcp``, ``tools/call`` and ``tools/list``. They go through the
same ``Pipeline.handle`` as everything else; only frameworks are skipped. ``thin=False`` hands everything on:
a test sends the same requests both ways and compares.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from interlock.faces import answers, identity
from interlock.faces.mcp_thin import ThinMcp
from interlock.faces.mcp_tools import McpTools
from interlock.gateway.runtime import Runtime
from interlock.records.problems import Problem, Slug

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 1_000_000
_TOOLS = "/v1/tools/"


class Door:
    """Routes by path; ``rest`` and ``mcp`` are the full faces behind it."""

    def __init__(self, runtime: Runtime, rest: App, mcp: App, tools: McpTools, *, thin: bool = True) -> None:
        self._runtime = runtime
        self._rest = rest
        self._mcp = mcp
        self._thin = thin
        self._thin_mcp = ThinMcp(tools, runtime.knows_host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(_TOOLS) and scope["method"] == "POST" and self._thin:
            status, body, headers = await self._tool(path[len(_TOOLS) :], scope, receive)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        if path == "/mcp" or path == "/mcp/":
            await self._mcp_request(scope, receive, send)
            return
        await self._rest(scope, receive, send)

    async def _tool(self, name: str, scope: Scope, receive: Receive) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        try:
            raw = await read_body(receive)
            return await call_tool(
                self._runtime, name, header(scope, b"authorization"), header(scope, b"content-type"), raw
            )
        except Problem as problem:
            return answers.of_problem(problem)

    async def _mcp_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            agent = identity.agent(self._runtime.principals, header(scope, b"authorization"))
        except Problem as problem:
            status, body, headers = answers.of_problem(problem)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        # The parser leaves white space behind values, which HTTP says is no part of them.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        scope["interlock.agent"] = agent
        if scope["method"] != "POST":
            await self._mcp(scope, receive, send)
            return
        try:
            raw = await read_body(receive)
        except Problem as problem:
            status, body, headers = answers.of_problem(problem)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        if self._thin and (reply := await self._thin_mcp.answer(agent, scope, raw)) is not None:
            await send(
                {"type": "http.response.start", "status": 200, "headers": answers.headers(200, reply, answers.JSON, [])}
            )
            await send({"type": "http.response.body", "body": reply})
            return
        await self._mcp(scope, _again(raw, receive), send)


async def call_tool(
    runtime: Runtime, name: str, authorization: str | None, content_type: str | None, raw: bytes
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Answer ``POST /v1/tools/{name}``; both REST ways end here."""
    try:
        agent = identity.agent(runtime.principals, authorization)
        if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/json":
            raise answers.bad_json("is not application/json")
        try:
            arguments = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            raise answers.bad_json(f"is not JSON ({error})") from None
        if not isinstance(arguments, dict):
            raise answers.bad_json("is not a JSON object")
    except Problem as problem:
        return answers.of_problem(problem)
    return answers.rest(await runtime.pipeline.handle(agent, name, arguments, "rest"))


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


async def read_body(receive: Receive) -> bytes:
    """The whole request body, bounded. Raises too-large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > MAX_BODY:
            raise _too_large()
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise _too_large()
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(Slug.TOO_LARGE, f"the body is over {MAX_BODY} bytes", next_step="Send less in one call.")


def _again(raw: bytes, receive: Receive) -> Receive:
    """A receive channel that gives an already read body once, then the original channel."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return replay
