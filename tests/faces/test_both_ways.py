"""One answer by every way: straight to the socket, by the thin ASGI path, and by FastAPI and the SDK.

Each request goes all ways and the answers are compared whole: status, content type, body. The ways differ in
cost only. Single deviations from a good request are listed; hypothesis mixes them.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.faces.faces_house import House

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: MODERN, CAPABILITIES: {}}
LEFT_OUT = object()
MOVING = {"call_id", "observed_at", "age_s", "cursor"}  # a cursor holds the second it ends at
Headers = list[tuple[str, str]]


def steady(value: Any) -> Any:
    """An answer without ids of calls and times; JSON inside text is looked into."""
    if isinstance(value, dict):
        return {name: "*" if name in MOVING else steady(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [steady(entry) for entry in value]
    if isinstance(value, str) and value.startswith("{"):
        return steady(json.loads(value))
    return value


def answer(house: House, url: str, path: str, headers: Headers, body: bytes) -> tuple[int, str | None, Any]:
    found = house.client.post(f"{url}{path}", content=body, headers=headers)
    kind = found.headers.get("content-type")
    content = steady(found.json()) if kind and "json" in kind and found.content else found.text
    return found.status_code, kind, content


def same(house: House, path: str, headers: Headers, body: bytes) -> tuple[int, str | None, Any]:
    """The answer, which must be one by all ways."""
    full = answer(house, house.full, path, headers, body)
    assert answer(house, house.thin, path, headers, body) == full
    assert answer(house, house.lean, path, headers, body) == full
    return full


def request(house: House, version: str | None, message: Any, change: dict[str, Any]) -> tuple[Headers, bytes]:
    """A good request, with changes: a header's name to its value, a list of values, or ``LEFT_OUT``."""
    params = message.get("params") if isinstance(message, dict) else None
    headers: dict[str, Any] = {
        "authorization": f"Bearer {house.key}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    if version is not None:
        headers["mcp-protocol-version"] = version
    if version == MODERN and isinstance(message, dict):
        headers["mcp-method"] = message.get("method", "")
        if isinstance(params, dict) and isinstance(params.get("name"), str):
            headers["mcp-name"] = params["name"]
    headers.update(change)
    flat: Headers = []
    for name, value in headers.items():
        if value is not LEFT_OUT:
            flat += [(name, entry) for entry in (value if isinstance(value, list) else [value])]
    return flat, message if isinstance(message, bytes) else json.dumps(message).encode()


def call(version: str | None, name: str, arguments: Any = LEFT_OUT, **more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {"name": name}
    if arguments is not LEFT_OUT:
        params["arguments"] = arguments
    return message(version, "tools/call", {**params, **more})


def message(version: str | None, method: str, params: Any = None, **more: Any) -> dict[str, Any]:
    params = dict(params or {})
    if version == MODERN:
        params.setdefault("_meta", META)
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}


VERSIONS = [MODERN, *LEGACY]


ODD_CAPABILITIES: list[Any] = [
    {"sampling": 5},
    {"elicitation": {"form": 5}},
    {"elicitation": {"form": {}}},
    {"roots": {"listChanged": True}},
    {"extensions": {"x/y": 3}},
    {"own": {}},
]


def messages(version: str | None) -> Iterator[tuple[str, Any]]:
    """Messages of every sort: good, wrong in the protocol, wrong in the tool."""
    yield "list", message(version, "tools/list")
    yield "whoami", call(version, "whoami", {})
    yield "search", call(version, "incident_search", {"limit": 3})
    yield "held back", call(version, "incident_create", {"title": "Ä", "dry_run": True})
    yield "no record", call(version, "incident_get", {"ref": "snow:incident:INC9999999"})
    yield "wrong argument", call(version, "incident_search", {"limit": "3"})
    yield "unknown argument", call(version, "incident_search", {"limits": 3})
    yield "unknown tool", call(version, "incident_delete", {})
    yield "arguments left out", call(version, "whoami")
    yield "arguments null", call(version, "whoami", None)
    yield "arguments a list", call(version, "whoami", [])
    yield "no name", message(version, "tools/call", {"arguments": {}})
    yield "name a number", message(version, "tools/call", {"name": 3, "arguments": {}})
    yield "name a list", message(version, "tools/call", {"name": [], "arguments": {}})
    yield "name nothing", message(version, "tools/call", {"name": "", "arguments": {}})
    yield "more parameters", call(version, "whoami", {}, more=1)
    yield "list with a cursor", message(version, "tools/list", {"cursor": "x"})
    yield "list with more", message(version, "tools/list", {"more": 1})
    yield "progress token", call(version, "whoami", {}, _meta={**META, "progressToken": 5})
    yield "progress token a list", call(version, "whoami", {}, _meta={**META, "progressToken": []})
    yield "log level", call(version, "whoami", {}, _meta={**META, "io.modelcontextprotocol/logLevel": "info"})
    yield "log level unknown", call(version, "whoami", {}, _meta={**META, "io.modelcontextprotocol/logLevel": "x"})
    yield "meta a number", message(version, "tools/list", {"_meta": 5})
    for number, odd in enumerate(ODD_CAPABILITIES):
        yield f"capabilities {number}", message(version, "tools/list", {"_meta": {**META, CAPABILITIES: odd}})
    yield "no meta", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    yield "no parameters", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    yield "meta of another version", message(version, "tools/list", {"_meta": {**META, VERSION: "2025-11-25"}})
    yield "meta without capabilities", message(version, "tools/list", {"_meta": {VERSION: MODERN}})
    yield "capabilities a list", message(version, "tools/list", {"_meta": {**META, CAPABILITIES: []}})
    yield (
        "client info",
        message(
            version,
            "tools/list",
            {"_meta": {**META, "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}},
        ),
    )
    yield (
        "client info of another shape",
        message(version, "tools/list", {"_meta": {**META, "io.modelcontextprotocol/clientInfo": 5}}),
    )
    yield (
        "client info with icons",
        message(
            version,
            "tools/list",
            {"_meta": {**META, "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1", "icons": "x"}}},
        ),
    )
    yield (
        "client info with an address",
        message(
            version,
            "tools/list",
            {"_meta": {**META, "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1", "websiteUrl": ":"}}},
        ),
    )
    yield "trace context", message(version, "tools/list", {"_meta": {**META, "traceparent": "00-1-1-00"}})
    for name, id in (("text", "abc"), ("empty", ""), ("float", 1.5), ("null", None), ("bool", True), ("list", [])):  # noqa: A001
        yield f"id {name}", {**message(version, "tools/list"), "id": id}
    yield "id large", {**message(version, "tools/list"), "id": 2**60}
    yield "no id", {"jsonrpc": "2.0", "method": "tools/list", "params": {"_meta": META}}
    yield "another jsonrpc", {**message(version, "tools/list"), "jsonrpc": "1.0"}
    yield "member beside", {**message(version, "tools/list"), "extra": 1}
    yield "batch", [message(version, "tools/list")]
    yield "no json", b"{"
    yield "not a number", b'{"jsonrpc":"2.0","id":NaN,"method":"tools/list","params":{}}'
    yield "nothing", b""
    yield "text", b'"tools/list"'
    yield (
        "twice a name",
        (
            b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list","params":{"_meta":'
            + json.dumps(META).encode()
            + b"}}"
        ),
    )
    for method in ("ping", "prompts/list", "resources/list", "server/discover", "logging/setLevel", "no/such"):
        yield method, message(version, method)


CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "no accept": {"accept": LEFT_OUT},
    "accept anything": {"accept": "*/*"},
    "accept application": {"accept": "application/*"},
    "accept json only": {"accept": "application/json"},
    "accept streams only": {"accept": "text/event-stream"},
    "accept with qualities": {"accept": "application/json;q=0.5, text/event-stream;q=0.1"},
    "accept in capitals": {"accept": "Application/JSON, Text/Event-Stream"},
    "accept twice": {"accept": ["application/json", "text/event-stream"]},
    "accept what only looks like it": {"accept": "application/jsonx, text/event-streams"},
    "charset": {"content-type": "application/json; charset=utf-8"},
    "type in capitals": {"content-type": "Application/JSON"},
    "no type": {"content-type": LEFT_OUT},
    "text": {"content-type": "text/plain"},
    "type twice": {"content-type": ["application/json", "application/json"]},
    "own origin": {"origin": "http://127.0.0.1:1"},
    "foreign origin": {"origin": "https://evil.example.com"},
    "foreign host": {"host": "evil.example.com"},
    "local host": {"host": "localhost:8080"},
    "host without a port": {"host": "127.0.0.1"},
    "session": {"mcp-session-id": "abc"},
    "no version": {"mcp-protocol-version": LEFT_OUT},
    "version twice": {"mcp-protocol-version": [MODERN, MODERN]},
    "unknown version": {"mcp-protocol-version": "2031-01-01"},
    "old version": {"mcp-protocol-version": "2024-11-05"},
    "wrong method": {"mcp-method": "tools/call!"},
    "method in capitals": {"mcp-method": "Tools/List"},
    "no method": {"mcp-method": LEFT_OUT},
    "method twice": {"mcp-method": ["tools/list", "tools/list"]},
    "wrong name": {"mcp-name": "incident_create"},
    "name in capitals": {"mcp-name": "WHOAMI"},
    "no name": {"mcp-name": LEFT_OUT},
    "name in base64": {"mcp-name": "=?base64?d2hvYW1p?="},
    "parameter header": {"mcp-param-limit": "3"},
    "last event": {"last-event-id": "1"},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_message(house: House, version: str) -> None:
    statuses = set()
    for name, body in messages(version):
        headers, raw = request(house, version, body, {})
        try:
            statuses.add(same(house, "/mcp", headers, raw)[0])
        except AssertionError as error:
            raise AssertionError(f"{version}, {name}: {error}") from error
    assert {200, 400} <= statuses


@pytest.mark.parametrize("version", [MODERN, LEGACY[0]])
@pytest.mark.parametrize("change", CHANGES)
def test_every_header(house: House, version: str, change: str) -> None:
    for body in (message(version, "tools/list"), call(version, "whoami", {})):
        headers, raw = request(house, version, body, CHANGES[change])
        same(house, "/mcp", headers, raw)


@given(
    version=st.sampled_from(VERSIONS),
    which=st.integers(0, 200),
    change=st.lists(st.sampled_from(sorted(CHANGES)), max_size=3),
    path=st.sampled_from(["/mcp", "/mcp/"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mixed(house: House, version: str, which: int, change: list[str], path: str) -> None:
    found = list(messages(version))
    changes: dict[str, Any] = {}
    for name in change:
        changes.update(CHANGES[name])
    headers, raw = request(house, version, found[which % len(found)][1], changes)
    same(house, path, headers, raw)


def test_the_fast_ways_are_taken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison would compare the SDK with itself."""
    from interlock.faces.mcp_thin import ThinMcp

    taken = []
    original = ThinMcp.answer

    async def spy(self: ThinMcp, *arguments: Any) -> bytes | None:
        found = await original(self, *arguments)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(ThinMcp, "answer", spy)
    for version in VERSIONS:
        for body in (message(version, "tools/list"), call(version, "whoami", {})):
            headers, raw = request(house, version, body, {})
            same(house, "/mcp", headers, raw)
    assert taken == [True] * len(VERSIONS) * 2 * 2


def test_space_around_header_values_is_no_part_of_them(house: House) -> None:
    body = json.dumps(call(MODERN, "whoami", {})).encode()
    answers = []
    for url in (house.full, house.thin, house.lean):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.putrequest("POST", "/mcp")
        for name, value in request(house, MODERN, call(MODERN, "whoami", {}), {"mcp-name": "  whoami\t "})[0]:
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        found = connection.getresponse()
        answers.append((found.status, steady(json.loads(found.read()))))
        connection.close()
    assert answers[0][0] == 200
    assert answers[0] == answers[1] == answers[2]


REST: list[tuple[str, str, bytes, dict[str, Any]]] = [
    ("search", "incident_search", b'{"limit": 3}', {}),
    ("no body", "whoami", b"", {}),
    ("no record", "incident_get", b'{"ref": "snow:incident:INC9999999"}', {}),
    ("wrong argument", "incident_search", b'{"limit": "3"}', {}),
    ("dry run", "incident_create", b'{"title": "x", "dry_run": true}', {}),
    ("list", "whoami", b"[]", {}),
    ("no json", "whoami", b"{", {}),
    ("text", "whoami", b"{}", {"content-type": "text/plain"}),
    ("no type", "whoami", b"{}", {"content-type": LEFT_OUT}),
    ("charset", "whoami", b"{}", {"content-type": "application/json; charset=utf-8"}),
    ("no key", "whoami", b"{}", {"authorization": LEFT_OUT}),
    ("wrong key", "whoami", b"{}", {"authorization": "Bearer x"}),
    ("unknown tool", "incident_delete", b"{}", {}),
    ("unknown tool without a key", "incident_delete", b"{}", {"authorization": LEFT_OUT}),
    ("tool with a slash", "whoami/", b"{}", {}),
    ("tool below", "whoami/x", b"{}", {}),
    ("no tool", "", b"{}", {}),
    ("tool escaped", "who%61mi", b"{}", {}),
    ("tool with a query", "whoami?x=1", b"{}", {}),
    ("large", "whoami", b'{"a": "' + b"x" * 1_000_001 + b'"}', {}),
]


@pytest.mark.parametrize(("tool", "body", "change"), [row[1:] for row in REST], ids=[row[0] for row in REST])
def test_rest(house: House, tool: str, body: bytes, change: dict[str, Any]) -> None:
    headers, _ = request(house, None, {}, change)
    same(house, f"/v1/tools/{tool}", headers, body)
