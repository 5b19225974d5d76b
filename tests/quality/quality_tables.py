"""Small tables for set checks, given by hand or generated, on DuckDB and on SQLite; and the live path over them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from interlock.quality.evidence import merged
from interlock.quality.rowlevel import KeyedSet
from interlock.quality.tables import ALL, KEYS, ddl
from interlock.records.kinds import FIELDS

NOW = 1_700_000_000
Tables = Mapping[str, Iterable[Mapping[str, Any]]]

_DUCK = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}


def whole(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with all columns: source and handle as its ref says, every field known, small keys ``''``."""
    given = dict(row)
    if table.startswith("stored_"):
        kind = table.removeprefix("stored_")
        source, _, key = given["ref"].split(":", 2)
        given = {"source": source, "handle": key.removeprefix("~"), "known": f"|{'|'.join(FIELDS[kind])}|"} | given
        given["handle_ref"] = f"{given['source']}:{kind}:~{given['handle']}"
    else:
        texts = {column.name for column in ALL[table] if column.type == "string"}
        given = {name: "" for name in KEYS[table] if name in texts} | given
    names = [column.name for column in ALL[table]]
    assert not set(given) - set(names), f"{table} has no {set(given) - set(names)}"
    return {name: given.get(name) for name in names}


def on_duckdb(tables: Tables) -> duckdb.DuckDBPyConnection:
    """All tables in DuckDB."""
    connection = duckdb.connect(config={"threads": "1"})
    for table, columns in ALL.items():
        typed = ", ".join(f'"{column.name}" {_DUCK[column.type]}' for column in columns)
        connection.execute(f"CREATE TABLE {table} ({typed})")
        if rows := [list(whole(table, row).values()) for row in tables.get(table, ())]:
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    return connection


def on_sqlite(tables: Tables) -> sqlite3.Connection:
    """All tables in SQLite, with the indexes of the live path."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for table, columns in ALL.items():
        for statement in ddl(table, [column.name for column in columns]):
            connection.execute(statement)
        for row in tables.get(table, ()):
            put(connection, table, whole(table, row))
    return connection


def put(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Write one whole row, instead of the one with its ref if there is one."""
    kept = {name: value for name, value in row.items() if name != "handle_ref"}
    if "ref" in kept and table.startswith("stored_"):
        connection.execute(f"DELETE FROM {table} WHERE ref = :ref", kept)
    names = ", ".join(f'"{name}"' for name in kept)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in kept)})", kept)


def row_of(connection: sqlite3.Connection, table: str, ref: str) -> dict[str, Any] | None:
    """One row by its ref."""
    cursor = connection.execute(f"SELECT * FROM {table} WHERE ref = ?", (ref,))
    found = cursor.fetchone()
    return None if found is None else dict(zip([column[0] for column in cursor.description], found, strict=True))


def keys(connection: sqlite3.Connection, check: KeyedSet, kind: str, row: Mapping[str, Any]) -> set[str]:
    """The keys that a row stands under."""
    found = connection.execute(check.touched[kind], row).fetchall() if kind in check.touched else []
    return {key for (key,) in found if key is not None}


def judged(connection: sqlite3.Connection, check: KeyedSet, ref: str, now: int) -> str | None:
    """What a check says of one record by the indexed path. A source stands under its name."""
    source, kind, _ = ref.split(":", 2)
    row = {"source": source} if kind == "source" else row_of(connection, f"stored_{kind}", ref)
    if row is None:
        return None
    assert check.sql is not None
    under = keys(connection, check, kind, row) if check.members else {ref}
    found = [connection.execute(check.sql, {"key": key, "now": now}).fetchall() for key in sorted(under)]
    return merged(evidence for rows in found for record, evidence in rows if record == ref)


def touched(
    connection: sqlite3.Connection, check: KeyedSet, kind: str, rows: Iterable[Mapping[str, Any] | None]
) -> set[str]:
    """The records that a check judges again for the old and the new image of a changed row."""
    found: set[str] = set()
    for row in rows:
        if row is None:
            continue
        if kind in check.kinds:
            found.add(row["ref"])
        for key in keys(connection, check, kind, row):
            members = connection.execute(check.members, {"key": key}).fetchall() if check.members else [(key,)]
            found |= {ref for (ref,) in members}
    return found
