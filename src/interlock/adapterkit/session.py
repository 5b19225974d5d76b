"""The HTTP session of one source: a base address, credentials, and one transport under it.

Written to httpx's API in spirit, so that the connection layer under it can be exchanged. It adds to a
transport: the address, default headers, credentials (renewed once after a 401), and that a redirect is
never followed: one to another host is a lost login, not an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode, urljoin, urlsplit

import orjson

from interlock.adapterkit.auth import Auth, NoAuth
from interlock.adapterkit.wire import Answer, Call, Limits, Transport, Trust
from interlock.clock import Clock
from interlock.records.problems import Problem, Slug, invalid

TransportName = Literal["auto", "asyncio", "pyreqwest", "httpx"]
_JSON = {"content-type": "application/json"}


class Session:
    """Calls to one source. Raises Problem for all that is not an answer; a status is an answer."""

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        clock: Clock,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = _address(base_url)
        self.transport = transport
        self.clock = clock
        self._auth = auth or NoAuth()
        self._headers = {"accept": "application/json", **(headers or {})}
        self._proof: Mapping[str, str] | None = None
        self._proven: dict[str, str] = {}
        host = urlsplit(self.base_url)
        self._origin = (host.scheme, host.netloc.lower())
        self._dated: tuple[Mapping[str, str], float] | None = None

    @property
    def skew_s(self) -> float | None:
        """By how many seconds the source's clock was ahead of ours at its last answer; None when it never told.

        Its ``Date`` has whole seconds, so less than two say nothing.
        """
        if self._dated is None:
            return None
        try:
            told = parsedate_to_datetime(self._dated[0].get("date") or "")
        except ValueError:
            return None
        return round(told.replace(tzinfo=told.tzinfo or UTC).timestamp() - self._dated[1], 1)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | str | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
        not_after: float | None = None,
    ) -> Answer:
        """Send one request; ``path`` is appended to the base address.

        ``params`` are encoded here, or given as an encoded string. ``json`` is the body as data,
        ``content`` as bytes. ``timeout_s`` bounds the whole call. Nothing leaves after ``not_after``
        (epoch seconds; see the transports for what exactly that means). After a 401 the credentials are
        renewed and the request is sent once more: a source that answers 401 has not acted.
        """
        url = self.base_url + path
        if params:
            url += "?" + (params if isinstance(params, str) else urlencode(params, quote_via=quote))
        if json is not None:
            content = orjson.dumps(json)
            headers = {**_JSON, **headers} if headers else _JSON
        auth = self._auth
        proof = auth.current(self.clock.now())
        if proof is None:
            proof = await self._renew(None)
        answer = await self._send(method, url, proof, headers, content, timeout_s, not_after)
        if answer.status == 401 and auth.renewable:
            proof = await self._renew(proof)
            answer = await self._send(method, url, proof, headers, content, timeout_s, not_after)
        if 300 <= answer.status < 400 and answer.status != 304:
            raise self._redirected(answer)
        return answer

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()

    async def _send(
        self,
        method: str,
        url: str,
        proof: Mapping[str, str],
        headers: Mapping[str, str] | None,
        content: bytes | None,
        timeout_s: float | None,
        not_after: float | None,
    ) -> Answer:
        if proof is not self._proof:
            self._proof, self._proven = proof, {**self._headers, **proof}
        complete = {**self._proven, **headers} if headers else self._proven
        answer = await self.transport.send(Call(method, url, complete, content, timeout_s, not_after))
        self._dated = (answer.headers, self.clock.now())
        return answer

    async def _renew(self, stale: Mapping[str, str] | None) -> Mapping[str, str]:
        try:
            return await self._auth.renew(self.transport.send, self.base_url, self.clock, stale)
        except Problem as problem:
            problem.reached = "no"  # the call itself was not sent
            raise

    def _redirected(self, answer: Answer) -> Problem:
        target = urlsplit(urljoin(self.base_url + "/", answer.headers.get("location") or ""))
        place = f"{target.scheme}://{target.hostname or ''}{target.path}"[:200]  # a query may hold tokens
        elsewhere = (target.scheme, target.netloc.lower()) != self._origin
        login = any(word in target.path.lower() for word in ("login", "sso", "saml", "oauth", "auth"))
        if elsewhere or login:
            return Problem(
                Slug.SOURCE_DENIED,
                f"the source sends us to a login page at {place}",
                next_step="Use an account that may sign in to the API directly, not through single sign-on.",
                layer="source",
                native_code=str(answer.status),
                reached="no",
            )
        return Problem(
            Slug.SOURCE_FAULT,
            f"the source answers with a redirect to {place}, which is not followed",
            next_step="Correct the source's base address.",
            layer="source",
            native_code=str(answer.status),
            reached="maybe",
        )


def _address(base_url: str) -> str:
    found = urlsplit(base_url)
    hint = "Write it as https://host or https://host/path."
    if found.scheme not in ("http", "https") or not found.hostname:
        raise invalid("base_url", found.hostname or "", "is not an http or https address", hint)
    if found.username or found.password:
        raise invalid("base_url", found.hostname, "must not hold credentials", "Put them under auth.")
    if found.query or found.fragment:
        raise invalid("base_url", found.hostname, "must not hold a query or fragment", hint)
    return base_url.rstrip("/")


def open_transport(name: TransportName, limits: Limits, trust: Trust, clock: Clock) -> Transport:
    """The transport of that name; ``auto`` is pyreqwest where it is installed, else httpx."""
    if name not in ("auto", "asyncio", "pyreqwest", "httpx"):
        raise invalid("transport", name, "is not a transport", "Transports: auto, asyncio, pyreqwest, httpx.")
    if name == "asyncio":
        from interlock.adapterkit.transport_asyncio import AsyncioTransport

        return AsyncioTransport(limits, trust, clock)
    if name != "httpx":
        try:
            from interlock.adapterkit.transport_pyreqwest import PyreqwestTransport
        except ImportError:
            if name == "pyreqwest":
                raise invalid("transport", name, "is not installed here", "Install pyreqwest, or use httpx.") from None
        else:
            return PyreqwestTransport(limits, trust, clock)
    from interlock.adapterkit.transport_httpx import HttpxTransport

    return HttpxTransport(limits, trust, clock)


def open_session(
    base_url: str,
    clock: Clock,
    *,
    auth: Auth | None = None,
    limits: Limits | None = None,
    trust: Trust | None = None,
    transport: TransportName = "auto",
    headers: Mapping[str, str] | None = None,
) -> Session:
    """A session with its transport. Raises Problem invalid-argument for settings that cannot work."""
    limits, trust = limits or Limits(), trust or Trust()
    return Session(base_url, open_transport(transport, limits, trust, clock), clock, auth, headers)
