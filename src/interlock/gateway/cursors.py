"""Cursors: opaque, signed, bound to the agent and the question, good for one hour."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from interlock.records.problems import Problem, invalid

LIFETIME_S = 3600
_AGAIN = "Start the search again without cursor."


class Cursors:
    """Signs and reads cursors with one key of the state folder."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, position: Any, agent: str, question: bytes, now: float) -> str:
        """A cursor for a native position."""
        body = orjson.dumps([int(now) + LIFETIME_S, position])
        return base64.urlsafe_b64encode(self._mac(body, agent, question) + body).decode().rstrip("=")

    def read(self, cursor: str, agent: str, question: bytes, now: float) -> Any:
        """The native position. Raises invalid-argument when it is not ours, not for this question, or too old."""
        problem: Problem = invalid("cursor", cursor, "is not a cursor for this search", _AGAIN)
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise problem from None
        mac, body = raw[:16], raw[16:]
        if not hmac.compare_digest(mac, self._mac(body, agent, question)):
            raise problem
        until, position = orjson.loads(body)
        if until < now:
            raise invalid("cursor", cursor, "has expired", _AGAIN)
        return position

    def _mac(self, body: bytes, agent: str, question: bytes) -> bytes:
        return hmac.digest(self._key, agent.encode() + b"\0" + question + b"\0" + body, "sha256")[:16]


def question_of(tool: str, raw: Mapping[str, Any]) -> bytes:
    """What a cursor is bound to: the tool and every argument but the cursor and the page's size."""
    asked = {name: value for name, value in raw.items() if name not in ("cursor", "limit", "max_age_s")}
    return hashlib.sha256(orjson.dumps([tool, asked], option=orjson.OPT_SORT_KEYS)).digest()
