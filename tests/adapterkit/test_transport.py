"""One test for every transport: what a session may rely on, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import gzip
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.adapterkit.http_sockets import Authority, Proxy, Seen, listening, reply, serving

from interlock.adapterkit.session import open_transport
from interlock.adapterkit.wire import Call, Limits, Transport, Trust
from interlock.clock import ManualClock, SystemClock
from interlock.records.problems import Problem, Slug

LIMITS = Limits(connect_s=0.4, read_s=0.5, total_s=1.5, pool_s=0.3, connections=2, answer_bytes=200_000)
HEADERS = {"accept": "application/json", "authorization": "Bearer very-secret"}


@pytest.fixture(params=["asyncio", "httpx", "pyreqwest"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(name: str, limits: Limits = LIMITS, trust: Trust | None = None, clock: object = None) -> Transport:
    transport = open_transport(name, limits, trust or Trust(), clock or SystemClock())  # type: ignore[arg-type]
    assert transport.name == name
    return transport


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def unanswering_port() -> Iterator[int]:
    """A port whose queue of connections is full: connecting neither works nor fails."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        waiting.append(one)
    yield port
    for one in [*waiting, listener]:
        one.close()


async def failed(transport: Transport, call: Call) -> Problem:
    try:
        with pytest.raises(Problem) as told:
            await transport.send(call)
    finally:
        await transport.close()
    assert "very-secret" not in str(told.value.body()) + repr(told.value) + repr(call)
    assert told.value.__cause__ is None
    assert told.value.layer == "transport"
    return told.value


async def test_sends_what_it_is_given_and_reads_the_answer(name: str) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(b'{"a":1}', "201 Created", "X-Total-Count: 40")
        transport = opened(name)
        sent = Call("POST", f"{server.url}/a?q=x%5Ey%20z", {**HEADERS, "content-type": "text/x"}, b"hello")
        answer = await transport.send(sent)
        await transport.close()
    assert (answer.status, answer.body) == (201, b'{"a":1}')
    assert type(answer.body) is bytes
    assert answer.headers["x-total-count"] == answer.headers["X-TOTAL-COUNT"] == "40"
    assert answer.headers.get("X-None") is None
    assert 0 < answer.elapsed < 1
    seen = server.seen[0]
    assert (seen.method, seen.target, seen.body) == ("POST", "/a?q=x%5Ey%20z", b"hello")
    assert seen.headers["authorization"] == "Bearer very-secret"
    assert seen.headers["content-length"] == "5"
    assert "transfer-encoding" not in seen.headers
    assert "cookie" not in seen.headers


async def test_reuses_connections_and_keeps_no_cookie(name: str) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(b"{}", "200 OK", "Set-Cookie: JSESSIONID=1; Path=/")
        transport = opened(name)
        for _ in range(5):
            await transport.send(Call("GET", f"{server.url}/a", HEADERS))
        await transport.send(Call("POST", f"{server.url}/a", HEADERS, b"{}"))
        await transport.close()
        assert server.connections == 1
        assert all("cookie" not in seen.headers for seen in server.seen)


async def test_a_redirect_is_an_answer(name: str) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(b"", "302 Found", "Location: /b")
        transport = opened(name)
        answer = await transport.send(Call("GET", f"{server.url}/a", HEADERS))
        await transport.close()
        assert (answer.status, answer.body, len(server.seen)) == (302, b"", 1)


async def test_inflates_within_the_bound(name: str) -> None:
    body = gzip.compress(b"x" * 150_000)
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(body, "200 OK", "Content-Encoding: gzip")
        transport = opened(name)
        answer = await transport.send(Call("GET", f"{server.url}/a", HEADERS))
        await transport.close()
        assert answer.body == b"x" * 150_000
        # asyncio asks for no compression, and is not helpless when it comes all the same.
        asked = server.seen[0].headers["accept-encoding"]
        assert asked == "identity" if name == "asyncio" else "gzip" in asked


@pytest.mark.parametrize("size", [200_000, 200_001])
async def test_bounds_the_answer(name: str, size: int) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(b"x" * size)
        if size == LIMITS.answer_bytes:
            transport = opened(name)
            assert len((await transport.send(Call("GET", f"{server.url}/a", HEADERS))).body) == size
            await transport.close()
        else:
            told = await failed(opened(name), Call("GET", f"{server.url}/a", HEADERS))
            assert (told.slug, told.reached) == (Slug.TOO_LARGE, "maybe")


