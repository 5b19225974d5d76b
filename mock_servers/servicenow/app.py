"""The ASGI side: reads requests, carries faults out, writes answers. No framework: benchmarks run on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from mock_servers.faults import Answer, Faults, Performer
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.control import PREFIX, Control
from mock_servers.servicenow.instance import Call, Instance, SnowDialect

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Client:
    """The client's end of one request."""

    def __init__(self, scope: Scope, receive: Receive, closing: asyncio.Event) -> None:
        self._transport = scope.get("extensions", {}).get("transport")
        self._receive = receive
        self._closing = closing

    async def gone(self) -> None:
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
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()


class App:
    """The ASGI application over one instance."""

    def __init__(self, instance: Instance, faults: Faults, clock: InstanceClock) -> None:
        self.instance = instance
        self.faults = faults
        self.performer = Performer(SnowDialect(instance.switches))
        self.clock = clock
        self.control = Control(instance, faults, self.performer, clock)
        self.bases: dict[str, str] = {}
        self._sessions: dict[str, tuple[asyncio.Lock, list[int]]] = {}
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        call = Call(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            headers,
            await _body(receive) if b"content-length" in headers or b"transfer-encoding" in headers else b"",
            self.instance.switches.link_base or self.bases.get(scope["scheme"], ""),
        )
        if call.path.startswith(PREFIX):
            await _send(send, self.control.answer(call), self.clock.base())
            return
        self.control.requests[call.method] += 1
        session = call.header(b"cookie") if self.instance.switches.session_queue else ""
        client = _Client(scope, receive, self.performer.closing)
        if session:
            answer = await self._in_session(session, call, client)
        else:
            answer = await self._answer(call, client)
        if answer is None:
            await client.gone()
            return
        await _send(send, self._with_session(answer, session), self.clock.base(), client)

    async def _answer(self, call: Call, client: _Client) -> Answer | None:
        latency, rule = self.faults.draw(call.method, call.target, call.body)
        if latency:
            await self.performer.pause(latency)
        if rule is None:
            return self.instance.answer(call)
        return await self.performer.perform(rule, lambda: self.instance.answer(call), client)

    async def _in_session(self, session: str, call: Call, client: _Client) -> Answer | None:
        """Requests of one session run one at a time; too many in the queue are dropped with 202."""
        lock, waiting = self._sessions.setdefault(session, (asyncio.Lock(), [0]))
        if waiting[0] > self.instance.switches.session_queue:
            return Answer(202)
        waiting[0] += 1
        try:
            async with lock:
                return await self._answer(call, client)
        finally:
            waiting[0] -= 1

    def _with_session(self, answer: Answer, session: str) -> Answer:
        self._count += 1
        headers = (*answer.headers, ("X-Transaction-ID", f"{self._count:012x}"))
        if self.instance.switches.session_queue and "JSESSIONID=" not in session:
            headers = (*headers, ("Set-Cookie", f"JSESSIONID={self._count:032X}; Path=/; HttpOnly"))
        return Answer(answer.status, headers, answer.body)


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, answer: Answer, at: float, client: _Client | None = None) -> None:
    """Write an answer. One that says a greater length than it has is a truncated one: cut and closed."""
    promised = next((int(value) for name, value in answer.headers if name == "Content-Length"), None)
    headers = [(b"date", _date(int(at)))]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if promised is None and answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    cut = client is not None and promised is not None and promised > len(answer.body)
    await send({"type": "http.response.body", "body": answer.body, "more_body": cut})
    if cut and client is not None:
        client.close()
        await client.gone()
