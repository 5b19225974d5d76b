"""Verify a ledger: that nothing in it was altered, removed, reordered, added or cut off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from interlock.governance.ledger import tables
from interlock.governance.ledger.chain import GENESIS, digest_of, recanonical
from interlock.governance.ledger.heads import ANCHORS, PUBLIC, Head, public_key, read_anchors
from interlock.governance.ledger.vault import digests
from interlock.state.files import connect


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
    heads: dict[int, Head] = {}
    db = connect(folder / tables.NAME, readonly=True)
    try:
        # Heads first: the chain may grow while we read, and must then reach at least as far as they say.
        reads = list(read_anchors(path, key)) if path.exists() else []
        db.execute("BEGIN")
        (chain,) = db.execute("SELECT chain FROM about").fetchone() or (None,)
        for read in reads:
            if read.fault:
                raise _Bad(None, f"line {read.line} of the anchors: {read.fault}")
            if read.head is None:
                continue
            if read.head.chain != chain:
                raise _Bad(1, f"line {read.line} of the anchors names chain {read.head.chain}, which is not here")
            known = heads.setdefault(read.head.seq, read.head)
            if known.hash != read.head.hash:
                raise _Bad(read.head.seq, "two signed heads of one entry differ")
        for _ in _rows(db, str(chain), heads, progress):
            pass
        _ends(db, heads, progress)
    except _Bad as bad:
        return Report(False, progress.entries, bad.seq, bad.reason, len(heads))
    except sqlite3.DatabaseError as error:
        return Report(False, progress.entries, progress.entries + 1, f"the file is damaged: {error}", len(heads))
    finally:
        db.close()
    return Report(True, progress.entries, None, None, len(heads), progress.entries - max(heads), progress.erased)


def _rows(db: sqlite3.Connection, chain: str, heads: dict[int, Head], progress: _Progress) -> Iterator[int]:
    """Walk the chain with its payloads; raises _Bad at the first row that is wrong."""
    erasures = _erasures(db)
    sql = (
        "SELECT c.seq, c.hash, c.call_id, c.body, v.salt, v.arguments, v.answer, v.at "
        "FROM chain c LEFT JOIN vault v ON v.seq = c.seq ORDER BY c.seq"
    )
    for seq, digest, call_id, text, salt, arguments, answer, at in db.execute(sql):
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
        if salt is None:
            if body["digests"]:
                if not erasures.cover(seq, body["at"]):
                    raise _Bad(seq, "its payload is gone, and no entry says that it was erased")
                progress.erased += 1
        elif at != body["at"] or digests(salt, arguments, answer) != body["digests"]:
            raise _Bad(seq, "its payload was altered")
        progress.entries, progress.prev = seq, digest.hex()
        if seq in heads and heads[seq].hash != progress.prev:
            raise _Bad(seq, "is not the entry that a signed head anchored: the chain was written anew")
        yield seq


def _body(seq: int, text: Any) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        body = None
    if not isinstance(body, dict) or recanonical(body) != str(text).encode():
        raise _Bad(seq, "was altered: its body is not in canonical form")
    return body


def _ends(db: sqlite3.Connection, heads: dict[int, Head], progress: _Progress) -> None:
    """What a walk over the rows cannot see: a missing end, payloads without an entry."""
    if not heads:
        raise _Bad(None, "no signed head was found: whether the end was cut off cannot be told")
    beyond = [seq for seq in heads if seq > progress.entries]
    if beyond:
        raise _Bad(
            progress.entries + 1, f"cut off: entry {max(beyond)} was anchored, the last one here is {progress.entries}"
        )
    if 0 in heads and heads[0].hash != GENESIS:
        raise _Bad(1, "the head of the empty chain is not the beginning of one")
    (stray,) = db.execute("SELECT min(seq) FROM vault WHERE seq NOT IN (SELECT seq FROM chain)").fetchone()
    if stray is not None:
        raise _Bad(stray, "a payload belongs to no entry")


def _erasures(db: sqlite3.Connection) -> _Erasures:
    """What the chain says was erased; the entries that say so are verified with all others."""
    found = _Erasures()
    for text in tables.erasures(db):
        body = _body(0, text)
        if body.get("tool") == tables.ERASED and body.get("kind") == "admin":
            found.before = max(found.before, body["detail"].get("before", -1))
            if "entry" in body["detail"]:
                found.entries.add(body["detail"]["entry"])
    return found