async def test_a_decompression_bomb_costs_no_memory(name: str) -> None:
    bomb = gzip.compress(bytes(100_000_000), 1)
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(bomb, "200 OK", "Content-Encoding: gzip")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told = await failed(opened(name), Call("GET", f"{server.url}/a", HEADERS))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert told.slug is Slug.TOO_LARGE
    assert grown < 40_000  # KiB


async def test_a_body_that_is_no_gzip(name: str) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply(b"nonsense", "200 OK", "Content-Encoding: gzip")
        told = await failed(opened(name), Call("GET", f"{server.url}/a", HEADERS))
    assert (told.slug, told.reached) == (Slug.SOURCE_FAULT, "maybe")


@pytest.mark.parametrize("content", [None, b"{}"])
async def test_refused_connection_did_not_reach(name: str, content: bytes | None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = await failed(opened(name), Call("POST", f"http://127.0.0.1:{port}/a", HEADERS, content))
    assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")


@pytest.mark.parametrize("content", [None, b"{}"])
async def test_connect_timeout_did_not_reach(name: str, content: bytes | None, unanswering_port: int) -> None:
    began = time.perf_counter()
    url = f"http://127.0.0.1:{unanswering_port}/a"
    told = await failed(opened(name), Call("POST", url, HEADERS, content))
    assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
    assert time.perf_counter() - began < 1


async def test_unknown_host_did_not_reach(name: str) -> None:
    told = await failed(opened(name), Call("GET", "http://nowhere.invalid/a", HEADERS))
    assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")


@pytest.mark.parametrize("content", [None, b"{}"])
async def test_read_timeout_may_have_reached(name: str, content: bytes | None) -> None:
    async def slow(seen: Seen) -> bytes:
        await asyncio.sleep(5)
        return reply()

    async with serving() as server:
        server.answers["/a"] = slow
        began = time.perf_counter()
        told = await failed(opened(name), Call("POST", f"{server.url}/a", HEADERS, content))
        assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")
        assert 0.4 < time.perf_counter() - began < 1


async def test_the_whole_call_is_bounded_even_when_bytes_trickle(name: str) -> None:
    async with serving():
        drip = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not drip.is_set():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)

        async with listening(handler) as port:
            began = time.perf_counter()
            told = await failed(opened(name), Call("GET", f"http://127.0.0.1:{port}/a", HEADERS, timeout_s=0.7))
            assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")
            assert 0.6 < time.perf_counter() - began < 1.2
            drip.set()


@pytest.mark.parametrize("content", [None, b"{}"])
async def test_a_connection_dropped_after_sending_may_have_reached(name: str, content: bytes | None) -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: b""
        told = await failed(opened(name), Call("POST", f"{server.url}/a", HEADERS, content))
        assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")
        assert len(server.seen) == 1  # never sent twice


async def test_an_answer_cut_short(name: str) -> None:
    async with serving():

        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"result":')
            await writer.drain()
            writer.close()

        async with listening(cut) as port:
            told = await failed(opened(name), Call("GET", f"http://127.0.0.1:{port}/a", HEADERS))
    assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")


