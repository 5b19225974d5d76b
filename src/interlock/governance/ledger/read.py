"""Look into a ledger, beside the process that writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from interlock.governance.ledger import tables
from interlock.state.files import connect


def entries(folder: Path, *, after: int = 0, limit: int = 100, call_id: str | None = None) -> list[dict[str, Any]]:
    """Bodies of entries in order, those after sequence ``after``, optionally of one call.

    ``at`` is in microseconds since the epoch. Raises StateError when there is no ledger.
    """
    only = " AND call_id = ?" if call_id is not None else ""
    sql = f"SELECT body FROM chain WHERE seq > ?{only} ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
    args = (after, limit) if call_id is None else (after, call_id, limit)
    with closing(connect(folder / tables.NAME, readonly=True)) as db:
        return [orjson.loads(body) for (body,) in db.execute(sql, args)]


def payload(folder: Path, seq: int) -> tuple[bytes | None, bytes | None] | None:
    """Arguments and answer of one entry; None when it has none (any more)."""
    with closing(connect(folder / tables.NAME, readonly=True)) as db:
        row = db.execute("SELECT arguments, answer FROM vault WHERE seq = ?", (seq,)).fetchone()
    return (row[0], row[1]) if row else None


def export(folder: Path, *, after: int = 0, payloads: bool = False) -> Iterator[dict[str, Any]]:
    """Entries in order, those after sequence ``after``: the body as it is hashed, and ``hash`` in hex.

    ``payloads`` adds ``arguments`` and ``answer`` from the vault as JSON, text where they are none, and null
    where there is none or it was erased. Read in bounded steps, so that a long ledger needs no memory and the
    process that writes it is never kept waiting. Raises StateError when there is no ledger.
    """
    sql = (
        "SELECT c.seq, c.hash, c.body, v.arguments, v.answer FROM chain c LEFT JOIN vault v ON v.seq = c.seq "
        "WHERE c.seq > ? ORDER BY c.seq LIMIT ?"
    )
    with closing(connect(folder / tables.NAME, readonly=True)) as db:
        while rows := db.execute(sql, (after, _AT_ONCE)).fetchall():
            for seq, digest, body, arguments, answer in rows:
                after = seq
                entry = {**orjson.loads(body), "hash": digest.hex()}
                if payloads:
                    entry |= {"arguments": _told(arguments), "answer": _told(answer)}
                yield entry


_AT_ONCE = 500


def _told(part: bytes | None) -> Any:
    if part is None:
        return None
    try:
        return orjson.loads(part)
    except ValueError:  # an agent's bytes that are no JSON, or a part that was cut off at its bound
        return part.decode("utf-8", "replace")
