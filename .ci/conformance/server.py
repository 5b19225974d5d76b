"""The server that the MCP conformance suite is run against: the gateway's own faces and tools, and the suite's.

The suite calls tools with names and answers of its own and can send no key. So this server lists those tools
beside the catalogue, through the same faces, and puts the key of a test principal on requests that carry none.
It listens on the loopback address only. Prints one JSON line with its address when it is ready.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.shared.exceptions import MCPError
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store

from interlock.cli.declarations import declared
from interlock.cli.demo_gateway import config_for
from interlock.clock import SystemClock
from interlock.faces.door import App, Door
from interlock.faces.mcp_sdk import HttpMcp, agent_of_request, build_server
from interlock.faces.mcp_tools import McpTools, gateway_tools
from interlock.faces.rest import build_rest
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.principals.models import Agent
from interlock.records import times
from interlock.telemetry import silent_telemetry

AGENT = """
id: conformance
owner: continuous-integration
purpose: Lets the MCP conformance suite in
tools: [triage]
stage: autonomous
read: {incident: {}, ci: {}, relationship: {}, person: {}, group: {}}
"""

NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    raw = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(raw).decode()


def wav() -> str:
    """Eight silent samples."""
    data = b"\x80" * 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(body)) + body).decode()


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def resource(uri: str, kind: str, words: str) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


IMAGE = {"type": "image", "data": png(), "mimeType": "image/png"}
AUDIO = {"type": "audio", "data": wav(), "mimeType": "audio/wav"}

FIXED: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "test_simple_text": ("Answers with text", [text("This is a simple text response for testing.")]),
    "test_image_content": ("Answers with an image", [IMAGE]),
    "test_audio_content": ("Answers with audio", [AUDIO]),
    "test_embedded_resource": (
        "Answers with a resource",
        [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
    ),
    "test_multiple_content_types": (
        "Answers with text, image and resource",
        [
            text("Multiple content types test:"),
            IMAGE,
            resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ],
    ),
    "test_logging_tool": ("Would log if logging were served", [text("Nothing is logged to clients.")]),
    "test_streaming_elicitation": ("Would ask if questions were served", [text("Nothing is asked.")]),
    "test_tool_with_progress": ("Would tell its progress if streams were served", [text("Done.")]),
    "test_missing_capability": ("Needs a client that can sample", [text("The client can sample.")]),
}
NEEDS = {"test_missing_capability": {"sampling": {}}}

ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}
DIALECT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", **ADDRESS}},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
HEADER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
    "additionalProperties": False,
}


def entry(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": schema}


FIXTURES: dict[str, dict[str, Any]] = {
    **{name: entry(name, description, NOTHING) for name, (description, _) in FIXED.items()},
    "test_error_handling": entry("test_error_handling", "Always fails", NOTHING),
    "test_custom_header": entry("test_custom_header", "Mirrors its argument into a header", HEADER_SCHEMA),
    "json_schema_2020_12_tool": entry(
        "json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", DIALECT_SCHEMA
    ),
}


def with_fixtures(product: McpTools) -> McpTools:
    """The catalogue, and after it the suite's tools."""

    def shown(agent: Agent) -> tuple[str, ...]:
        return (*product.shown(agent), *FIXTURES)

    async def call(agent: Agent, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if name not in FIXTURES:
            return await product.call(agent, name, arguments)
        if name == "test_error_handling":
            return {"content": [text("This tool intentionally returns an error for testing")], "isError": True}
        content = FIXED[name][1] if name in FIXED else [text(json.dumps(dict(arguments)))]
        return {"content": content, "isError": False}

    plain = product.plain | FIXTURES.keys() - NEEDS.keys() - {"test_custom_header"}
    return McpTools({**product.entries, **FIXTURES}, plain, shown, call)


async def demand_capabilities(context: Any, call_next: Any) -> Any:
    """SDK middleware: what a fixture needs of its client is demanded before it runs."""
    if context.method == "tools/call":
        needed = NEEDS.get((context.params or {}).get("name"), {})
        declared_ones = ((context.params or {}).get("_meta") or {}).get(CLIENT_CAPABILITIES) or {}
        if missing := {name: value for name, value in needed.items() if name not in declared_ones}:
            raise MCPError(
                types.MISSING_REQUIRED_CLIENT_CAPABILITY, "the client cannot sample", {"requiredCapabilities": missing}
            )
    return await call_next(context)


def faces(runtime: Runtime, key: str) -> App:
    """The product's faces over the widened tool list; requests without a key get the test principal's."""
    tools = with_fixtures(gateway_tools(runtime))
    server = build_server(tools, agent_of_request)
    server.middleware.append(demand_capabilities)
    mcp = HttpMcp(server, runtime.hosts)
    door = Door(runtime, build_rest(runtime, mcp.running), mcp, tools)
    bearer = (b"authorization", f"Bearer {key}".encode())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not any(name == b"authorization" for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], bearer]}
        await door(scope, receive, send)

    return app


async def serve(folder: Path) -> None:
    estate = generate(7, 200, DEFAULT_AS_OF)
    store = Store()
    store.load(tables(estate))
    async with MockServiceNow(store) as mock:
        mock.clock.set(estate.as_of)
        source = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
        }
        config = config_for({"snow": source}, folder / "state", times.to_text(estate.as_of), profile("snow"))
        async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
            runtime.store.add_agent(declared(AGENT), by="ci")
            key = runtime.store.issue("conformance", by="ci").token
            server = uvicorn.Server(uvicorn.Config(faces(runtime, key), log_level="error"))
            # Bound before it is announced: whoever connects from now on waits for the server at most.
            with socket.create_server(("127.0.0.1", 0)) as listener:
                sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}) + "\n")
                sys.stdout.flush()
                await server.serve(sockets=[listener])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="interlock-conformance-") as name:
        asyncio.run(serve(Path(name)))
