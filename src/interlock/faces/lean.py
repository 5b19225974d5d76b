"""HTTP/1.1 without ASGI for the hot requests: what the door answers itself goes straight to the socket.

A protocol for uvicorn: parsing, time-outs, flow control, shutdown and every other request stay uvicorn's.
A hot request costs a third of what its cycle of ASGI messages does. The answers are the door's, as
through ASGI; a test sends the same requests all ways.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from interlock.faces.door import Answer, Door

log = logging.getLogger("interlock.faces")

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_SMALL = 65_536  # a larger body comes through ASGI, which reads it under flow control


class _Hot:
    """One hot request; stands where uvicorn's protocol keeps its cycle, and starts once the body is whole."""

    def __init__(self, protocol: LeanProtocol, path: str) -> None:
        self.protocol = protocol
        self.path = path
        self.url = protocol.url
        self.headers = protocol.headers
        self.keep_alive = protocol.parser.should_keep_alive()
        self.body = bytearray()
        self.more_body = True
        self.started = self.disconnected = self.response_complete = False

    @property
    def message_event(self) -> _Hot:
        return self

    def set(self) -> None:
        """Called by the protocol whenever something arrived, or the connection was lost."""
        if not self.more_body and not self.started and not self.disconnected:
            self.started = True
            self.protocol.start(self)


class LeanProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a short way for hot requests."""

    cycle: Any

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        app = self.app
        if isinstance(app, Door) and self.parser.get_method() == b"POST" and self.limit_concurrency is None:
            path = self.url.decode("latin-1")
            idle = self.cycle is None or self.cycle.response_complete
            if idle and app.is_hot(path) and self._plain():
                self.cycle = _Hot(self, path)
                return
        self._make_scope(self.url, self.headers, self.expect_100_continue)
        super().on_headers_complete()

    def _make_scope(self, url: bytes, headers: list[tuple[bytes, bytes]], expects: bool) -> None:
        """What uvicorn makes when a message begins, and only requests through ASGI need."""
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def _plain(self) -> bool:
        """Whether the body's length is given and small, and nothing unusual is asked of HTTP."""
        if self.expect_100_continue or self.parser.get_http_version() != "1.1" or self.parser.should_upgrade():
            return False
        lengths = [value for name, value in self.headers if name == b"content-length"]
        return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= _SMALL

    def start(self, hot: _Hot) -> None:
        """Answer a hot request in a task of its own."""
        task = self.loop.create_task(self._answer(hot))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, hot: _Hot) -> None:
        app = self.app
        assert isinstance(app, Door)
        try:
            answer = await app.hot(hot.path, hot.headers, bytes(hot.body))
        except Exception:  # the border: nobody waits for ever on a connection whose answer failed
            log.exception("a hot request failed")
            self.transport.close()
            return
        if answer is None:
            self._hand_on(hot)
            return
        if not hot.disconnected and not self.transport.is_closing():
            self._write(answer, hot.keep_alive)
            if self.flow.write_paused:
                await self.flow.drain()
        hot.response_complete = True
        self.on_response_complete()

    def _write(self, answer: Answer, keep_alive: bool) -> None:
        status, body, headers = answer
        parts = [_LINES[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        parts.append(body)
        self.transport.write(b"".join(parts))
        if not keep_alive:
            self.transport.close()

    def _hand_on(self, hot: _Hot) -> None:
        """Not for the short way after all: the same request through ASGI."""
        later = self.url, self.headers, self.expect_100_continue
        self._make_scope(hot.url, hot.headers, False)
        scope = self.scope
        scope["method"], scope["path"], scope["raw_path"], scope["query_string"] = "POST", hot.path, hot.url, b""
        self.url, self.headers, self.expect_100_continue = later
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=hot.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body = hot.body
        cycle.more_body = False
        cycle.disconnected = hot.disconnected
        cycle.message_event.set()
        if self.cycle is hot:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)
