"""Answers that are too large, or no honest XML, over a real socket: the source stops, says so, and fetches nothing."""

from __future__ import annotations

import asyncio
import gzip
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.remedy_bench import ADAPTER, NUMBER, remedy

from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.records.filters import Query
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
        with opened_besides(url) as opened, pytest.raises(Problem) as caught:
            await source.get("incident", "INC1")
        assert opened == []
    finally:
        await source.close()
    return caught.value


@pytest.mark.parametrize("transport", ["httpx", "pyreqwest", "asyncio"])
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


BOMB = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
HOSTILE = {
    "bomb": f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{BOMB}]><x>&i;</x>'.encode(),
    "file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "dtd": b'<!DOCTYPE x SYSTEM "URL/x.dtd"><x/>',
    "parameter": b'<!DOCTYPE x [<!ENTITY % a SYSTEM "URL/x.ent"> %a;]><x/>',
    "include": HEAD + b'<Notes><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="URL/x"/></Notes>',
    "deep": b"<a>" * 100_000,
    "wide": HEAD + b"<b/>" * 2_000_000,
    "charset": b'<?xml version="1.0" encoding="utf-7"?><x/>',
    "mislabelled": b'<?xml version="1.0" encoding="utf-8"?><x>\xe4\xf6</x>',
    "cut": HEAD + b"<Notes>half",
    "login": b"<html><body>Please log in<br></body></html>",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_honest_answer_ends_in_a_clear_problem(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with answering(b"x: y", [b""], [0]) as elsewhere:
        body = HOSTILE[name].replace(b"URL", elsewhere.encode())
        began = time.monotonic()
        async with answering(b"x: y", [body], [0]) as url:
            problem = await ask(url, tmp_path_factory.getbasetemp() / "wsdls", "httpx")
    assert problem.slug in (Slug.SOURCE_FAULT, Slug.TOO_LARGE, Slug.SOURCE_DENIED, Slug.SOURCE_UNAVAILABLE), problem
    assert problem.detail
    assert "root:" not in str(problem)
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kilobytes


async def test_nothing_is_fetched_or_parsed_again_while_calls_are_answered(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with remedy(tmp_path_factory.getbasetemp() / "wsdls") as (source, mock):
        with opened_besides(mock.url) as opened:
            for _ in range(3):
                assert (await source.get("incident", NUMBER)).record["number"] == NUMBER
                assert (await source.search("incident", Query(limit=5))).records
        assert opened == []


@contextmanager
def opened_besides(url: str) -> Iterator[list[Any]]:
    """What is opened inside the block besides connections to ``url``: files of XML or WSDL, other addresses."""
    port = int(url.rpartition(":")[2])
    found: list[Any] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if not _listening:
            return
        if event == "socket.connect" and arguments[1][1] != port:
            found.append(arguments[1])
        if event == "open" and str(arguments[0]).endswith((".wsdl", ".xsd", ".dtd", ".ent", "passwd")):
            found.append(arguments[0])
        if event == "import" and str(arguments[0]).partition(".")[0] == "zeep":
            found.append(arguments[0])

    _listening.append(True)
    sys.addaudithook(hear)  # cannot be taken back: it hears nothing once the block is left
    try:
        yield found
    finally:
        _listening.pop()


_listening: list[bool] = []
