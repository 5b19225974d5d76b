"""Verify a ledger: that nothing in it was altered, removed, reordered, added or cut off."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from interlock.governance.ledger import tables
from interlock.governance.ledger.chain import GENESIS, digest_of, recanonical
from interlock.governance.ledger.heads import ANCHORS, PUBLIC, public_key, read_anchors
from interlock.governance.ledger.vault import digests
from interlock.state.files import connect

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Report:
    """The result. ``first_bad`` is the first sequence number that is wrong (or missing), ``reason`` why.

    ``heads`` counts the signed heads that the chain was held against, ``erased`` the payloads that an
    entry of the chain says were erased. Entries after the last head (``unanchored``) could have been cut
    off without a trace.
    """

    ok: bool
    entries: int
    first_bad: int | None
    reason: str | None
    heads: int
    unanchored: int = 0
    erased: int = 0


class _Bad(Exception):
    def __init__(self, seq: int | None, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


@dataclass(slots=True)
class _Erasures:
    before: int = -1
    entries: set[int] = field(default_factory=set)

    def cover(self, seq: int, at: int) -> bool:
        return at < self.before or seq in self.entries


@dataclass(slots=True)
class _Progress:
    entries: int = 0
    prev: str = GENESIS
    erased: int = 0


def verify(folder: Path, anchors: Path | None = None, public: Path | bytes | None = None) -> Report:
    """Check the ledger of a state folder, also while a gateway writes to it.

    ``anchors``: the file of signed heads; ``public``: the key they are signed with (PEM file, PEM, or 32
    raw bytes), best both from a place that the gateway's user cannot write. Raises StateError when there
    is no ledger, or no readable key.
    """
    key = public_key(public or folder / PUBLIC)
    path = anchors or folder / ANCHORS
    progress = _Progress()
    heads: dict[int, str] = {}
    db = connect(folder / tables.NAME, readonly=True)
    try:
        (chain,) = db.execute("SELECT chain FROM about").fetchone() or (None,)
        # Heads first: the chain may grow while we read, and must then reach at least as far as they say.
        if path.exists():
            _read_heads(path, key, chain, heads)
        db.execute("BEGIN")
        _walk(db, str(chain), heads, progress)
        _ends(db, heads, progress)
    except _Bad as bad:
        return Report(False, progress.entries, bad.seq, bad.reason, len(heads))
    except sqlite3.DatabaseError as error:
        return Report(False, progress.entries, progress.entries + 1, f"the file is damaged: {error}", len(heads))
    finally:
        db.close()
    return Report(True, progress.entries, None, None, len(heads), progress.entries - max(heads), progress.erased)


def _read_heads(path: Path, key: Ed25519PublicKey, chain: str | None, heads: dict[int, str]) -> None:
    for read in read_anchors(path, key):
        if read.fault:
            raise _Bad(None, f"line {read.line} of the anchors: {read.fault}")
        head = read.head
        if head is None:
            continue
        if head.chain != chain:
            raise _Bad(1, f"line {read.line} of the anchors names chain {head.chain}, which is not here")
        if heads.setdefault(head.seq, head.hash) != head.hash:
            raise _Bad(head.seq, "two signed heads of one entry differ")


def _walk(db: sqlite3.Connection, chain: str, heads: dict[int, str], progress: _Progress) -> None:
    """Walk the chain with its payloads; raises _Bad at the first row that is wrong."""
    erasures = _erasures(db)
    sql = (
        "SELECT c.seq, c.hash, c.call_id, c.body, v.at, v.salt, v.arguments, v.answer "
        "FROM chain c LEFT JOIN vault v ON v.seq = c.seq ORDER BY c.seq"
    )
    for seq, digest, call_id, text, *stored in db.execute(sql):
        expected = progress.entries + 1
        if seq != expected:
            raise _Bad(expected, f"entry {expected} is missing; the next one is {seq}")
        body = _body(seq, text)
        if body.get("prev") != progress.prev:
            raise _Bad(seq, "does not follow the entry before it: altered, removed or reordered")
        if body.get("seq") != seq or body.get("chain") != chain or body.get("call") != call_id:
            raise _Bad(seq, "its columns and its body disagree")
        if digest_of(text.encode()) != digest:
            raise _Bad(seq, "was altered: its hash is another")
        hexed = digest.hex()
        if seq in heads and heads[seq] != hexed:
            raise _Bad(seq, "is not the entry that a signed head anchored: the chain was written anew")
        progress.erased += _payload(seq, body, stored, erasures)
        progress.entries, progress.prev = seq, hexed


def _payload(seq: int, body: dict[str, Any], stored: list[Any], erasures: _Erasures) -> bool:
    """Hold the vault against the entry; True when its payload was erased, as an entry says."""
    at, salt, arguments, answer = stored
    promised, when = body.get("digests"), body.get("at")
    if not isinstance(promised, dict) or not isinstance(when, int):
        raise _Bad(seq, "is not an entry")
    if at is None:
        if promised and not erasures.cover(seq, when):
            raise _Bad(seq, "its payload is gone, and no entry says that it was erased")
        return bool(promised)
    # Columns of SQLite take any type, so whoever tampers may leave text where bytes were.
    as_stored = isinstance(salt, bytes) and all(isinstance(part, bytes | None) for part in (arguments, answer))
    if not as_stored or at != when or digests(salt, arguments, answer) != promised:
        raise _Bad(seq, "its payload was altered")
    return False


def _body(seq: int, text: Any) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        body = None
    if not isinstance(body, dict) or recanonical(body) != str(text).encode():
        raise _Bad(seq, "was altered: its body is not in canonical form")
    return body


def _ends(db: sqlite3.Connection, heads: dict[int, str], progress: _Progress) -> None:
    """What a walk over the rows cannot see: a missing end, payloads without an entry."""
    if not heads:
        raise _Bad(None, "no signed head was found: whether the end was cut off cannot be told")
    beyond = [seq for seq in heads if seq > progress.entries]
    if beyond:
        raise _Bad(
            progress.entries + 1, f"cut off: entry {max(beyond)} was anchored, the last one here is {progress.entries}"
        )
    if 0 in heads and heads[0] != GENESIS:
        raise _Bad(1, "the head of the empty chain is not the beginning of one")
    (stray,) = db.execute("SELECT min(seq) FROM vault WHERE seq NOT IN (SELECT seq FROM chain)").fetchone()
    if stray is not None:
        raise _Bad(stray, "a payload belongs to no entry")


def _erasures(db: sqlite3.Connection) -> _Erasures:
    """What the chain says was erased; the entries that say so are verified with all others."""
    found = _Erasures()
    for text in tables.erasures(db):
        try:
            body = _body(0, text)
        except _Bad:
            continue  # the walk comes by it
        detail = body.get("detail")
        if body.get("tool") != tables.ERASED or body.get("kind") != "admin" or not isinstance(detail, dict):
            continue
        before, entry = detail.get("before"), detail.get("entry")
        if isinstance(before, int):
            found.before = max(found.before, before)
        if isinstance(entry, int):
            found.entries.add(entry)
    return found
