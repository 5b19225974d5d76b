"""Answers that are too large, over a real socket: the source stops reading, and says so."""

from __future__ import annotations

import asyncio
import gzip
import resource
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.adapters.remedy_bench import ADAPTER

from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.records.problems import Problem, Slug
from interlock.sources.opening import build_source
from interlock.telemetry import silent_telemetry

HEAD = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><HelpDesk_Query_ServiceResponse>'
MEGABYTE = 1024 * 1024


@asynccontextmanager
async def answering(head: bytes, parts: Iterable[bytes], sent: list[int]) -> AsyncIterator[str]:
    """A server that answers everything with these parts, as long as somebody reads."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(asked.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n" + head + b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
                sent[0] += len(part)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _stream(size: int) -> Iterable[bytes]:
    yield HEAD
    for _ in range(size // MEGABYTE):
        yield b"<Notes>" + b"x" * (MEGABYTE - 15) + b"</Notes>"


async def ask(url: str, wsdls: Path, transport: str) -> Problem:
    clock = SystemClock()
    config = {
        "adapter": "remedy", "environment": "test", "base_url": url, "settings": {"server": "a"}, "timeout_s": 20,
        "auth": {"basic": {"username": "u", "password": "p"}}, "transport": transport,
    }  # fmt: skip
    model = SourceConfig.model_validate(config)
    source = build_source("rem", model, ADAPTER, clock, silent_telemetry(clock), cache=wsdls)
    try:
        with pytest.raises(Problem) as caught:
            await source.get("incident", "INC1")
    finally:
        await source.close()
    return caught.value


@pytest.mark.parametrize("transport", ["httpx", "pyreqwest"])
@pytest.mark.parametrize(
    ("head", "parts"),
    [
        (b"content-length: 209715200", _stream(200 * MEGABYTE)),
        (b"x: y", _stream(200 * MEGABYTE)),
        (b"content-encoding: gzip", [gzip.compress(b"".join(_stream(200 * MEGABYTE)), 1)]),
    ],
    ids=["declared", "streamed", "compressed"],
)
async def test_200_megabytes_end_in_a_clear_problem(
    head: bytes, parts: Iterable[bytes], transport: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sent = [0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    async with answering(head, list(parts) if isinstance(parts, list) else _stream(200 * MEGABYTE), sent) as url:
        problem = await ask(url, tmp_path_factory.getbasetemp() / "wsdls", transport)
    assert (problem.slug, problem.reached) == (Slug.TOO_LARGE, "maybe")
    assert time.monotonic() - began < 10
    assert sent[0] < 64 * MEGABYTE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024  # kilobytes
