"""What every mock server needs below its product: reading and writing over ASGI, sockets, a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mock_servers.faults import Answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application(Protocol):
    """An ASGI application that stops waiting when ``closing`` is set."""

    @property
    def closing(self) -> asyncio.Event: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Client:
    """The client's end of one request."""

    def __init__(self, scope: Scope, receive: Receive, closing: asyncio.Event) -> None:
        self._transport = scope.get("extensions", {}).get("transport")
        self._receive = receive
        self._closing = closing

    async def gone(self) -> None:
        """Return once the client gave up or the server closes."""
        left = asyncio.ensure_future(self._left())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({left, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            closing.cancel()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def drop(self) -> None:
        """Close the connection at once, without an answer."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()


async def body(receive: Receive, most: int) -> bytes | None:
    """The request's body; None if it is longer than ``most`` bytes."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        length += len(part)
        if length <= most:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if length <= most else None


async def write(send: Send, answer: Answer, client: Client | None = None) -> None:
    """Write an answer. One that says a greater length than it has is a truncated one: cut and closed."""
    promised = next((int(value) for name, value in answer.headers if name == "Content-Length"), None)
    headers = [(b"date", _date(int(time.time())))]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if promised is None and answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    cut = client is not None and promised is not None and promised > len(answer.body)
    await send({"type": "http.response.body", "body": answer.body, "more_body": cut})
    if cut and client is not None:
        client.close()
        await client.gone()


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


class _Protocol(HttpToolsProtocol):
    """Gives the application the transport, so that it can drop a connection as networks do."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"transport": self.transport}  # type: ignore[dict-item]


@contextlib.asynccontextmanager
async def listening(app: Application, host: str, port: int, tls: Mapping[str, str]) -> AsyncIterator[int]:
    """Serve on one socket; gives its port. Closing cuts every connection: no client is waited for.

    uvicorn's protocol without its server: that polls, and owns signals and logging, which are the caller's.
    """
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        ssl_certfile=tls.get("ssl_certfile"),
        ssl_keyfile=tls.get("ssl_keyfile"),
    )
    config.load()
    state = ServerState()
    listener = socket.create_server((host, port), backlog=512)
    # asyncio does this only for sockets that name their protocol; without it each answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = await loop.create_server(
        lambda: _Protocol(config, state, {}, _loop=loop), sock=listener, ssl=config.ssl, backlog=512
    )
    try:
        yield listener.getsockname()[1]
    finally:
        app.closing.set()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if tasks := list(state.tasks):
            await asyncio.wait(tasks, timeout=2)


@contextlib.contextmanager
def in_thread(server: AbstractAsyncContextManager[object], name: str) -> Iterator[None]:
    """Run a server in a thread with a loop of its own, for callers without one."""
    ready, failed, stop = threading.Event(), list[BaseException](), list[Callable[[], Any]]()

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with server:
            ready.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    ready.wait()
    if failed:
        raise failed[0]
    try:
        yield
    finally:
        stop[0]()
        thread.join(10)
