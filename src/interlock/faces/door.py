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
Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, bytes, Headers]
"""Status, body, headers."""

MAX_BODY = 1_000_000
_TOOLS = "/v1/tools/"
_MCP = frozenset({"/mcp", "/mcp/"})


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
        if path in _MCP:
            await self._mcp_request(scope, receive, send)
        elif self._thin and scope["method"] == "POST" and path.startswith(_TOOLS):
            try:
                answer = await self._tool(path, scope["headers"], await read_body(receive))
            except Problem as problem:
                answer = answers.of_problem(problem)
            await _send(send, answer)
        else:
            await self._rest(scope, receive, send)

    def is_hot(self, path: str) -> bool:
        """Whether a POST to this path may be answered without ASGI (see ``lean``)."""
        return self._thin and (path in _MCP or (path.startswith(_TOOLS) and "?" not in path and "%" not in path))

    async def hot(self, path: str, headers: Headers, raw: bytes) -> Answer | None:
        """Answer a hot POST, or None: it has to go through ASGI."""
        if path.startswith(_TOOLS):
            return await self._tool(path, headers, raw)
        try:
            agent = identity.agent(self._runtime.principals, header(headers, b"authorization"))
        except Problem as problem:
            return answers.of_problem(problem)
        reply = await self._thin_mcp.answer(agent, headers, raw)
        return None if reply is None else _ok(reply)

    async def _tool(self, path: str, headers: Headers, raw: bytes) -> Answer:
        name = path[len(_TOOLS) :]
        return await call_tool(
            self._runtime, name, header(headers, b"authorization"), header(headers, b"content-type"), raw
        )

    async def _mcp_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            agent = identity.agent(self._runtime.principals, header(scope["headers"], b"authorization"))
            scope["headers"] = _stripped(scope["headers"])
            scope["interlock.agent"] = agent
            if scope["method"] != "POST":
                await self._mcp(scope, receive, send)
                return
            raw = await read_body(receive)
        except Problem as problem:
            await _send(send, answers.of_problem(problem))
            return
        if self._thin and (reply := await self._thin_mcp.answer(agent, scope["headers"], raw)) is not None:
            await _send(send, _ok(reply))
            return
        await self._mcp(scope, _again(raw, receive), send)


def _stripped(headers: Headers) -> Headers:
    """The parser leaves white space behind values, which HTTP says is no part of them."""
    return [(name, value.strip(b" \t")) for name, value in headers]


def _ok(body: bytes) -> Answer:
    return 200, body, answers.headers(200, body, answers.JSON, [])


async def _send(send: Send, answer: Answer) -> None:
    status, body, headers = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def call_tool(
    runtime: Runtime, name: str, authorization: str | None, content_type: str | None, raw: bytes
) -> Answer:
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


def header(headers: Headers, name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in headers:
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
