"""Brings the live index up to a delta scan, row by row. Runs in the scan's process, beside the gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.quality.gate.filling import columns_in, names_of
from interlock.quality.gate.live import SUFFIX, columns_of
from interlock.quality.gate.numbered import current
from interlock.quality.rowlevel import RowLevel, shipped
from interlock.quality.tables import KEYS
from interlock.state.files import connect

if TYPE_CHECKING:
    import duckdb

_SHORT = 500  # rows of a transaction beside a gateway
_MOVED = 'SELECT m.ref, {chosen} FROM {moved} m LEFT JOIN "{table}" s ON s.ref = m.ref'
_ALL = 'SELECT {into} FROM "{table}"'
_PUT = 'INSERT OR REPLACE INTO "{table}" ({into}) VALUES ({marks})'
_GONE = 'DELETE FROM "{table}" WHERE ref = ?'
_EMPTY = 'DELETE FROM "{table}"'
_UNPAIR = "DELETE FROM same_as WHERE ref = ? AND other = ?"


def follow_up(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    harvested: Mapping[str, float],
    level: RowLevel | None = None,
) -> int:
    """Bring the live index in force up to a scan by what changed; returns how many stored rows moved.

    ``connection``: as the delta scan left it, with ``moved_<kind>`` (``ref``) beside what a full scan has, and
    ``akin_ci`` (``ref``), the CIs whose ``same_as`` was made anew. Rows that were touched since their source was
    read stay. Transactions are short, since the gateway writes to the same file.
    """
    name = current(folder, SUFFIX)
    assert name is not None
    columns, there, count = columns_of(level or shipped()), names_of(connection), 0
    db = connect(folder / name, synchronous="NORMAL")
    try:
        for table in sorted(columns):
            moved = table.replace("stored_", "moved_")
            if table.startswith("stored_") and moved in there:
                count += _move(connection, db, table, moved, harvested)
            elif table == "same_as" and "akin_ci" in there:
                akin = {ref for (ref,) in connection.execute("SELECT ref FROM akin_ci").fetchall()}
                _pairs(connection, db, akin)
            elif table in KEYS and table in there and table != "same_as":
                _again(connection, db, table)
        oldest = min(harvested.values(), default=0.0)
        db.execute("DELETE FROM touched WHERE at <= ?", (oldest,))
        db.executemany("INSERT OR REPLACE INTO filled VALUES (?, ?)", harvested.items())
    finally:
        db.close()
    return count


def _move(
    connection: duckdb.DuckDBPyConnection,
    db: sqlite3.Connection,
    table: str,
    moved: str,
    harvested: Mapping[str, float],
) -> int:
    """Put the rows that moved in place of what was there, and take away those that are gone."""
    names, into, marks = columns_in(db, table)
    chosen = ", ".join(f's."{name}"' for name in names)
    rows = connection.execute(_MOVED.format(chosen=chosen, moved=moved, table=table))
    count, ref_at = 0, names.index("ref")
    gone, put = _GONE.format(table=table), _PUT.format(table=table, into=into, marks=marks)
    while part := rows.fetchmany(_SHORT):
        count += len(part)
        db.execute("BEGIN IMMEDIATE")
        for ref, *values in part:
            newer = db.execute(
                "SELECT at FROM touched WHERE kind = ? AND ref = ?", (table.removeprefix("stored_"), ref)
            ).fetchone()
            if newer is not None and newer[0] > harvested.get(ref.partition(":")[0], 0.0):
                continue
            db.execute(gone, (ref,))
            if values[ref_at] is not None:
                db.execute(put, values)
        db.execute("COMMIT")
    return count


def _pairs(connection: duckdb.DuckDBPyConnection, db: sqlite3.Connection, akin: Collection[str]) -> None:
    names, into, marks = columns_in(db, "same_as")
    rows = connection.execute(_ALL.format(into=into, table="same_as")).fetchall()
    one, other = names.index("ref"), names.index("other")
    db.execute("BEGIN IMMEDIATE")
    for ref in akin:
        for (pair,) in db.execute("SELECT other FROM same_as WHERE ref = ?", (ref,)).fetchall():
            db.execute(_UNPAIR, (ref, pair))
            db.execute(_UNPAIR, (pair, ref))
    fresh = [row for row in rows if row[one] in akin or row[other] in akin]
    db.executemany(_PUT.format(table="same_as", into=into, marks=marks), fresh)
    db.execute("COMMIT")


def _again(connection: duckdb.DuckDBPyConnection, db: sqlite3.Connection, table: str) -> None:
    """A small table, whole."""
    _, into, marks = columns_in(db, table)
    rows = connection.execute(_ALL.format(into=into, table=table)).fetchall()
    db.execute("BEGIN IMMEDIATE")
    db.execute(_EMPTY.format(table=table))
    db.executemany(_PUT.format(table=table, into=into, marks=marks), rows)
    db.execute("COMMIT")
