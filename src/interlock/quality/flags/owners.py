"""The owner list: for everybody who answers for records, the flags on them, what stopped most calls first.

Who answers is what the snapshots say: the support group of a CI, else its owner; the group of a ticket, else its
assignee; for a relationship the CI at its beginning. Records whose owner nobody knows come under ``""``: they are the
first thing to mend. Needs the extra ``quality``.
"""

# ruff: noqa: S608 - names of tables and columns are our own

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlock.quality.flags.rows import NAME, SEVERITIES
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.scan.engine import engine, view_stored
from interlock.state.files import connect

MOST_SHOWN = 200
"""Flags told of one owner; the counts are of all."""

ANSWERS = {
    "ci": ("support_group", "owner"),
    "incident": ("group", "assignee"),
    "request": ("group", "assignee"),
    "change": ("group", "assignee"),
    "problem": ("group", "assignee"),
    "asset": ("group", "owner"),
    "alert": ("group", "assignee"),
    "article": ("group", "author"),
}
"""Fields that name who answers for a record, the first that is filled."""

_CHUNK = 50_000
_COLUMNS = ("ref", "code", "severity", "evidence", "stops", "first_at", "assignee")
_STANDING = (
    f"SELECT {', '.join(_COLUMNS)} FROM flag WHERE state = 'open' AND coalesce(waived_until, 0) <= ? ORDER BY ref"
)


def owner_list(state: Path, now: float) -> list[dict[str, Any]]:
    """One entry an owner, those with the most stopped calls first: ``owner, name, flags, stops, codes, worst``.

    ``worst`` holds at most ``MOST_SHOWN`` flags. Flags that are waived are not in it.
    """
    folder = state / "snapshots"
    files: dict[str, list[Path]] = {}
    for snapshot in Snapshots(folder).all_current():
        files.setdefault(snapshot.kind, []).extend(snapshot.files)
    flags = connect(state / NAME, readonly=True)
    try:
        with engine(state / "owners", [folder]) as con:
            view_stored(con, files)
            con.execute(f"CREATE TEMP TABLE answers AS {_answers()}")
            _fill(con, flags, now)
            return [_entry(con, *row) for row in con.execute(_OWNERS).fetchall()]
    finally:
        flags.close()


def _answers() -> str:
    """Who answers for each record: ref, owner, name."""
    parts = [
        f'SELECT ref, coalesce("{first}", "{second}") AS owner, '
        f'CASE WHEN "{first}" IS NULL THEN "{second}_name" ELSE "{first}_name" END AS name FROM stored_{kind}'
        for kind, (first, second) in ANSWERS.items()
    ]
    parts.append(
        "SELECT r.ref, coalesce(c.support_group, c.owner), coalesce(c.support_group_name, c.owner_name) "
        "FROM stored_relationship r LEFT JOIN stored_ci c ON c.ref = r.subject"
    )
    return " UNION ALL ".join(parts)


def _fill(con: Any, flags: sqlite3.Connection, now: float) -> None:
    con.execute(
        "CREATE TEMP TABLE flag (ref VARCHAR, code VARCHAR, severity INTEGER, evidence VARCHAR, stops BIGINT, "
        "first_at DOUBLE, assignee VARCHAR)"
    )
    for table in _tables(flags, now):
        con.register("_flags", table)
        con.execute("INSERT INTO flag SELECT * FROM _flags")
        con.unregister("_flags")
    con.execute(
        "CREATE TEMP TABLE owned AS SELECT f.*, coalesce(a.owner, '') AS owner, coalesce(a.name, '') AS name "
        "FROM flag f LEFT JOIN answers a USING (ref)"
    )


def _tables(flags: sqlite3.Connection, now: float) -> Iterator[Any]:
    import pyarrow as pa

    types = (pa.string(), pa.string(), pa.int32(), pa.string(), pa.int64(), pa.float64(), pa.string())
    cursor = flags.execute(_STANDING, (now,))
    while rows := cursor.fetchmany(_CHUNK):
        columns = zip(*rows, strict=True)
        yield pa.table({n: pa.array(c, t) for n, c, t in zip(_COLUMNS, columns, types, strict=True)})


_OWNERS = (
    "SELECT owner, max(name), count(*), sum(stops)::BIGINT FROM owned GROUP BY owner ORDER BY 4 DESC, 3 DESC, owner"
)
_CODES = "SELECT code, count(*) FROM owned WHERE owner = ? GROUP BY code ORDER BY 2 DESC, code"
_WORST = (
    "SELECT ref, code, severity, evidence, stops, first_at, assignee FROM owned WHERE owner = ? "
    f"ORDER BY stops DESC, severity, first_at, ref, code LIMIT {MOST_SHOWN}"
)


def _entry(con: Any, owner: str, name: str, flags: int, stops: int) -> dict[str, Any]:
    worst = [
        dict(zip(_COLUMNS, row, strict=True)) | {"severity": SEVERITIES[row[2]]}
        for row in con.execute(_WORST, [owner]).fetchall()
    ]
    codes = dict(con.execute(_CODES, [owner]).fetchall())
    return {"owner": owner, "name": name, "flags": flags, "stops": stops, "codes": codes, "worst": worst}
