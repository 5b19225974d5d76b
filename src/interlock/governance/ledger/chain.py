"""The chain: one row an entry, each holding the hash of the one before.

The canonical form. ``body`` is one JSON object in UTF-8: members sorted by name (code points), no white
space, characters escaped only where JSON demands it (``\\"``, ``\\\\``, control characters as
``\\b \\t \\n \\f \\r`` or ``\\u00xx`` in lower case), integers only (times are microseconds since the
epoch, UTC), all members always there. It is what Python writes with ``json.dumps(body, sort_keys=True,
separators=(",", ":"), ensure_ascii=False)``. ``hash`` is the SHA-256 of those bytes; ``prev`` is the hash
of the row before in lower-case hex, 64 zeros for the first. So an outsider verifies a copy with nothing
but Python::

    import hashlib, json, sqlite3
    rows = sqlite3.connect("ledger.sqlite").execute("SELECT seq, hash, body FROM chain ORDER BY seq")
    prev, count = "0" * 64, 0
    for seq, digest, body in rows:
        count += 1
        entry = json.loads(body)
        assert seq == entry["seq"] == count, f"a row is missing before {seq}"
        assert entry["prev"] == prev, f"row {seq} does not follow the one before"
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        prev = hashlib.sha256(canonical.encode()).hexdigest()
        assert prev == digest.hex(), f"row {seq} was altered"
    print(count, "entries, last hash", prev)

and compares the last hash with a signed head (see ``heads``), which shows that nothing was cut off.
``digests`` holds, per part of the payload, the SHA-256 of salt, name of the part, a zero byte and the
bytes that lie in the vault; the salt lies there too (see ``vault``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from interlock.records.problems import Problem, Slug

KINDS = frozenset({"call", "intent", "settle", "decision", "admin", "start", "stop"})
"""``intent`` is a write about to be sent or held, ``settle`` a later step of one, ``decision`` a person's
(approve, deny); ``admin`` changes who may do what, or the ledger itself."""

FORM = 1
"""Version of the canonical form, in every row as ``v``."""

GENESIS = "0" * 64
MAX_BODY = 16_384
_WHOLE = 2**53


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. No free text: ids, codes and versions only; words belong to the payload."""

    kind: str
    call_id: str
    at: float  # seconds since the epoch
    principal: str
    tool: str | None = None
    refs: tuple[str, ...] = ()
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None  # of the receipt
    detail: Mapping[str, Any] = field(default_factory=dict)


def canonical(entry: Entry, chain: str, seq: int, prev: str, digests: Mapping[str, str]) -> bytes:
    """The bytes that are stored and hashed. Raises Problem internal for an entry that is none."""
    if entry.kind not in KINDS:
        raise Problem(Slug.INTERNAL, f"ledger: {entry.kind!r} is not a kind of entry")
    body = {
        "at": round(entry.at * 1_000_000),
        "call": entry.call_id,
        "chain": chain,
        "detail": plain(entry.detail) if entry.detail else {},
        "digests": digests,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "prev": prev,
        "principal": entry.principal,
        "reasons": entry.reasons,
        "refs": entry.refs,
        "seq": seq,
        "tool": entry.tool,
        "v": FORM,
        "verdict": entry.verdict,
        "versions": entry.versions if type(entry.versions) is dict else dict(entry.versions),
    }
    try:
        found = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half of a surrogate pair, or a value of another type than the entry declares
        found = orjson.dumps(plain(body), option=orjson.OPT_SORT_KEYS)
    if len(found) > MAX_BODY:
        raise Problem(Slug.INTERNAL, f"ledger: an entry of {len(found)} bytes; large things go to the payload")
    return found


def recanonical(body: Any) -> bytes:
    """The canonical bytes of a body that was read back."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def digest_of(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def plain(value: Any) -> Any:
    """The same value in what the canonical form knows: other numbers, and other things, become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -_WHOLE < value < _WHOLE else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(str(entry)) for entry in value)
    return plain(str(value))
