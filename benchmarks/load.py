"""A load generator that costs little: keep-alive connections that ask again as soon as they are answered.

Raw sockets under asyncio, requests prepared as bytes, answers cut by Content-Length. Nothing is parsed but
the status and the length; the first body is kept, so that a run can be checked to have measured answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

HOST = "127.0.0.1"
CONNECT_S = 10.0


class LoadError(Exception):
    """The server answered with an error, or stopped answering: the run measures nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask: one prepared request a connection, taken in turn."""

    port: int
    requests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in one window of time. Latencies in milliseconds, CPU in milliseconds a call."""

    concurrency: int
    seconds: float
    answered: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    body: bytes

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds


def post(path: str, port: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A request as bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {HOST}:{port}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """One caller: asks, waits for the whole answer, asks again."""

    def __init__(self, request: bytes, run: _Run) -> None:
        self._request = request
        self._run = run
        self._parts: list[bytes] = []
        self._missing = 0  # bytes of the body still to come; 0 while a head is read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._missing > 0:
            self._missing -= len(data)
            if self._missing > 0:
                return
        else:
            whole = b"".join(self._parts) if len(self._parts) > 1 else data
            end = whole.find(b"\r\n\r\n")
            if end < 0:
                return
            head = whole[:end].lower()
            at = head.find(b"content-length: ")
            if at < 0:
                self._run.fail(f"an answer without a length: {whole[:200]!r}")
                return
            self._missing = int(head[at + 16 :].split(b"\r\n", 1)[0]) - (len(whole) - end - 4)
            if self._missing > 0:
                self._parts = [whole]
                return
        self._run.answered(self._began, self._parts)
        self._parts = []
        self._missing = 0
        if not self._run.over:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._run.over:
            self._run.fail(f"the server closed the connection: {exc!r}")

    def close(self) -> None:
        self._transport.abort()


class _Run:
    """Collects what the connections see."""

    def __init__(self) -> None:
        self.over = False
        self.counting = False
        self.latencies: list[float] = []
        self.body = b""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, began: float, parts: list[bytes]) -> None:
        if self.counting:
            self.latencies.append(time.perf_counter() - began)
        if not parts[0].startswith(b"HTTP/1.1 200"):
            self.fail(f"an error was answered: {b''.join(parts)[:2000]!r}")
        elif not self.body:
            self.body = b"".join(parts).split(b"\r\n\r\n", 1)[1]

    def fail(self, why: str) -> None:
        if not self.failed.done():
            self.over = True
            self.failed.set_exception(LoadError(why))


async def drive(
    target: Target, concurrency: int, seconds: float, *, warm_s: float = 1.0, cpu: Callable[[], float]
) -> Window:
    """Load a server for a window of time. ``cpu`` gives its user and system seconds so far.

    Raises LoadError when an answer is not 200, has no length, or the server goes away or stalls.
    """
    loop = asyncio.get_running_loop()
    run = _Run()
    callers: list[_Connection] = []
    try:
        for index in range(concurrency):
            request = target.requests[index % len(target.requests)]

            def protocol(request: bytes = request) -> _Connection:
                return _Connection(request, run)

            opening = loop.create_connection(protocol, HOST, target.port)
            _, caller = await asyncio.wait_for(opening, CONNECT_S)
            callers.append(caller)
        await _pass(run, warm_s)
        run.counting = True
        before, began = cpu(), time.perf_counter()
        await _pass(run, seconds)
        spent, lasted = cpu() - before, time.perf_counter() - began
        run.counting = False
    finally:
        run.over = True
        for caller in callers:
            caller.close()
    if not run.latencies:
        raise LoadError(f"nothing was answered in {seconds} s")
    ordered = sorted(run.latencies)
    return Window(
        concurrency,
        lasted,
        len(ordered),
        ordered[len(ordered) // 2] * 1e3,
        ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
        spent / len(ordered) * 1e3,
        run.body,
    )


async def _pass(run: _Run, seconds: float) -> None:
    done, _ = await asyncio.wait({run.failed}, timeout=seconds)
    for future in done:
        future.result()
