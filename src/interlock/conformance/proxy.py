"""A proxy before a source that goes wrong on purpose: one HTTP exchange a connection, bytes as they come.

It reads a whole request, passes it on (or not), reads the whole answer, and then does what its fault says. It listens
on the loopback address only, and needs nothing of the product but its address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from interlock.adapterkit.tls import tls_context
from interlock.adapterkit.wire import Trust

Name = Literal[
    "latency", "silence", "reset_before", "reset_after", "half_close", "truncated", "html", "limited",
    "bad_gateway", "wrong_charset", "too_large",
]  # fmt: skip
LATENCY_S = 1.0
TOO_LARGE = 40 * 1024 * 1024
_PIECE = b" " * 1024 * 1024
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and whether the source itself gets the request (``forwards``)."""

    name: Name
    forwards: bool


class FaultProxy:
    """Serves at ``url``. ``arm`` makes one request that holds a word in its body go wrong."""

    def __init__(self, base_url: str, trust: Trust) -> None:
        self._target = urlsplit(base_url)
        self._tls: ssl.SSLContext | None = tls_context(trust) if self._target.scheme == "https" else None
        self._fault: Fault | None = None
        self._word = b""
        self._left = 0
        self.matched = 0
        self.fired = 0
        self.url = ""

    def arm(self, fault: Fault | None, *, word: str = "", skip: int = 0) -> None:
        """Let one request go wrong that holds ``word``, after ``skip`` of them; without a fault they are counted."""
        self._fault, self._word, self._left, self.matched, self.fired = fault, word.encode(), skip, 0, 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultProxy]:
        """Listen on a free port until the end."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}{self._target.path}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _request(reader)
            if request is None:
                return
            fault = self._draw(request)
            if fault is None:
                writer.write(await self._forward(request))
            else:
                await self._fail(fault, request, reader, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # either end went away: that is what happens here
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _draw(self, request: bytes) -> Fault | None:
        head, _, body = request.partition(b"\r\n\r\n")
        if self._word and (head.startswith((b"GET ", b"HEAD ")) or self._word not in body):
            return None
        self.matched += 1
        self._left -= 1
        if self._fault is None or self._left != -1:
            return None
        self.fired += 1
        return self._fault

    async def _fail(
        self, fault: Fault, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer = await self._forward(request) if fault.forwards else b""
        head, _, body = answer.partition(b"\r\n\r\n")
        match fault.name:
            case "latency":
                await asyncio.sleep(LATENCY_S)
                writer.write(answer)
            case "silence":
                await reader.read()  # until the client gives up
            case "reset_before" | "reset_after":
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case "half_close":
                if writer.can_write_eof():
                    writer.write_eof()
                await reader.read()
            case "truncated":
                promised = b"HTTP/1.1 200 OK\r\ncontent-type: " + _type(head) + b"\r\ncontent-length: "
                whole = body or b"{}"
                writer.write(promised + str(len(whole) + 64).encode() + b"\r\n\r\n" + whole[: len(whole) // 2])
            case "html":
                writer.write(
                    _answer(b"200 OK", b"text/html; charset=utf-8", b"<html><body>Please log in</body></html>")
                )
            case "limited":
                writer.write(_answer(b"429 Too Many Requests", b"text/plain", b"slow down", b"retry-after: 7\r\n"))
            case "bad_gateway":
                writer.write(_answer(b"502 Bad Gateway", b"text/html", b"<html><h1>502 Bad Gateway</h1></html>"))
            case "wrong_charset":
                kind = _type(head).partition(b";")[0]
                broken = (
                    b'<?xml version="1.0" encoding="x-none"?><a>\xff\xfe\xe4</a>'
                    if b"xml" in kind
                    else b'{"a": "\xff\xfe\xe4"}'
                )
                writer.write(_answer(b"200 OK", kind + b"; charset=x-none", broken))
            case "too_large":
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: "
                    + _type(head)
                    + f"\r\ncontent-length: {TOO_LARGE}\r\n\r\n".encode()
                )
                for _ in range(TOO_LARGE // len(_PIECE)):
                    writer.write(_PIECE)
                    await writer.drain()

    async def _forward(self, request: bytes) -> bytes:
        host = self._target.hostname or ""
        port = self._target.port or (443 if self._tls else 80)
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"host:", b"connection:"))]
        lines += [f"Host: {self._target.netloc}".encode(), b"Connection: close"]
        reader, writer = await asyncio.open_connection(
            host, port, ssl=self._tls, server_hostname=host if self._tls else None
        )
        try:
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        start, _, rest = answer.partition(b"\r\n\r\n")
        kept = [line for line in start.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        if not start.lower().count(b"transfer-encoding: chunked"):
            kept = [line for line in kept if not line.lower().startswith(b"content-length:")]
            kept.append(f"content-length: {len(rest)}".encode())
        return b"\r\n".join([*kept, b"connection: close"]) + b"\r\n\r\n" + rest


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    """One whole request; None when the client closed without one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        body = b""
        while True:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            piece = await reader.readexactly(size + 2)
            body += line + piece
            if size == 0:
                return head + body
    length = next((int(line[15:]) for line in lower.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + (await reader.readexactly(length) if length else b"")


def _type(head: bytes) -> bytes:
    found = next((line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:")), b"")
    return found.partition(b":")[2].strip() or b"application/json"


def _answer(status: bytes, kind: bytes, body: bytes, more: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 " + status + b"\r\ncontent-type: " + kind + b"\r\n" + more
        + f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
    )  # fmt: skip
