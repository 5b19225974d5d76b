"""Who calls: basic accounts, OAuth tokens, API keys, and how often each may call."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from interlock.clock import Clock
from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, unauthenticated
from mock_servers.servicenow.settings import Client, Switches, User
from mock_servers.servicenow.store import Store, derived_id

REFRESH_SECONDS = 100 * 86_400


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account and its sys_user row."""

    name: str
    sys_id: str
    roles: frozenset[str]
    zone: ZoneInfo

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


@dataclass(slots=True)
class _Token:
    access: str
    refresh: str
    user: str
    client: str
    ends: float


class Accounts:
    """Accounts, tokens and request counters of one instance."""

    def __init__(
        self,
        store: Store,
        switches: Switches,
        clock: Clock,
        users: Iterable[User],
        clients: Iterable[Client],
        api_keys: Mapping[str, str],
        seed: int = 0,
    ) -> None:
        self._switches = switches
        self._clock = clock
        self._users = {user.name: user for user in users}
        self._clients = {client.client_id: client for client in clients}
        self._api_keys = dict(api_keys)
        self._random = random.Random(f"tokens {seed}")  # noqa: S311 -- a mock: repeatable, guards nothing
        self._tokens: dict[str, _Token] = {}
        self._refreshes: dict[str, tuple[str, str, float]] = {}
        self._basic: dict[str, Caller] = {}
        self._hours: dict[str, tuple[int, int]] = {}
        self._callers = {user.name: self._install(store, user) for user in self._users.values()}

    def _install(self, store: Store, user: User) -> Caller:
        row = next(store.where("sys_user", "user_name", user.name), None)
        if row is None:
            row = {
                "sys_id": derived_id("sys_user", user.name),
                "user_name": user.name,
                "name": user.full_name or user.name,
                "email": f"{user.name}@example.com",
                "active": "true",
                "sys_class_name": "sys_user",
                "time_zone": user.time_zone,
                "sys_created_on": "2020-01-01 00:00:00",
                "sys_created_by": "system",
                "sys_updated_on": "2020-01-01 00:00:00",
                "sys_updated_by": "system",
                "sys_mod_count": "0",
            }
            store.load({"sys_user": [row]})
        return Caller(user.name, row["sys_id"], user.roles, ZoneInfo(user.time_zone))

    # -- requests -----------------------------------------------------------------------------------

    def caller(self, path: str, headers: Mapping[bytes, bytes], parameters: Mapping[str, str]) -> Caller:
        """Who sent a request. Raises SnowError 401."""
        given = headers.get(b"authorization", b"").decode("latin-1")
        if given[:6].lower() == "basic ":
            found = self._basic.get(given) or self._check_basic(given)
        elif given[:7].lower() == "bearer ":
            found = self._check_bearer(given[7:].strip())
        else:
            key = headers.get(b"x-sn-apikey", b"").decode("latin-1") or parameters.get("x-sn-apikey", "")
            allowed = any(path.startswith(prefix) for prefix in self._switches.api_key_paths)
            found = self._callers.get(self._api_keys.get(key, "")) if key and allowed else None
        if found is None:
            raise unauthenticated(self._switches.auth_message)
        return found

    def _check_basic(self, given: str) -> Caller | None:
        try:
            name, _, password = base64.b64decode(given[6:].strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = self._users.get(name)
        if user is None or user.password != password:
            return None
        self._basic[given] = self._callers[name]
        return self._callers[name]

    def _check_bearer(self, access: str) -> Caller | None:
        token = self._tokens.get(access)
        if token is None or token.ends <= self._clock.now():
            return None
        return self._callers.get(token.user)

    def count(self, caller: Caller) -> tuple[tuple[str, str], ...]:
        """Count one request; the rate-limit headers of its answer. Raises SnowError 429."""
        limit = self._switches.rate_limit
        if not limit:
            return ()
        now = self._clock.now()
        hour = int(now // 3600)
        counted_hour, count = self._hours.get(caller.name, (hour, 0))
        count = count + 1 if counted_hour == hour else 1
        self._hours[caller.name] = (hour, count)
        reset = (hour + 1) * 3600
        headers = (
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Reset", str(reset)),
            ("X-RateLimit-Rule", derived_id("sys_rate_limit_rules", caller.name)),
        )
        if count > limit:
            raise SnowError(
                429,
                "Rate limit exceeded",
                f"Rate limit of {limit} requests per hour for Table API exceeded",
                (*headers, ("Retry-After", str(max(1, int(reset - now))))),
            )
        return headers

    # -- OAuth --------------------------------------------------------------------------------------

    def token(self, content_type: str, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        """Answer ``POST /oauth_token.do``: form-encoded only; the same token for as long as it lives."""
        if not content_type.startswith("application/x-www-form-urlencoded"):
            return _refused()
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        client = self._client(form, headers.get(b"authorization", b"").decode("latin-1"))
        if client is None:
            return _refused()
        grant = form.get("grant_type", "")
        if grant == "password":
            user = self._users.get(form.get("username", ""))
            if user is None or user.password != form.get("password"):
                return _refused()
            return self._issue(client.client_id, user.name, refreshable=True)
        if grant == "client_credentials":
            return self._issue(client.client_id, client.user, refreshable=False)
        if grant == "refresh_token":
            user_name, owner, ends = self._refreshes.get(form.get("refresh_token", ""), ("", "", 0.0))
            if owner != client.client_id or ends <= self._clock.now():
                return json_answer(401, {"error": "invalid_grant", "error_description": "access_denied"})
            return self._issue(owner, user_name, refreshable=True, anew=True)
        return json_answer(400, {"error": "unsupported_grant_type", "error_description": "access_denied"})

    def _client(self, form: Mapping[str, str], authorization: str) -> Client | None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization[:6].lower() == "basic ":
            try:
                client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
        client = self._clients.get(client_id)
        return client if client is not None and client.secret == secret else None

    def _issue(self, client: str, user: str, *, refreshable: bool, anew: bool = False) -> Answer:
        now = self._clock.now()
        alive = (t for t in self._tokens.values() if (t.client, t.user) == (client, user) and t.ends > now)
        token = None if anew else next(alive, None)
        if token is None:
            access, refresh = (f"{self._random.getrandbits(512):0128x}"[:86] for _ in range(2))
            token = _Token(access, refresh, user, client, now + self._switches.token_seconds)
            self._tokens[access] = token
        content: dict[str, str | int] = {
            "access_token": token.access,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": max(0, int(token.ends - now) - 1),
        }
        if refreshable:
            self._refreshes[token.refresh] = (user, client, now + REFRESH_SECONDS)
            content["refresh_token"] = token.refresh
        return json_answer(200, content)

    def revoke(self, access: str) -> None:
        """Forget an access token (``/oauth_revoke_token.do``)."""
        self._tokens.pop(access, None)

    def expire_tokens(self) -> None:
        """Let every access token end now; refresh tokens stay."""
        self._tokens.clear()


def _refused() -> Answer:
    return json_answer(401, {"error_description": "access_denied", "error": "server_error"})
