"""The connections to one origin: a bound on their number, the last used first, none kept for long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from interlock.adapterkit.http1 import Http1Connection
from interlock.adapterkit.wire import Call, Limits, unsent


class Pool:
    """Hands out connections; who takes one gives it back, whatever became of it.

    A place is a connection in use, unused or being opened; there are ``limits.connections`` of them.
    ``opened`` opens a connection and tells ``lost`` when it is gone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        opened: Callable[[Pool], Awaitable[Http1Connection]],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._opened = opened
        self._unused: list[Http1Connection] = []  # oldest first
        self._used: set[Http1Connection] = set()
        self._waiting: deque[asyncio.Future[Http1Connection | None]] = deque()  # None: a place to open one
        self._places = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def free(self) -> Http1Connection | None:
        """An unused connection that is still good, the last used first."""
        oldest = self._loop.time() - self._limits.idle_s
        while self._unused:
            connection = self._unused.pop()
            if connection.reusable and connection.idle_since > oldest:
                self._used.add(connection)
                return connection
            connection.close()
            self._vacate()
        return None

    async def take(self, call: Call, until: float) -> Http1Connection:
        """Wait for a place, open a connection. ``until`` is the loop's time. Raises Problem, reached no."""
        if self._closed:
            raise unsent(call, "the session is closed")
        connection = None
        if self._places < self._limits.connections:
            self._places += 1
        else:
            connection = await self._turn(call, until)
        if connection is None or not connection.reusable:
            if connection is not None:
                self._used.discard(connection)
            connection = await self._open(call, until)
        return connection

    def give(self, connection: Http1Connection) -> None:
        """Take a connection back: to the next who waits, to the unused, or away."""
        self._used.discard(connection)
        if not connection.reusable or self._closed:
            connection.abort()
            self._vacate()
            return
        waiting = self._next()
        if waiting is not None:
            self._used.add(connection)
            waiting.set_result(connection)
            return
        connection.idle_since = self._loop.time()
        self._unused.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._limits.idle_s, self._close_old)

    def lost(self, connection: Http1Connection) -> None:
        """The socket is gone. Of one in use, its user hears and gives it back."""
        if connection in self._unused:
            self._unused.remove(connection)
            self._vacate()

    def close(self) -> None:
        """Close all connections; calls in flight end as unanswered, those that wait as unsent."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._unused:
            connection.close()
        for connection in self._used:
            connection.abort()
        self._unused.clear()
        while (waiting := self._next()) is not None:
            waiting.set_result(None)

    async def _turn(self, call: Call, until: float) -> Http1Connection | None:
        """Wait for a connection, or None for a place."""
        waiting: asyncio.Future[Http1Connection | None] = self._loop.create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout_at(min(until, self._loop.time() + self._limits.pool_s)):
                return await waiting
        except BaseException as failure:
            if waiting.done() and not waiting.cancelled():  # it came too late for us: the next may have it
                connection = waiting.result()
                self.give(connection) if connection is not None else self._vacate()
            if isinstance(failure, TimeoutError):
                raise unsent(call, "no connection became free in time") from None
            raise

    async def _open(self, call: Call, until: float) -> Http1Connection:
        try:
            if self._closed:
                raise unsent(call, "the session is closed")
            async with asyncio.timeout_at(min(until, self._loop.time() + self._limits.connect_s)):
                connection = await self._opened(self)
        except BaseException as failure:
            self._vacate()
            if isinstance(failure, TimeoutError):
                raise unsent(call, "connecting took too long") from None
            if isinstance(failure, OSError | ValueError):  # SSLError is an OSError, a bad host name a ValueError
                raise unsent(call, (str(failure) or type(failure).__name__)[:300]) from None
            raise
        self._used.add(connection)
        return connection

    def _vacate(self) -> None:
        waiting = self._next()
        if waiting is None:
            self._places -= 1
        else:
            waiting.set_result(None)

    def _next(self) -> asyncio.Future[Http1Connection | None] | None:
        """Who waits longest; one that was cancelled waits no more."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None

    def _close_old(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - self._limits.idle_s
        while self._unused and self._unused[0].idle_since <= oldest:
            self._unused.pop(0).close()
            self._vacate()
        if self._unused:
            again = self._unused[0].idle_since + self._limits.idle_s
            self._sweep = self._loop.call_at(again, self._close_old)
