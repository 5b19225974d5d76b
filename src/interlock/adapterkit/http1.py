"""One HTTP/1.1 connection in our own event loop: one request in flight at most, every answer bounded."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from interlock.adapterkit.wire import Answer, Call, Limits, garbled, inflater, late, too_large, unanswered, unsent
from interlock.clock import Clock
from interlock.records.problems import Problem

HEAD_BYTES = 64 * 1024  # status line and headers, those of interim answers included


class Headers(dict[str, str]):
    """An answer's headers, found in any case; a repeated one is one value with commas (RFC 9110, 5.3)."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return super().get(name.lower(), default)


class Http1Connection(asyncio.Protocol):
    """Asks once at a time. ``lost`` is told when the socket is gone, whatever the reason."""

    __slots__ = (
        "_began",
        "_call",
        "_clock",
        "_deadline",
        "_headed",
        "_headers",
        "_heard",
        "_limits",
        "_loop",
        "_lost",
        "_parser",
        "_pieces",
        "_received",
        "_reusable",
        "_size",
        "_status",
        "_timer",
        "_transport",
        "_waiting",
        "idle_since",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        clock: Clock,
        lost: Callable[[Http1Connection], None],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._clock = clock
        self._lost = lost
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reusable = True
        self._headed = False  # the real answer's headers are complete
        self._headers = Headers()
        self._pieces: list[bytes] = []
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """Open, not in use, and the last answer ended where it said it would."""
        transport = self._transport
        return self._reusable and self._waiting is None and transport is not None and not transport.is_closing()

    def close(self) -> None:
        """Close an unused connection, with TLS's farewell."""
        self._reusable = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection now: what is still coming is never read, what was not written never leaves."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, call: Call, request: bytes, deadline: float) -> Answer:
        """Write the whole request at once and wait for its answer until ``deadline`` (the loop's time).

        Raises Problem: ``reached="no"`` when the send guard held the call back or the connection had gone, else
        ``maybe``. After
        anything but an answer the connection is cut, except when nothing was written.
        """
        transport, loop = self._transport, self._loop
        assert transport is not None
        if transport.is_closing():
            raise unsent(call, "the connection was closed before anything was written")
        self._call, self._deadline = call, deadline
        self._headers, self._pieces = Headers(), []
        self._headed = False
        self._received = self._size = self._status = 0
        self._began, self._heard = time.perf_counter(), loop.time()
        waiting: asyncio.Future[Answer] = loop.create_future()
        end = min(deadline, self._heard + self._limits.read_s)
        if call.not_after is not None and self._clock.now() > call.not_after:
            raise late(call)
        transport.write(request)
        self._waiting = waiting
        self._timer = loop.call_at(end, self._look_at_the_time)
        try:
            return await waiting
        finally:
            self._timer.cancel()
            if self._waiting is not None:  # cancelled, not answered
                self._waiting = None
                self.abort()

    # --- what the loop tells --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        # Without room to buffer, uvloop writes at once instead of at the end of the loop's turn.
        self._transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reusable = False
        why = (str(exc) or type(exc).__name__) if exc else "the connection was closed before it was complete"
        self._fail(unanswered, why[:300])
        self._lost(self)

    def eof_received(self) -> bool:
        self._reusable = False
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        if self._waiting is not None and self._headed and not framed:
            self._finish()  # an answer that ends with its connection (RFC 9112, 6.3)
        return False

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nobody asked
            self.abort()
            return
        self._heard = self._loop.time()
        room = HEAD_BYTES - self._received
        self._received += len(data)
        try:
            if self._headed or len(data) <= room:
                self._parser.feed_data(data)
            else:
                self._parser.feed_data(data[:room])
                if self._headed:
                    self._parser.feed_data(data[room:])
                else:
                    self._fail(garbled, f"its headers are larger than {HEAD_BYTES} bytes")
        except HttpParserUpgrade:
            self._fail(garbled, "it changes the protocol, which was not asked for")
        except HttpParserError as failure:
            self._reusable = False
            self._fail(garbled, f"it is not HTTP/1.1 ({str(failure)[:100]})")
        # Chunk sizes and trailers count as well: no part of an answer is without a bound.
        if self._received - self._size > HEAD_BYTES + self._limits.answer_bytes:
            self._fail(too_large, self._limits.answer_bytes)

    # --- what the parser finds ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._waiting is None:  # an answer to nothing, behind the one that was asked for
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._waiting is None or self._headed:  # trailers are not read
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        if self._waiting is None:
            return
        status = self._parser.get_status_code()
        if status == 101:
            self._fail(garbled, "it changes the protocol, which was not asked for")
        elif status < 200:
            self._headers = Headers()  # an interim answer: the real one follows
        else:
            self._status, self._headed = status, True
            coding = self._headers.get("transfer-encoding")
            if coding is not None and coding.strip().lower() != "chunked":
                self._fail(garbled, "its transfer-encoding was not asked for")
            elif self._call.method == "HEAD":
                self._reusable = False  # the parser would take what follows for a body
                self._finish()

    def on_body(self, data: bytes) -> None:
        if self._waiting is None:
            return
        self._size += len(data)
        if self._size > self._limits.answer_bytes:
            self._fail(too_large, self._limits.answer_bytes)
        else:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self._waiting is not None and self._headed:
            self._reusable = self._reusable and self._parser.should_keep_alive()
            self._finish()

    # --- how a call ends ------------------------------------------------------------------------------

    def _finish(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        try:
            if body and "content-encoding" in self._headers:
                body = _inflated(self._call, self._headers["content-encoding"], body, self._limits.answer_bytes)
        except Problem as problem:
            waiting.set_exception(problem)
        else:
            waiting.set_result(Answer(self._status, self._headers, body, time.perf_counter() - self._began))

    def _fail(self, problem: Callable[[Call, Any], Problem], why: str | int) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if not waiting.done():
            waiting.set_exception(problem(self._call, why))
        self.abort()

    def _look_at_the_time(self) -> None:
        now, end = self._loop.time(), min(self._deadline, self._heard + self._limits.read_s)
        if now + 0.001 < end:
            self._timer = self._loop.call_at(end, self._look_at_the_time)
        else:
            self._fail(unanswered, "the time to answer ran out")


def _inflated(call: Call, encoding: str, body: bytes, limit: int) -> bytes:
    inflate = inflater(encoding, call)
    if inflate is None:
        return body
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error as failure:
        raise garbled(call, str(failure)) from None
    if len(plain) > limit:
        raise too_large(call, limit)
    if not inflate.eof:
        raise garbled(call, "its compressed body breaks off")
    return plain
