"""Look into a ledger, beside the process that writes it."""

from __future__ import annotations

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
