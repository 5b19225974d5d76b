"""MCP without a framework for the two hottest messages: ``tools/call`` and ``tools/list`` over HTTP.

Only plainly valid requests are answered here: everything else (other methods, odd headers, errors of the
protocol) goes to the SDK, so that there is one author of protocol errors. A test sends the same requests
both ways and compares the answers. Wire facts: MCP 2026-07-28 and, stateless, 2025-03-26 to 2025-11-25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from interlock import __version__
from interlock.faces.mcp_tools import McpTools
from interlock.principals.models import Agent

MODERN = "2026-07-28"
LEGACY = frozenset({"2025-03-26", "2025-06-18", "2025-11-25"})
NAME = "interlock"
LIST_TTL_MS = 60_000
LIST_SCOPE: Literal["private"] = "private"

_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_SERVER_KEY = "io.modelcontextprotocol/serverInfo"
_ROUTING = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")

_CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
_JUDGED = frozenset({"progressToken", "io.modelcontextprotocol/logLevel"})
_JSON = "application/json"
_BOTH = frozenset({f"{_JSON}, text/event-stream", f"{_JSON},text/event-stream", f"text/event-stream, {_JSON}"})

SERVER_INFO = {"name": NAME, "version": __version__}


class ThinMcp:
    """Answers what it can as bytes; None means: let the SDK do it."""

    def __init__(self, tools: McpTools, knows_host: Callable[[str], bool]) -> None:
        self._tools = tools
        self._knows_host = knows_host
        self._lists: dict[tuple[str, ...], bytes] = {}

    async def answer(self, agent: Agent, raw_headers: list[tuple[bytes, bytes]], raw: bytes) -> bytes | None:
        """The JSON-RPC answer to a plain tools/call or tools/list."""
        headers = _headers(raw_headers)
        if headers is None or not self._plain(headers):
            return None
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or len(message) != 4:
            return None
        id, method, params = message.get("id"), message.get("method"), message.get("params")  # noqa: A001
        if not isinstance(id, int | str) or isinstance(id, bool) or not isinstance(params, dict):
            return None
        version = headers.get(b"mcp-protocol-version")
        modern = version == MODERN
        meta = params.get("_meta", {})
        if not isinstance(meta, dict) or not meta.keys().isdisjoint(_JUDGED):
            return None
        if modern:
            if not _envelope_agrees(headers, method, params, meta):
                return None
        elif version not in LEGACY or b"mcp-session-id" in headers:
            return None
        if method == "tools/call":
            result = await self._call(agent, params, modern)
        elif method == "tools/list" and not params.keys() - {"_meta"}:
            result = self._list(agent, modern)
        else:
            return None
        return None if result is None else b'{"jsonrpc":"2.0","id":' + orjson.dumps(id) + b',"result":' + result + b"}"

    def _plain(self, headers: Mapping[bytes, str]) -> bool:
        accept = headers.get(b"accept")
        if accept not in _BOTH and not (accept == _JSON and headers.get(b"mcp-protocol-version") == MODERN):
            return False
        if headers.get(b"content-type", "").partition(";")[0] != _JSON:
            return False
        return b"origin" not in headers and self._knows_host(headers.get(b"host", ""))

    async def _call(self, agent: Agent, params: dict[str, Any], modern: bool) -> bytes | None:
        name, arguments = params.get("name"), params.get("arguments", {})
        if (
            not isinstance(name, str)
            or name not in self._tools.plain
            or not isinstance(arguments, dict)
            or params.keys() - {"name", "arguments", "_meta"}
        ):
            return None
        result = await self._tools.call(agent, name, arguments)
        if modern:
            result["resultType"] = "complete"
            result["_meta"] = {**result.get("_meta", {}), _SERVER_KEY: SERVER_INFO}
        return orjson.dumps(result)

    def _list(self, agent: Agent, modern: bool) -> bytes:
        names = self._tools.shown(agent)
        key = (MODERN if modern else "", *names)
        found = self._lists.get(key)
        if found is None:
            result: dict[str, Any] = {"tools": self._tools.listed(agent)}
            if modern:
                result.update(
                    resultType="complete",
                    ttlMs=LIST_TTL_MS,
                    cacheScope=LIST_SCOPE,
                    _meta={_SERVER_KEY: SERVER_INFO},
                )
            if len(self._lists) > 256:
                self._lists.clear()
            found = self._lists[key] = orjson.dumps(result)
        return found


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[bytes, str] | None:
    """Headers by name, or None when one that decides anything stands twice or is a parameter header."""
    found: dict[bytes, str] = {}
    for name, value in raw:
        if name in found and (name in _ROUTING or name in (b"host", b"accept", b"content-type")):
            return None
        if name.startswith(b"mcp-param-"):
            return None
        found[name] = value.strip(b" \t").decode("latin-1")
    return found


def _envelope_agrees(
    headers: Mapping[bytes, str], method: object, params: Mapping[str, Any], meta: Mapping[str, Any]
) -> bool:
    return (
        meta.get(_VERSION_KEY) == MODERN
        and _plain_capabilities(meta.get(_CAPABILITIES_KEY))
        and _plain_client(meta.get(_CLIENT_KEY, _NOBODY))
        and headers.get(b"mcp-method") == method
        and (method != "tools/call" or headers.get(b"mcp-name") == params.get("name"))
    )


_NOBODY = {"name": "", "version": ""}


def _plain_client(info: object) -> bool:
    """A name, a version, perhaps a title."""
    return (
        isinstance(info, dict)
        and info.keys() - {"title"} == {"name", "version"}
        and all(type(value) is str for value in info.values())
    )


def _plain_capabilities(found: object) -> bool:
    """Capabilities without options, or whose options have none."""
    return isinstance(found, dict) and all(
        type(one) is dict and all(option == {} for option in one.values()) for one in found.values()
    )
