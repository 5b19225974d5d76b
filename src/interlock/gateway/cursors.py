"""Cursors: opaque, signed, bound to the agent, its scopes and the question, good for one hour, at most 512 bytes.

Nothing of them is kept: all that is needed to go on stands in the cursor. It is compressed when it would not fit.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from interlock.principals.models import NO_SCOPES, Scope
from interlock.records.problems import Problem, invalid

LIFETIME_S = 3600
MOST_BYTES = 512
TOO_LONG = (
    "The source's place in this search does not fit into a cursor, so it cannot be gone on with: narrow the filter, "
    "or ask for more rows at once."
)
_MAC_BYTES = 16
_BODY_BYTES = MOST_BYTES * 3 // 4 - _MAC_BYTES
_WORDS = (
    b'null,null,"used":"dcim.virtualization.virtualmachine/","dcim.device/'
    b'{"skips":[{"branch":{"after":"{"start":,"last":"0,20,{"at":{"skip":'
)
"""What positions are made of, most usual last: the dictionary of the compression."""
_PACKED = b"z"  # no JSON begins so
_AGAIN = "Start the search again without cursor."


class Cursors:
    """Signs and reads cursors with one key of the state folder."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, position: Any, agent: str, question: bytes, now: float) -> str | None:
        """A cursor for a position (JSON-able); None when it would be longer than ``MOST_BYTES``."""
        body = orjson.dumps([int(now) + LIFETIME_S, position])
        if len(body) > _BODY_BYTES:
            packer = zlib.compressobj(9, wbits=-15, zdict=_WORDS)
            body = _PACKED + packer.compress(body) + packer.flush()
            if len(body) > _BODY_BYTES:
                return None
        return base64.urlsafe_b64encode(self._mac(body, agent, question) + body).decode().rstrip("=")

    def read(self, cursor: str, agent: str, question: bytes, now: float) -> Any:
        """The position. Raises invalid-argument when it is not ours, not for this question, or too old."""
        problem: Problem = invalid("cursor", cursor, "is not a cursor for this search", _AGAIN)
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise problem from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body, agent, question)):
            raise problem
        if body[:1] == _PACKED:  # ours, so it unpacks to what we packed
            body = zlib.decompressobj(wbits=-15, zdict=_WORDS).decompress(body[1:])
        until, position = orjson.loads(body)
        if until < now:
            raise invalid("cursor", cursor, "has expired", _AGAIN)
        return position

    def _mac(self, body: bytes, agent: str, question: bytes) -> bytes:
        return hmac.digest(self._key, agent.encode() + b"\0" + question + b"\0" + body, "sha256")[:_MAC_BYTES]


def question_of(tool: str, raw: Mapping[str, Any], scopes: Mapping[str, Scope] = NO_SCOPES) -> bytes:
    """What a cursor is bound to: the tool, the agent's scopes, and every argument but the cursor, the size of the
    page and the age that is accepted."""
    asked = {name: value for name, value in raw.items() if name not in ("cursor", "limit", "max_age_s")}
    bounds = [(kind, scope.filter, sorted(scope.hidden)) for kind, scope in sorted(scopes.items())]
    return hashlib.sha256(orjson.dumps([tool, asked, bounds], option=orjson.OPT_SORT_KEYS)).digest()
