"""SRC-LATE by the clock alone: between scans a source becomes late without anything happening to it.

The statement is the one that the check compiles to, over the rows of ``source_state`` in memory, so what is found
here reads like what a scan finds. Needs no data engine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing

from interlock.quality.evidence import merged
from interlock.quality.flags.store import FlagStore
from interlock.quality.preparers.source_state import SourceState
from interlock.quality.rowlevel import RowLevel, shipped
from interlock.quality.tables import ddl

CODE = "SRC-LATE"


def late(states: Sequence[SourceState], now: float, level: RowLevel | None = None) -> dict[str, str | None]:
    """By ref of each kind the evidence of SRC-LATE at ``now`` (epoch seconds); None where it is in time."""
    check = (level or shipped()).sets[CODE]
    assert check.sql is not None, "SRC-LATE is judged by key"
    found: dict[str, str | None] = {state.ref: None for state in states}
    with closing(sqlite3.connect(":memory:")) as db:
        for table in check.tables:
            for statement in ddl(table, check.tables[table]):
                db.execute(statement)
        db.executemany("INSERT INTO source_state VALUES (?, ?, ?, ?, ?, ?, ?)", states)
        for source in {state.source for state in states}:
            rows = db.execute(check.sql, {"key": source, "now": int(now)}).fetchall()
            found.update((ref, merged([evidence])) for ref, evidence in rows)
    return found


def rejudge(
    states: Sequence[SourceState], flags: FlagStore, now: float, before: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Bring the flags of SRC-LATE up to ``now``; only what is not as ``before`` is written. Returns what is."""
    found = late(states, now)
    for ref, evidence in found.items():
        if ref not in before or before[ref] != evidence:
            flags.replace(ref, [] if evidence is None else [(CODE, evidence)], [CODE], now, "worker")
    return found
