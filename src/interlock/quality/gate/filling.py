"""Fills the live index from what a scan read. Runs in the scan's process, with its DuckDB connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.quality.gate.live import FILLED, SUFFIX, TOUCHED, columns_of, stamp
from interlock.quality.gate.numbered import replace
from interlock.quality.rowlevel import RowLevel, shipped
from interlock.quality.tables import ddl

if TYPE_CHECKING:
    import duckdb

_ROWS = 20_000  # held at a time


def fill(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    harvested: Mapping[str, float],
    level: RowLevel | None = None,
) -> Path:
    """Make a new live index of the connection's tables and views (``tables.ALL``) and put it in force.

    ``harvested``: when each source was read; what is touched later is carried over by whoever uses the index. A
    table that the connection does not have stays empty.
    """
    level = level or shipped()
    columns = columns_of(level)
    there = names_of(connection)

    def write(draft: Path) -> None:
        db = sqlite3.connect(draft, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=OFF")  # a draft that is not finished is thrown away
            db.execute("PRAGMA synchronous=OFF")
            for table in sorted(columns):
                make, *indexes = ddl(table, columns[table])
                db.execute(make)
                if table in there:
                    _copy(connection, db, table)
                for index in indexes:
                    db.execute(index)
            db.execute(TOUCHED)
            db.execute(FILLED)
            db.executemany("INSERT INTO filled VALUES (?, ?)", harvested.items())
            db.execute(f"PRAGMA user_version={stamp(level)}")
            db.execute("PRAGMA journal_mode=WAL")
        finally:
            db.close()

    return replace(folder, SUFFIX, write)


def _copy(connection: duckdb.DuckDBPyConnection, db: sqlite3.Connection, table: str) -> None:
    _, chosen, marks = columns_in(db, table)
    rows = connection.execute(f'SELECT {chosen} FROM "{table}"')  # noqa: S608 - our own names
    db.execute("BEGIN")
    while part := rows.fetchmany(_ROWS):
        db.executemany(f'INSERT INTO "{table}" ({chosen}) VALUES ({marks})', part)  # noqa: S608
    db.execute("COMMIT")


def names_of(connection: duckdb.DuckDBPyConnection) -> set[str]:
    names = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views()"
    return {name for (name,) in connection.execute(names).fetchall()}


def columns_in(db: sqlite3.Connection, table: str) -> tuple[list[str], str, str]:
    """The columns of a table but for generated ones, also as SQL, and as many marks."""
    names = [name for _, name, *_ in db.execute(f'PRAGMA table_info("{table}")')]
    return names, ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
