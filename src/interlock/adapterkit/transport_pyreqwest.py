"""The transport over pyreqwest (Rust): the hot path, about a twentieth of httpx's CPU a call under load.

Its exception classes are not used to tell what was sent: pyreqwest 0.15 raises ConnectTimeoutError also
for an answer that came too late, and ConnectError for a connection lost after the request had left. The
causes behind them do tell: hyper writes ``client error (Connect)`` when no connection came to be.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from pyreqwest import exceptions as failures
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from interlock.adapterkit.wire import (
    Answer,
    Call,
    Limits,
    Trust,
    garbled,
    late,
    too_large,
    unanswered,
    unreadable_pem,
    unsent,
)
from interlock.clock import Clock
from interlock.records.problems import Problem

_NO_CONNECTION = "client error (Connect)"


class PyreqwestTransport:
    """Send guard. Without a body: checked immediately before the call is handed to Rust, and its total
    time-out is cut to what is left until ``not_after``; Rust looks at that time-out first whenever it
    goes on with the call, so a call delayed by connecting or by a frozen process ends instead of leaving.
    With a body (every write): no cut; Rust asks us for the body when the connection is ready to write it,
    and we check then, in the event loop. A body that was not given makes the request incomplete, so it is
    never acted on: the failure says ``reached="no"``, and a body is never given after a failure was told.
    What remains in both cases is a stop of the machine inside the hand-over (microseconds of code).

    A cancelled task ends at once, but Rust keeps the call's connection until the source answers or a
    time-out of ``Limits`` passes (pyreqwest 0.15 does not abort it): the place counts as taken for as
    long as the source may still be at work. A body not yet given is not given any more.
    """

    name = "pyreqwest"

    def __init__(self, limits: Limits, trust: Trust, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        builder = (
            ClientBuilder()
            .no_proxy()  # also: nothing from the environment
            .follow_redirects(False)
            .referer(False)
            .user_agent("interlock")
            .connect_timeout(timedelta(seconds=limits.connect_s))
            .read_timeout(timedelta(seconds=limits.read_s))
            .timeout(timedelta(seconds=limits.total_s))
            .pool_timeout(timedelta(seconds=limits.pool_s))
            .pool_idle_timeout(timedelta(seconds=limits.idle_s))
            .pool_max_idle_per_host(limits.connections)
            .max_connections(limits.connections)
        )
        if trust.proxy:
            proxy = ProxyBuilder.all(trust.proxy)
            if trust.proxy_user:
                password = trust.proxy_password.get_secret_value() if trust.proxy_password else ""
                proxy = proxy.basic_auth(trust.proxy_user, password)
            builder = builder.proxy(proxy)
        for certificate in _authorities(trust):
            builder = builder.add_root_certificate_der(certificate)
        identity = _identity(trust)
        try:
            if identity is not None:
                builder = builder.identity_pem(identity)
            self._client = builder.build()
        except failures.PyreqwestError as failure:
            raise unreadable_pem("certificate_file", trust.certificate_file, failure) from None

    async def close(self) -> None:
        await self._client.close()

    async def send(self, call: Call) -> Answer:
        began = time.perf_counter()
        not_after = call.not_after
        timeout = call.timeout_s
        if not_after is not None:
            left = not_after - self._clock.now()
            if left < 0:
                raise late(call)
            if not call.content:
                timeout = min(timeout or self._limits.total_s, max(left, 0.001))
        builder = self._client.request(call.method, call.url).headers(call.headers)
        if timeout is not None:
            builder = builder.timeout(timedelta(seconds=timeout))
        body: _Body | None = None
        if call.content:
            body = _Body(call, self._clock)
            builder = builder.header("content-length", str(len(call.content))).body_stream(body)
        limit = self._limits.answer_bytes
        try:
            async with builder.build_streamed() as response:
                read = await response.body_reader.read(limit + 1)
                status, headers = response.status, response.headers
        except Problem:
            raise
        except failures.PyreqwestError as failure:
            raise _told(call, failure, body) from None
        finally:
            if body is not None:
                body.closed = True
        content = b"" if read is None else bytes(read)
        if len(content) > limit:
            raise too_large(call, limit)
        return Answer(status, headers, content, time.perf_counter() - began)


class _Body:
    """A body that is given only when asked for, in time, and never after the call was told as failed."""

    __slots__ = ("_call", "_clock", "closed", "given")

    def __init__(self, call: Call, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self.given = False
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        call = self._call
        if self.closed or (call.not_after is not None and self._clock.now() > call.not_after):
            raise late(call)
        self.given = True
        yield call.content or b""


def _told(call: Call, failure: Any, body: _Body | None) -> Problem:
    causes = [cause["message"] for cause in (getattr(failure, "details", None) or {}).get("causes") or []]
    # The first cause repeats the URL, whose query may quote what people wrote.
    why = (causes[-1] if len(causes) > 1 else getattr(failure, "message", "") or type(failure).__name__)[:300]
    if _NO_CONNECTION in causes or isinstance(failure, failures.PoolTimeoutError | failures.ClientClosedError):
        return unsent(call, why)
    if body is not None and not body.given:
        return unsent(call, why)
    if isinstance(failure, failures.BuilderError):
        return unsent(call, why)
    if isinstance(failure, failures.DecodeError) and "gzip" in why.lower():
        return garbled(call, why)
    return unanswered(call, why)


def _authorities(trust: Trust) -> list[bytes]:
    if trust.ca_file is None:
        return []
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(trust.ca_file.read_bytes())
    except (OSError, ValueError) as failure:
        raise unreadable_pem("ca_file", trust.ca_file, failure) from None
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def _identity(trust: Trust) -> bytes | None:
    """Certificate and unencrypted key in one PEM, as rustls takes them."""
    if trust.certificate_file is None:
        return None
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = trust.certificate_file.read_bytes()
        key = trust.key_file.read_bytes() if trust.key_file else certificate
        password = trust.key_password.get_secret_value().encode() if trust.key_password else None
        private = serialization.load_pem_private_key(key, password)
    except (OSError, ValueError, TypeError) as failure:
        raise unreadable_pem("certificate_file", trust.certificate_file, failure) from None
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Only the certificates of the file: a key inside it may be the encrypted one.
    blocks = certificate.split(b"-----BEGIN CERTIFICATE-----")[1:]
    chain = b"".join(
        b"-----BEGIN CERTIFICATE-----" + block.split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
        for block in blocks
    )
    return chain + plain
