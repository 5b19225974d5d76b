"""The transport over httpx: the fallback, and what respx mocks. Correct first, not fast."""

from __future__ import annotations

import asyncio
import time
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from interlock.adapterkit.tls import tls_context
from interlock.adapterkit.wire import (
    Answer,
    Call,
    Limits,
    Trust,
    garbled,
    inflater,
    late,
    too_large,
    unanswered,
    unsent,
)
from interlock.clock import Clock

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class HttpxTransport:
    """Send guard: httpcore's trace events run our check immediately before it writes the headers and,
    where there is a body, again before it writes that, in the same task; when ``clock.now() > not_after``
    the connection is dropped instead. A request whose body did not leave is incomplete and never acted
    on, so both checks raise with ``reached="no"``. What remains is a stop of the machine between a check
    and the write that follows it (microseconds of code).
    """

    name = "httpx"

    def __init__(self, limits: Limits, trust: Trust, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        proxy = None
        if trust.proxy:
            password = trust.proxy_password.get_secret_value() if trust.proxy_password else ""
            pair = (trust.proxy_user, password) if trust.proxy_user else None
            proxy = httpx.Proxy(trust.proxy, auth=pair)
        self._client = httpx.AsyncClient(
            verify=tls_context(trust),
            proxy=proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                connect=limits.connect_s, read=limits.read_s, write=limits.read_s, pool=limits.pool_s
            ),
            limits=httpx.Limits(
                max_connections=limits.connections,
                max_keepalive_connections=limits.connections,
                keepalive_expiry=limits.idle_s,
            ),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none are kept
            headers={"accept-encoding": "gzip, deflate", "user-agent": "interlock"},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, call: Call) -> Answer:
        began = time.perf_counter()
        started = False

        async def watch(event: str, info: dict[str, Any]) -> None:
            nonlocal started
            headers = event.endswith("send_request_headers.started")
            if headers or (call.content and event.endswith("send_request_body.started")):
                if call.not_after is not None and self._clock.now() > call.not_after:
                    raise late(call)
                # A proxy's CONNECT also starts like this; it carries nothing of the call.
                request = info.get("request")
                started = started or request is None or request.method != b"CONNECT"

        if call.not_after is not None and self._clock.now() > call.not_after:
            raise late(call)
        request = self._client.build_request(call.method, call.url, headers=dict(call.headers), content=call.content)
        request.extensions["trace"] = watch
        try:
            async with asyncio.timeout(call.timeout_s or self._limits.total_s):
                response = await self._client.send(request, stream=True)
                started = True
                try:
                    body = await self._body(call, response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise (unanswered if started else unsent)(call, "the time for the whole call ran out") from None
        except _UNSENT as failure:
            raise (unanswered if started else unsent)(call, _why(failure)) from None
        except (httpx.DecodingError, httpx.RemoteProtocolError, zlib.error) as failure:
            if not started:
                raise unsent(call, _why(failure)) from None
            raise (unanswered if isinstance(failure, httpx.RemoteProtocolError) else garbled)(
                call, _why(failure)
            ) from None
        except httpx.HTTPError as failure:
            raise (unanswered if started else unsent)(call, _why(failure)) from None
        return Answer(response.status_code, response.headers, body, time.perf_counter() - began)

    async def _body(self, call: Call, response: httpx.Response) -> bytes:
        # httpx inflates each piece without a bound: a bomb must not reach it, so the raw pieces are ours.
        limit = self._limits.answer_bytes
        inflate = inflater(response.headers.get("content-encoding", ""), call)
        pieces: list[bytes] = []
        size = 0
        async for raw in response.aiter_raw():
            piece = raw if inflate is None else inflate.decompress(raw, limit + 1 - size)
            size += len(piece)
            if size > limit or (inflate is not None and inflate.unconsumed_tail):
                raise too_large(call, limit)
            pieces.append(piece)
        if inflate is not None and pieces and not inflate.eof:
            raise garbled(call, "its compressed body breaks off")
        return b"".join(pieces)


def _why(failure: Exception) -> str:
    return (str(failure) or type(failure).__name__)[:300]
