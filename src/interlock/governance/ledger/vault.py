"""The vault: what was asked and answered, word for word, kept for a while beside the chain.

The chain holds only salted digests. The salt, 16 random bytes a payload, lies in the vault and is erased
with it: what is left in the chain then says nothing, not even to somebody who guesses the content.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import orjson

PARTS = ("arguments", "answer")
SALT_BYTES = 16
MAX_PART = 1_048_576
"""Bytes kept of one part; the rest is cut off, and the digest is of what is kept."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Arguments and answer of a call: bytes as they are, anything else as JSON.

    It is written by another thread a moment later: what it holds must not be changed any more.
    """

    arguments: Any = None
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A payload as it is stored, with its digests by part."""

    salt: bytes
    arguments: bytes | None
    answer: bytes | None
    digests: dict[str, str]


def seal(payload: Payload, salt: bytes) -> Sealed:
    arguments, answer = as_bytes(payload.arguments), as_bytes(payload.answer)
    return Sealed(salt, arguments, answer, digests(salt, arguments, answer))


def digests(salt: bytes, arguments: bytes | None, answer: bytes | None) -> dict[str, str]:
    """SHA-256 of salt, name of the part, zero byte, content; parts that are not there have none."""
    return {
        name: hashlib.sha256(salt + name.encode() + b"\0" + part).hexdigest()
        for name, part in zip(PARTS, (arguments, answer), strict=True)
        if part is not None
    }


def as_bytes(part: Any) -> bytes | None:
    if part is None:
        return None
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part[:MAX_PART])
    try:
        found = orjson.dumps(part, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # half of a surrogate pair, an integer beyond 64 bits
        found = json.dumps(part, default=str).encode()
    return found[:MAX_PART]
