"""The load generator counts whole answers, and refuses to measure errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from benchmarks.fault_clients import intents
from benchmarks.fault_truth import Store, Write, compare
from benchmarks.load import LoadError, Target, drive, post

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: bytes, pieces: int = 1) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                size = -(-len(answer) // pieces)
                for at in range(0, len(answer), size):
                    writer.write(answer[at : at + size])
                    await writer.drain()
                    await asyncio.sleep(0.001 if pieces > 1 else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def target(port: int) -> Target:
    return Target(port, (post("/v1/tools/x", port, b"{}"),))


@pytest.mark.parametrize("pieces", [1, 2, 7])
async def test_counts_whole_answers_however_they_arrive(pieces: int) -> None:
    body = b'{"a":"' + b"x" * 500 + b'"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    spent = iter([1.0, 1.5])
    async with serving(answer, pieces) as port:
        found = await drive(target(port), 3, 0.2, warm_s=0.05, cpu=lambda: next(spent))
    assert found.body == body
    assert found.answered > 3
    assert 0 < found.p50_ms <= found.p99_ms < 200
    assert found.cpu_ms == pytest.approx(500 / found.answered)


async def test_an_error_is_not_a_measurement() -> None:
    async with serving(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") as port:
        with pytest.raises(LoadError, match="503"):
            await drive(target(port), 1, 0.2, warm_s=0.0, cpu=lambda: 0.0)


def row(word: str, state: str, *, person: bool = False) -> Write:
    return Write(f"w_{word}", state, {"title": word}, person, None, 1)


def test_the_comparison_finds_every_kind_of_lie() -> None:
    a, b, c, d, e = [intent for intent in intents(40, 2, 3) if intent.op == "create"][:5]
    b.told.append("applied")
    store = Store()
    store.titles.update([a.word, a.word, c.word, e.word])
    journal = [
        row(a.word, "applied"),
        row(b.word, "applied"),
        row(c.word, "not_applied"),
        row(d.word, "unknown"),
        row("other", "unknown", person=True),
    ]
    found = compare([a, b, c, d, e], journal, store)
    assert found.duplicates == [a.word]
    assert found.lost == found.false_applied == [b.word]
    assert found.false_not_applied == [c.word]
    assert [entry.endswith(d.word) for entry in found.unsettled] == [True]
    assert found.unrecorded == [e.word]


def test_the_same_seed_gives_the_same_writes() -> None:
    assert intents(50, 4, 7) == intents(50, 4, 7)
    assert intents(50, 4, 7) != intents(50, 4, 8)