async def test_no_free_connection_did_not_reach(name: str) -> None:
    release = asyncio.Event()

    async def held(seen: Seen) -> bytes:
        await release.wait()
        return reply()

    async with serving() as server:
        server.answers["/held"] = held
        transport = opened(name, replace(LIMITS, read_s=1.2))
        busy = [asyncio.create_task(transport.send(Call("GET", f"{server.url}/held", HEADERS)))]
        busy += [asyncio.create_task(transport.send(Call("GET", f"{server.url}/held", HEADERS)))]
        await server.until(2)
        with pytest.raises(Problem) as told:
            await transport.send(Call("POST", f"{server.url}/held", HEADERS, b"{}"))
        assert (told.value.slug, told.value.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
        release.set()
        assert [answer.status for answer in await asyncio.gather(*busy)] == [200, 200]
        assert len(server.seen) == 2
        await transport.close()


async def test_cancelling_ends_the_wait_and_gives_the_connection_back(name: str) -> None:
    """At once; pyreqwest when the source answers or read_s has passed."""

    async def slow(seen: Seen) -> bytes:
        await asyncio.sleep(5)
        return reply()

    async with serving() as server:
        server.answers |= {"/slow": slow, "/a": lambda seen: reply()}
        transport = opened(name, replace(LIMITS, pool_s=LIMITS.read_s + 0.2))
        for count in range(LIMITS.connections):
            task = asyncio.create_task(transport.send(Call("GET", f"{server.url}/slow", HEADERS)))
            await server.until(count + 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        began = time.perf_counter()
        assert (await transport.send(Call("GET", f"{server.url}/a", HEADERS))).status == 200
        assert time.perf_counter() - began < (0.2 if name != "pyreqwest" else LIMITS.read_s + 0.2)
        await transport.close()


async def test_a_cancelled_write_does_not_leave_later(name: str) -> None:
    release = asyncio.Event()

    async def held(seen: Seen) -> bytes:
        await release.wait()
        return reply()

    async with serving() as server:
        server.answers |= {"/held": held, "/a": lambda seen: reply()}
        transport = opened(name, replace(LIMITS, connections=1))
        busy = asyncio.create_task(transport.send(Call("GET", f"{server.url}/held", HEADERS)))
        await server.until(1)
        write = asyncio.create_task(transport.send(Call("POST", f"{server.url}/a", HEADERS, b"{}")))
        await asyncio.sleep(0.05)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        release.set()
        assert (await busy).status == 200
        assert (await transport.send(Call("GET", f"{server.url}/a", HEADERS))).status == 200
        assert [seen.method for seen in server.seen] == ["GET", "GET"]
        await transport.close()


# --- the send guard ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"{}"])
async def test_nothing_leaves_after_its_time(name: str, content: bytes | None) -> None:
    clock = ManualClock(1000.0)
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply()
        in_time = opened(name, clock=clock)
        call = Call("POST", f"{server.url}/a", HEADERS, content, not_after=1000.5)
        assert (await in_time.send(call)).status == 200
        clock.advance(1.0)
        told = await failed(in_time, call)
        assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
        assert len(server.heads) == 1


async def test_a_body_does_not_leave_when_connecting_took_too_long(name: str, authority: Authority) -> None:
    """The time passes while TLS is being agreed: between the first check and the write."""
    clock = ManualClock(1000.0)
    async with serving(authority.server_context()) as server:
        server.answers["/a"] = lambda seen: reply()
        upstream = int(server.url.rsplit(":", 1)[1])

        async def slow_wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
            clock.advance(10.0)
            up_writer.write(await reader.read(65536))

            async def back() -> None:
                while piece := await up_reader.read(65536):
                    writer.write(piece)
                writer.close()

            task = asyncio.create_task(back())
            while piece := await reader.read(65536):
                up_writer.write(piece)
            up_writer.close()
            await task

        async with listening(slow_wire) as port:
            transport = opened(name, trust=Trust(ca_file=authority.file), clock=clock)
            url = f"https://127.0.0.1:{port}/a"
            told = await failed(transport, Call("POST", url, HEADERS, b"{}", not_after=1005.0))
            await asyncio.sleep(0.05)
        assert told.reached == "no"
        assert server.seen == []  # no complete request arrived


async def test_a_call_without_body_ends_when_its_time_ends(name: str, unanswering_port: int) -> None:
    transport = opened(name, replace(LIMITS, connect_s=1.4, read_s=1.4))
    began = time.perf_counter()
    call = Call("GET", f"http://127.0.0.1:{unanswering_port}/a", HEADERS, not_after=time.time() + 0.3)
    if name == "httpx":  # checks when the connection is there: here it never is
        call = replace(call, timeout_s=0.3)
    told = await failed(transport, call)
    assert told.slug is Slug.SOURCE_UNAVAILABLE
    assert time.perf_counter() - began < 1


# --- trust ------------------------------------------------------------------------------------------


async def test_a_private_authority_must_be_named(name: str, authority: Authority) -> None:
    async with serving(authority.server_context()) as server:
        server.answers["/a"] = lambda seen: reply()
        told = await failed(opened(name), Call("GET", f"{server.url}/a", HEADERS))
        assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
        trusted = opened(name, trust=Trust(ca_file=authority.file))
        assert (await trusted.send(Call("GET", f"{server.url}/a", HEADERS))).status == 200
        await trusted.close()


async def test_the_name_in_the_certificate_is_checked(name: str, authority: Authority) -> None:
    async with serving(authority.server_context()) as server:
        server.answers["/a"] = lambda seen: reply()
        url = server.url.replace("127.0.0.1", "localhost")
        told = await failed(opened(name, trust=Trust(ca_file=authority.file)), Call("GET", url, HEADERS))
        assert told.reached == "no"
        assert server.seen == []


@pytest.mark.parametrize("password", [None, "pass-word"])
async def test_client_certificate(name: str, authority: Authority, password: str | None) -> None:
    async with serving(authority.server_context(ask_client=True)) as server:
        server.answers["/a"] = lambda seen: reply()
        certificate, key = authority.issue("client", password)
        trust = Trust(
            ca_file=authority.file,
            certificate_file=certificate,
            key_file=key,
            key_password=SecretStr(password) if password else None,
        )
        known = opened(name, trust=trust)
        assert (await known.send(Call("GET", f"{server.url}/a", HEADERS))).status == 200
        await known.close()
        stranger = opened(name, trust=Trust(ca_file=authority.file))
        told = await failed(stranger, Call("GET", f"{server.url}/a", HEADERS))
        assert told.slug is Slug.SOURCE_UNAVAILABLE
        assert len(server.seen) == 1


@pytest.mark.parametrize("field", ["ca_file", "certificate_file"])
def test_unusable_files_are_named(name: str, field: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    for path in (bad, tmp_path / "none.pem"):
        with pytest.raises(Problem) as told:
            opened(name, trust=replace(Trust(), **{field: path}))
        assert (told.value.slug, told.value.field) == (Slug.INVALID_ARGUMENT, field)
        assert told.value.value == str(path)


# --- proxy ------------------------------------------------------------------------------------------


def refuses_a_proxy(trust: Trust) -> None:
    """asyncio says so before anything is sent, and ``auto`` chooses another."""
    with pytest.raises(Problem) as told:
        open_transport("asyncio", LIMITS, trust, SystemClock())
    assert (told.value.slug, told.value.field, told.value.value) == (Slug.INVALID_ARGUMENT, "transport", "asyncio")
    assert "p:w" not in str(told.value.body())
    assert open_transport("auto", LIMITS, trust, SystemClock()).name == "pyreqwest"


@pytest.mark.parametrize("tls", [False, True])
async def test_goes_through_the_proxy_with_its_user(name: str, tls: bool, authority: Authority) -> None:
    proxy = Proxy("Basic " + base64.b64encode(b"us@er:p:w").decode())
    async with serving(authority.server_context() if tls else None) as server, listening(proxy.serve) as port:
        server.answers["/a"] = lambda seen: reply()
        trust = Trust(
            ca_file=authority.file,
            proxy=f"http://127.0.0.1:{port}",
            proxy_user="us@er",
            proxy_password=SecretStr("p:w"),
        )
        if name == "asyncio":
            refuses_a_proxy(trust)
            return
        transport = opened(name, trust=trust)
        answer = await transport.send(Call("POST", f"{server.url}/a", HEADERS, b"{}", not_after=time.time() + 9))
        await transport.close()
        assert answer.status == 200
        assert proxy.asked[0].startswith("CONNECT 127" if tls else "POST http://127")
        if tls:
            assert "proxy-authorization" not in server.seen[0].headers


async def test_a_proxy_that_refuses_the_tunnel(name: str, authority: Authority) -> None:
    proxy = Proxy("Basic nobody")
    async with serving(authority.server_context()) as server, listening(proxy.serve) as port:
        trust = Trust(ca_file=authority.file, proxy=f"http://127.0.0.1:{port}")
        if name == "asyncio":
            refuses_a_proxy(trust)
            return
        told = await failed(opened(name, trust=trust), Call("POST", f"{server.url}/a", HEADERS, b"{}"))
        assert (told.slug, told.reached) == (Slug.SOURCE_UNAVAILABLE, "no")


async def test_the_environment_is_not_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply()
        transport = opened(name)
        assert (await transport.send(Call("GET", f"{server.url}/a", HEADERS))).status == 200
        await transport.close()
