"""The transport in our own event loop: no thread beside it, so no switch of threads a call.

Not what ``auto`` chooses: pyreqwest is, until the gateway is measured with this one.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote, urlsplit

from interlock.adapterkit.http1 import Http1Connection
from interlock.adapterkit.pool import Pool
from interlock.adapterkit.tls import tls_context
from interlock.adapterkit.wire import Answer, Call, Limits, Trust, late, unsent
from interlock.clock import Clock
from interlock.records.problems import invalid

IDLE_S = 4.0  # many servers close an unused connection after 5 s; ours must be gone by then
_URL = re.compile(r"(https?://[A-Za-z0-9._~:\[\]-]+)([/?][^#]*)?(?:#.*)?", re.DOTALL)
_TARGET = re.compile(r"/[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, halves of characters
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
# Where a request begins and ends is said here and nowhere else, or two could disagree about it.
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class AsyncioTransport:
    """Send guard: ``not_after`` is looked at when a connection is there, TLS agreed, immediately before
    head and body are given to the loop's ``transport.write`` in one piece; no code of ours runs between.
    Over plain TCP the write happens in that call. Over TLS uvloop may write at the end of the loop's turn.
    Of a body larger than the socket's buffers the rest follows as the source reads it. What remains is a
    stop of the machine between the look and the write (microseconds of code; over TLS one turn).

    A cancelled or failed call cuts its connection: nothing of it leaves any more. Nothing is sent twice.
    Speaks to the source directly, not through a proxy.
    """

    name = "asyncio"

    def __init__(self, limits: Limits, trust: Trust, clock: Clock) -> None:
        if trust.proxy:
            raise invalid(
                "transport", "asyncio", "cannot go through a proxy", "Leave transport out, or name pyreqwest or httpx."
            )
        self._limits = replace(limits, idle_s=min(limits.idle_s, IDLE_S))
        self._clock = clock
        self._tls = tls_context(trust)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pools: dict[str, Pool] = {}
        self._closed = False

    async def close(self) -> None:
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        await asyncio.sleep(0)  # the loop closes the sockets

    async def send(self, call: Call) -> Answer:
        if self._closed:
            raise unsent(call, "the session is closed")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # connections of a loop that ended are of no use
            self._loop, self._pools = loop, {}
        now = loop.time()
        until = deadline = now + (call.timeout_s or self._limits.total_s)
        if call.not_after is not None:
            left = call.not_after - self._clock.now()
            if left < 0:
                raise late(call)
            until = min(deadline, now + left)
        origin, request = _request(call)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._pool(call, origin, loop)
        connection = pool.free() or await pool.take(call, until)
        try:
            return await connection.ask(call, request, deadline)
        finally:
            pool.give(connection)

    def _pool(self, call: Call, origin: str, loop: asyncio.AbstractEventLoop) -> Pool:
        found = urlsplit(origin)
        secure = found.scheme == "https"
        try:
            host, port = found.hostname, found.port or (443 if secure else 80)
        except ValueError:
            host = None
        if not host:
            raise unsent(call, "its address is not one")

        async def opened(pool: Pool) -> Http1Connection:
            _, connection = await loop.create_connection(
                lambda: Http1Connection(loop, self._limits, self._clock, pool.lost),
                host,
                port,
                ssl=self._tls if secure else None,
                server_hostname=host if secure else None,
                ssl_handshake_timeout=self._limits.connect_s if secure else None,
            )
            return connection

        return Pool(loop, self._limits, opened)


def _request(call: Call) -> tuple[str, bytes]:
    """The origin and the whole request as bytes. Raises Problem for what could not be told from another request."""
    found = _URL.fullmatch(call.url)
    if found is None:
        raise unsent(call, "its address is not an http or https address in ASCII")
    origin, target = found.group(1), found.group(2) or "/"
    if target[0] == "?":
        target = "/" + target
    if not _TARGET.fullmatch(target):
        if _UNFIT.search(target):
            raise unsent(call, "its address holds a character that no address may hold")
        target = quote(target, safe="/?[]@!$&'()*+,;=:%")
    method, content = call.method, call.content
    if not _TOKEN.fullmatch(method):
        raise unsent(call, "its method is not a word of HTTP")
    fields = {"host": origin.partition("://")[2], "user-agent": "interlock", "accept-encoding": "identity"}
    for name, value in call.headers.items():
        field = _field(name)
        if field is None:
            raise unsent(call, "a header's name is not one that may be given")
        if not _VALUE.fullmatch(value):
            raise unsent(call, f"the header {field} holds characters that no header may hold")
        fields[field] = value
    if content or method in _WITH_BODY:
        fields["content-length"] = str(len(content or b""))
    lines = "\r\n".join([f"{name}: {value}" for name, value in fields.items()])
    head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n\r\n".encode("ascii")
    return origin, head + content if content else head


@lru_cache(maxsize=256)
def _field(name: str) -> str | None:
    """A header's name in small letters; None where it is none, or not the caller's to give."""
    field = name.lower()
    return field if _TOKEN.fullmatch(name) and field not in _OURS else None
