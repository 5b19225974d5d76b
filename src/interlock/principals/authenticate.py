"""Who shows this token? Answered from a small cache that forgets when anything about principals changes."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import NoReturn

from interlock.clock import Clock
from interlock.principals.models import Agent, AnyPrincipal
from interlock.principals.store import PrincipalStore
from interlock.principals.tables import StoredKey
from interlock.principals.tokens import hash_of, key_of
from interlock.records.problems import Problem, Slug
from interlock.records.times import to_text

POLL_S = 1.0
"""A suspension or revocation by another process is seen within this time."""
CACHED = 10_000
_NOBODY = hash_of("")
_NEVER = float("inf")


class Authenticator:
    """Tokens to principals. One per process; not shared between threads.

    The cache holds hashes, never tokens. It is emptied by any act of this process at once, and by acts of
    other processes when their number is next looked at, at most ``POLL_S`` later.
    """

    def __init__(self, store: PrincipalStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[bytes, tuple[AnyPrincipal, float]] = {}
        self._changes = -1
        self._sequence = -1
        self._next_poll = 0.0
        self._days: dict[str, str] = {}  # key id -> the last day noted
        self._to_note: dict[str, str] = {}

    def authenticate(self, token: str) -> AnyPrincipal:
        """The principal of a token, with ``key`` set, an agent's tools narrowed to those of the key.

        Raises Problem unauthenticated for a token that is unknown, malformed, expired or revoked, all in
        the same words; Problem refused when its principal is suspended.
        """
        now = self._clock.now()
        if now >= self._next_poll or self._store.changes != self._changes:
            self._look(now)
        digest = hash_of(token)
        found = self._known.get(digest)
        if found is None or now >= found[1]:
            found = self._read(token, digest, now)
        principal = found[0]
        if principal.status == "suspended":
            raise Problem(
                Slug.REFUSED,
                "this principal is suspended",
                next_step="Ask an administrator of the gateway.",
                more={"reason": "suspended"},
            )
        return principal

    def _look(self, now: float) -> None:
        """Forget everything when something changed; note which keys were used today."""
        self._next_poll = now + POLL_S
        sequence = self._store.sequence()
        if sequence != self._sequence or self._store.changes != self._changes:
            self._known.clear()
            self._sequence, self._changes = sequence, self._store.changes
        if self._to_note and self._store.used(self._to_note):
            self._days.update(self._to_note)
            self._to_note = {}

    def _read(self, token: str, digest: bytes, now: float) -> tuple[AnyPrincipal, float]:
        self._known.pop(digest, None)
        name = key_of(token)
        stored = self._store.stored_key(name or "")
        # Compared even when there is no such key: an unknown id takes as long as a wrong secret.
        same = hmac.compare_digest(digest, stored.hash if stored else _NOBODY)
        if stored is None or name is None or not same or not _valid(stored, now):
            _unauthenticated()
        key = stored.key
        principal: AnyPrincipal
        if isinstance(stored.principal, Agent) and key.tools is not None:
            principal = replace(stored.principal, tools=stored.principal.tools & key.tools, key=key.id)
        else:
            principal = replace(stored.principal, key=key.id)
        until = _NEVER if key.expires_at is None else key.expires_at
        day = to_text(now)[:10]
        if key.last_used != day and self._days.get(key.id) != day:
            self._to_note[key.id] = day
        # Look again at midnight, so that the day of the last use is noted for keys in steady use.
        found = (principal, min(until, (now // 86_400 + 1) * 86_400))
        if len(self._known) >= CACHED:
            self._known.clear()
        self._known[digest] = found
        return found


def _valid(stored: StoredKey, now: float) -> bool:
    key = stored.key
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _unauthenticated() -> NoReturn:
    raise Problem(
        Slug.UNAUTHENTICATED,
        "no valid key",
        next_step="Send 'Authorization: Bearer <key>' with a key that an administrator issued to you.",
    )
