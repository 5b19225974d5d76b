"""Credentials on the wire: basic, API key header, and OAuth 2 with renewals in single flight."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import orjson
from pydantic import SecretStr

from interlock.adapterkit.wire import Answer, Call
from interlock.clock import Clock
from interlock.config.model import OAuth2
from interlock.records.problems import Problem, Slug, invalid

Send = Callable[[Call], Awaitable[Answer]]


class Auth(Protocol):
    """Gives the headers that prove who we are."""

    renewable: bool

    def current(self, now: float) -> Mapping[str, str] | None:
        """Headers that hold at ``now``, or None when they must be renewed first."""

    async def renew(
        self, send: Send, base_url: str, clock: Clock, stale: Mapping[str, str] | None
    ) -> Mapping[str, str]:
        """New headers; at once when another task has already replaced ``stale``. Raises Problem."""


class Fixed:
    """Headers that never change. The values are secret: repr shows only the names."""

    renewable = False

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def current(self, now: float) -> Mapping[str, str] | None:
        return self._headers

    async def renew(
        self, send: Send, base_url: str, clock: Clock, stale: Mapping[str, str] | None
    ) -> Mapping[str, str]:
        return self._headers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._headers)})"


class NoAuth(Fixed):
    """No credentials, as for a mock or a client certificate."""

    def __init__(self) -> None:
        super().__init__({})


class Basic(Fixed):
    """User name and password with every call (RFC 7617, UTF-8)."""

    def __init__(self, user: str, password: SecretStr) -> None:
        if ":" in user:
            raise invalid("auth.basic.username", user, "must not hold a colon", "Use another account.")
        pair = f"{user}:{password.get_secret_value()}".encode()
        super().__init__({"authorization": "Basic " + base64.b64encode(pair).decode()})


class ApiKey(Fixed):
    """A key in a header, for example ``x-sn-apikey``, after an optional prefix (``token ``)."""

    def __init__(self, header: str, key: SecretStr, prefix: str = "") -> None:
        value = prefix + key.get_secret_value()
        if not value.isascii() or not value.isprintable():
            raise invalid("auth.api_key.key", "***", "holds characters that no header can carry", "Check the key.")
        super().__init__({header.lower(): value})


_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_S = 300  # of an assertion


class OAuth:
    """OAuth 2 (RFC 6749, RFC 7523). Many tasks that need a token at once make one request for it.

    A token is renewed shortly before it ends, or when the source answered 401 to it. A refresh token is
    used where one was given; when the source no longer takes it, the first grant is used again.
    """

    renewable = True

    def __init__(self, client: OAuth2, assertion_time: Callable[[], float] = time.time) -> None:
        self._client = client
        self._time = assertion_time
        self._headers: Mapping[str, str] | None = None
        self._renew_at = 0.0
        self._refresh = client.refresh_token
        self._flight: asyncio.Task[Mapping[str, str]] | None = None

    def __repr__(self) -> str:
        return f"OAuth({self._client.grant}, {self._client.client_id})"

    def current(self, now: float) -> Mapping[str, str] | None:
        return self._headers if now < self._renew_at else None

    async def renew(
        self, send: Send, base_url: str, clock: Clock, stale: Mapping[str, str] | None
    ) -> Mapping[str, str]:
        if stale is not None and self._headers is not stale:
            fresh = self.current(clock.now())
            if fresh is not None:
                return fresh
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._fetch(send, base_url, clock))
            self._flight.add_done_callback(self._landed)
        return await asyncio.shield(self._flight)  # a waiter that is cancelled does not stop the others

    def _landed(self, flight: asyncio.Task[Mapping[str, str]]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # seen, also when nobody waits any more

    async def _fetch(self, send: Send, base_url: str, clock: Clock) -> Mapping[str, str]:
        client = self._client
        if self._refresh is not None:
            try:
                form = {"grant_type": "refresh_token", "refresh_token": self._refresh.get_secret_value()}
                return await self._ask(send, base_url, clock, form)
            except Problem as problem:
                if problem.slug is not Slug.SOURCE_DENIED or client.grant == "refresh_token":
                    raise
                self._refresh = None
        form = {"grant_type": client.grant}
        if client.grant == "password" and client.password is not None:
            form |= {"username": client.username or "", "password": client.password.get_secret_value()}
        elif client.grant == "jwt-bearer":
            form = {"grant_type": _JWT, "assertion": self._assertion()}
        return await self._ask(send, base_url, clock, form)

    async def _ask(self, send: Send, base_url: str, clock: Clock, form: dict[str, str]) -> Mapping[str, str]:
        client = self._client
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if client.scope:
            form["scope"] = client.scope
        secret = client.client_secret.get_secret_value() if client.client_secret else ""
        if client.client_auth == "basic":
            headers |= Basic(client.client_id, SecretStr(secret)).current(0.0) or {}
        else:
            form["client_id"] = client.client_id
            if secret:
                form["client_secret"] = secret
        url = client.token_path if urlsplit(client.token_path).scheme else base_url + client.token_path
        asked = clock.now()
        answer = await send(Call("POST", url, headers, urlencode(form).encode()))
        given = _token(answer)
        try:
            lasts = float(given.get("expires_in", 300))
        except (TypeError, ValueError):
            lasts = 300.0
        if isinstance(given.get("refresh_token"), str) and given["refresh_token"]:
            self._refresh = SecretStr(given["refresh_token"])
        self._headers = {"authorization": f"Bearer {given['access_token']}"}
        self._renew_at = asked + lasts - min(30.0, lasts * 0.1)
        return self._headers

    def _assertion(self) -> str:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        client = self._client
        now = int(self._time())
        header = {"alg": "RS256", "typ": "JWT"} | ({"kid": client.key_id} if client.key_id else {})
        claims = {
            "iss": client.client_id,
            "sub": client.username,
            "aud": client.audience or client.client_id,
            "iat": now,
            "exp": now + _LIFETIME_S,
            "jti": str(uuid.uuid4()),
        }
        signed = _b64(orjson.dumps(header)) + b"." + _b64(orjson.dumps(claims))
        try:
            key = serialization.load_pem_private_key(
                (client.private_key or SecretStr("")).get_secret_value().encode(), None
            )
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise invalid("auth.oauth2.private_key", "***", "is not an RSA key in PEM", "Give an unencrypted PEM.")
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _b64(signature)).decode()


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _token(answer: Answer) -> dict[str, Any]:
    """The token document, or a Problem that tells what the source said, never what we sent."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if answer.status == 200 and isinstance(found, dict) and isinstance(found.get("access_token"), str):
        return found
    error = found if isinstance(found, dict) else {}
    if answer.status in (400, 401, 403) and error:
        said = error.get("error_description") or error.get("error") or ""
        raise Problem(
            Slug.SOURCE_DENIED,
            "the source's token service refuses our credentials or this grant",
            next_step="Check client id, secret and account, and that the grant is switched on in the source.",
            layer="source",
            native_code=str(error.get("error") or answer.status)[:100],
            native_message=said[:200] if isinstance(said, str) else None,
            reached="no",
        )
    html = answer.body.lstrip()[:1] == b"<"
    page = "a web page instead of a token (asleep, in maintenance, or a login page)" if html else None
    raise Problem(
        Slug.SOURCE_UNAVAILABLE if html or answer.status >= 429 else Slug.SOURCE_DENIED,
        f"the source's token service answered {page or answer.status}",
        next_step="Check that the source is awake and that its token address is right.",
        layer="source",
        native_code=str(answer.status),
        reached="no",
    )
