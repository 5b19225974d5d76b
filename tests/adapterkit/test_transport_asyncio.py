"""What only the transport in our own loop answers for: HTTP/1.1 itself, the pool, and when bytes leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st
from tests.adapterkit.http_sockets import Seen, listening, reply, serving

from interlock.adapterkit.http1 import Http1Connection
from interlock.adapterkit.transport_asyncio import AsyncioTransport, _request
from interlock.adapterkit.wire import Answer, Call, Limits, Trust
from interlock.clock import SystemClock
from interlock.records.problems import Problem, Slug

LIMITS = Limits(connect_s=0.4, read_s=0.5, total_s=1.5, pool_s=0.3, connections=2, answer_bytes=100_000)


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Both loops: the gateway runs in uvloop, tools may run in the other."""
    policy: asyncio.AbstractEventLoopPolicy = request.param()
    return policy


def opened(limits: Limits = LIMITS) -> AsyncioTransport:
    return AsyncioTransport(limits, Trust(), SystemClock())


async def told(raw: bytes, method: str = "GET", pieces: int = 1, close: bool = True) -> Answer | Problem:
    """What becomes of a call answered with these bytes, sent in so many pieces."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        step = max(1, -(-len(raw) // pieces))
        for start in range(0, len(raw), step):
            writer.write(raw[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)
        if close:
            writer.close()
        else:
            await asyncio.sleep(2)

    async with listening(handler) as port:
        transport = opened()
        try:
            return await transport.send(Call(method, f"http://127.0.0.1:{port}/a", {}))
        except Problem as problem:
            return problem
        finally:
            await transport.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("pieces", [1, 7, 1000])
async def test_chunks_extensions_and_trailers(pieces: int) -> None:
    body = b"3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: late\r\n\r\n"
    answer = await told(CHUNKED + body, pieces=pieces, close=False)
    assert isinstance(answer, Answer)
    assert (answer.body, answer.headers.get("x-trailer")) == (b"abc0123456789", None)


@pytest.mark.parametrize(
    ("raw", "method", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}", "GET", b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + reply(b"{}"), "GET", b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: br\r\n\r\n" + reply(b"{}"), "GET", b"{}"),
    ],
)
async def test_where_an_answer_ends(raw: bytes, method: str, body: bytes) -> None:
    answer = await told(raw, method, close=False)
    assert isinstance(answer, Answer)
    assert answer.body == body
    assert answer.status in (200, 204, 304)


async def test_an_answer_may_end_with_its_connection() -> None:
    answer = await told(b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\n\r\nall of it")
    assert isinstance(answer, Answer)
    assert (answer.body, answer.headers["A"], "a" in answer.headers) == (b"all of it", "1, 2", True)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01 this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        reply(b"{}", "200 OK", "Content-Encoding: br"),
    ],
)
async def test_what_cannot_be_read_is_the_source_s_fault(raw: bytes) -> None:
    problem = await told(raw, close=False)
    assert isinstance(problem, Problem)
    assert (problem.slug, problem.reached, problem.layer) == (Slug.SOURCE_FAULT, "maybe", "transport")


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 2", CHUNKED + b"5\r\nab", reply(b"{}")[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_an_answer_that_breaks_off(raw: bytes) -> None:
    problem = await told(raw)
    assert isinstance(problem, Problem)
    assert (problem.slug, problem.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + b"20000\r\n" + b"x" * 0x20000 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_001,
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 40_000,  # trailers without end
    ],
)
async def test_nothing_grows_without_a_bound(raw: bytes) -> None:
    problem = await told(raw, close=False)
    assert isinstance(problem, Problem)
    assert (problem.slug, problem.reached) == (Slug.TOO_LARGE, "maybe")


# --- the pool ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", reply(b"{}", "200 OK", "Connection: close")),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        ("GET", reply(b"{}") + reply(b"an answer that nobody asked for")),
        ("GET", reply(b"{}") + b"junk"),
        ("HEAD", reply(b"{}")),
    ],
)
async def test_a_connection_in_doubt_is_not_used_again(method: str, raw: bytes) -> None:
    async with serving() as server:
        server.answers |= {"/doubt": lambda seen: raw, "/a": lambda seen: reply(b'"mine"')}
        transport = opened(replace(LIMITS, connections=1))
        for _ in range(2):
            assert (await transport.send(Call(method, f"{server.url}/doubt", {}))).status == 200
        assert (await transport.send(Call("GET", f"{server.url}/a", {}))).body == b'"mine"'
        assert server.connections == 3
        await transport.close()


async def test_bytes_nobody_asked_for_end_an_unused_connection() -> None:
    async def late_junk(seen: Seen) -> bytes:
        asyncio.get_running_loop().call_later(0.05, lambda: writers[0].write(reply(b"stray")))
        return reply(b"{}")

    writers: list[asyncio.StreamWriter] = []
    async with serving() as server:
        server.answers |= {"/junk": late_junk, "/a": lambda seen: reply(b'"mine"')}

        async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await server.serve(reader, writer)

        async with listening(kept) as port:
            transport = opened()
            await transport.send(Call("GET", f"http://127.0.0.1:{port}/junk", {}))
            await asyncio.sleep(0.15)
            assert (await transport.send(Call("GET", f"http://127.0.0.1:{port}/a", {}))).body == b'"mine"'
            assert len(writers) == 2
            await transport.close()


async def test_a_connection_the_server_closed_is_left_and_its_place_is_free() -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply()

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asyncio.get_running_loop().call_later(0.05, writer.close)
            await server.serve(reader, writer)

        async with listening(once) as port:
            transport = opened(replace(LIMITS, connections=1))
            for count in range(1, 4):
                assert (await transport.send(Call("GET", f"http://127.0.0.1:{port}/a", {}))).status == 200
                await asyncio.sleep(0.1)
                assert (server.connections, len(server.seen)) == (count, count)
            await transport.close()


async def test_an_unused_connection_is_closed_in_time() -> None:
    async with serving() as server:
        server.answers["/a"] = lambda seen: reply()
        transport = opened(replace(LIMITS, idle_s=0.1))
        await transport.send(Call("GET", f"{server.url}/a", {}))
        await asyncio.sleep(0.25)
        assert server.closed == 1
        await transport.send(Call("GET", f"{server.url}/a", {}))
        assert server.connections == 2
        await transport.close()


async def test_many_share_few_connections_in_turn() -> None:
    async def soon(seen: Seen) -> bytes:
        await asyncio.sleep(0.002)
        return reply(seen.target.encode())

    async with serving() as server:
        server.answers["/a"] = soon
        transport = opened()
        calls = [transport.send(Call("GET", f"{server.url}/a?{number}", {})) for number in range(60)]
        answers = await asyncio.gather(*calls)
        assert [answer.body for answer in answers] == [f"/a?{number}".encode() for number in range(60)]
        assert server.connections == 2
        await transport.close()


async def test_cancelled_waiters_lose_no_place() -> None:
    async def soon(seen: Seen) -> bytes:
        await asyncio.sleep(0.01)
        return reply()

    async with serving() as server:
        server.answers["/a"] = soon
        transport = opened(replace(LIMITS, connections=1))
        for round_s in (0.0, 0.005, 0.0101, 0.0102, 0.012, 0.02):
            tasks = [asyncio.create_task(transport.send(Call("GET", f"{server.url}/a", {}))) for _ in range(4)]
            await asyncio.sleep(round_s)
            for task in tasks[:3]:
                task.cancel()
            await asyncio.gather(*tasks[:3], return_exceptions=True)
            assert (await tasks[3]).status == 200
        await transport.close()


async def test_nothing_is_sent_after_closing() -> None:
    async with serving() as server:
        transport = opened()
        await transport.close()
        with pytest.raises(Problem) as refused:
            await transport.send(Call("GET", f"{server.url}/a", {}))
        assert (refused.value.reached, server.connections) == ("no", 0)


# --- what leaves ------------------------------------------------------------------------------------


async def test_a_request_leaves_in_the_moment_of_the_look() -> None:
    """When ``ask`` first waits, the bytes are in the socket: the loop had no turn since the look."""
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        _, connection = await loop.create_connection(
            lambda: Http1Connection(loop, LIMITS, SystemClock(), lambda gone: None), *address
        )
        peer, _ = listener.accept()
        peer.setblocking(False)
        asking = connection.ask(Call("POST", "http://h/", {}, b"whole"), b"head and body", loop.time() + 1)
        asking.send(None)
        assert peer.recv(65536) == b"head and body"
        asking.close()
        await asyncio.sleep(0)
        peer.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda call: replace(call, method="GET /x HTTP/1.1\r\nA: b\r\n\r\nGET"),
        lambda call: replace(call, url="http://h/a\r\nX: y"),
        lambda call: replace(call, url="http://h\r\nX: y/a"),
        lambda call: replace(call, url="http://user:pass@h/a"),
        lambda call: replace(call, url="http://h/a?\ud800"),
        lambda call: replace(call, headers={"a\r\nb": "c"}),
        lambda call: replace(call, headers={"a": "secret\r\nb: c"}),
        lambda call: replace(call, headers={"a": "secret\nb: c"}),
        lambda call: replace(call, headers={"a": "secret\x00"}),
        lambda call: replace(call, headers={"a ": "secret"}),
        lambda call: replace(call, headers={"": "secret"}),
        lambda call: replace(call, headers={"Content-Length": "secret"}),
        lambda call: replace(call, headers={"Transfer-Encoding": "secret"}),
        lambda call: replace(call, headers={"Host": "secret"}),
    ],
)
def test_nothing_can_be_put_between_the_lines(change: Callable[[Call], Call]) -> None:
    call = change(Call("POST", "http://h/a", {}, b"{}"))
    with pytest.raises(Problem) as refused:
        _request(call)
    assert (refused.value.slug, refused.value.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
    assert "secret" not in str(refused.value.body())
    assert "pass" not in str(refused.value.body())


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
@example("a", "b", "ü ^")
def test_one_request_is_one_request(name: str, value: str, path: str) -> None:
    try:
        origin, raw = _request(Call("POST", "http://h:1/" + path, {name: value}, b"body"))
    except Problem:
        return
    head, body = raw.split(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    assert (origin, body) == ("http://h:1", b"body")
    assert all("\r" not in line and "\n" not in line for line in lines)
    assert len(lines[0].split(" ")) == 3
    names = [line.partition(": ")[0] for line in lines[1:]]
    extra = {name.lower()} - {"user-agent", "accept-encoding"}
    assert sorted(names) == sorted({"host", "user-agent", "accept-encoding", "content-length", *extra})


def test_what_others_would_encode_is_encoded() -> None:
    _, raw = _request(Call("GET", "http://h/a b?q=x^y%20ü#part", {}))
    assert raw.startswith(b"GET /a%20b?q=x%5Ey%20%C3%BC HTTP/1.1\r\nhost: h\r\n")
    assert b"content-length" not in raw
    assert _request(Call("POST", "http://h?q=1", {}))[1].startswith(b"POST /?q=1 HTTP/1.1\r\n")
    assert b"\r\ncontent-length: 0\r\n" in _request(Call("POST", "http://h", {}))[1]
