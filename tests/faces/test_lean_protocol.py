"""The short way of hot requests, from the wire: pieces, pipelines, closing, and what it leaves to uvicorn."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.faces.faces_house import House

WHOAMI = b"{}"


def request(
    house: House, path: str = "/v1/tools/whoami", body: bytes = WHOAMI, *more: str, method: str = "POST"
) -> bytes:
    head = [
        f"{method} {path} HTTP/1.1",
        f"host: {urlsplit(house.lean).netloc}",
        f"authorization: Bearer {house.key}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *more,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Wire:
    """A connection that reads whole answers."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=10)
        self.file = self.socket.makefile("rb")

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers["content-length"]))

    def ended(self) -> bool:
        return self.file.read(1) == b""


@pytest.fixture
def wire(house: House) -> Iterator[Wire]:
    found = Wire(house.lean)
    yield found
    found.file.close()
    found.socket.close()


def test_many_requests_one_connection(house: House, wire: Wire) -> None:
    for _ in range(3):
        wire.socket.sendall(request(house))
        status, headers, body = wire.answer()
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body)["data"]["id"] == "everything"
        assert "date" in headers


def test_a_request_in_single_bytes(house: House, wire: Wire) -> None:
    for byte in request(house):
        wire.socket.sendall(bytes([byte]))
    assert wire.answer()[0] == 200


def test_pipelined_requests_are_answered_in_order(house: House, wire: Wire) -> None:
    slow = json.dumps({"limit": 50}).encode()
    wire.socket.sendall(
        request(house, "/v1/tools/incident_search", slow)
        + request(house)
        + request(house, "/healthz", b"", method="GET")
        + request(house, "/v1/tools/no_such_tool")
    )
    answers = [wire.answer() for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 404]
    assert len(json.loads(answers[0][2])["data"]) == 50
    assert json.loads(answers[1][2])["data"]["id"] == "everything"
    assert json.loads(answers[2][2])["status"] == "ok"


def test_the_connection_is_closed_when_the_client_asks(house: House, wire: Wire) -> None:
    wire.socket.sendall(request(house, "/v1/tools/whoami", WHOAMI, "connection: close"))
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert wire.ended()


def test_what_the_short_way_does_not_know_goes_the_long_way(house: House, wire: Wire) -> None:
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    accept = "accept: application/json, text/event-stream"
    for _ in range(2):
        wire.socket.sendall(request(house, "/mcp", json.dumps(initialize).encode(), accept))
        status, _, body = wire.answer()
        assert (status, json.loads(body)["result"]["serverInfo"]["name"]) == (200, "interlock")
    wire.socket.sendall(request(house))
    assert wire.answer()[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "more", "status"),
    [
        ("/v1/tools/whoami?x=1", WHOAMI, (), 200),
        ("/v1/tools/whoam%69", WHOAMI, (), 200),
        ("/v1/tools/whoami", b"[]", (), 422),
        ("/v1/tools/whoami", b"{", (), 422),
        ("/v1/tools/whoami", b'{"pad": "' + b"x" * 70_000 + b'"}', (), 422),
        ("/v1/tools/whoami", b'{"pad": "' + b"x" * 1_100_000 + b'"}', (), 413),
    ],
)
def test_odd_requests(house: House, wire: Wire, path: str, body: bytes, more: tuple[str, ...], status: int) -> None:
    wire.socket.sendall(request(house, path, body, *more))
    assert wire.answer()[0] == status


def test_expect_continue_is_answered(house: House, wire: Wire) -> None:
    whole = request(house, "/v1/tools/whoami", WHOAMI, "expect: 100-continue")
    wire.socket.sendall(whole[: -len(WHOAMI)])
    assert wire.file.readline().split()[1] == b"100"
    assert wire.file.readline() == b"\r\n"
    wire.socket.sendall(WHOAMI)
    assert wire.answer()[0] == 200


def test_a_client_that_goes_away_harms_nobody(house: House) -> None:
    for cut in (20, 150, -1):
        left = Wire(house.lean)
        left.socket.sendall(request(house, "/v1/tools/incident_search", b'{"limit": 50}')[:cut])
        left.file.close()
        left.socket.close()
    there = Wire(house.lean)
    there.socket.sendall(request(house))
    assert there.answer()[0] == 200
    there.file.close()
    there.socket.close()
