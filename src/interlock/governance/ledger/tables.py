"""The SQL of ``ledger.sqlite``: the chain and the vault in one file, so that one commit takes both."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from interlock.state.schema import Step

NAME = "ledger.sqlite"

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE about (chain TEXT PRIMARY KEY, created_at INTEGER NOT NULL)",
        "CREATE TABLE chain (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, call_id TEXT NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX chain_call ON chain (call_id)",
        "CREATE TABLE vault (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, salt BLOB NOT NULL, "
        "arguments BLOB, answer BLOB)",
        "CREATE INDEX vault_at ON vault (at)",
        # For people who look with plain SQL; everything in it is in the hashed body.
        """CREATE VIEW entries AS SELECT seq,
            datetime(json_extract(body, '$.at') / 1000000, 'unixepoch') AS at_utc,
            json_extract(body, '$.kind') AS kind, call_id, json_extract(body, '$.principal') AS principal,
            json_extract(body, '$.tool') AS tool, json_extract(body, '$.refs') AS refs,
            json_extract(body, '$.verdict') AS verdict, json_extract(body, '$.reasons') AS reasons,
            json_extract(body, '$.outcome') AS outcome FROM chain""",
    ),
)

ERASED = "ledger.erase"
LOST = "ledger.lost"
"""Tools of the two entries that the ledger writes about itself."""


def tip(connection: sqlite3.Connection) -> tuple[int, str] | None:
    """Sequence and hash (hex) of the last entry."""
    row = connection.execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
    return (row[0], row[1].hex()) if row else None


def insert(connection: sqlite3.Connection, table: str, width: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows with few long statements.

    Every step of a statement lets go of the interpreter and must get it back from a busy event loop, which
    can take milliseconds: a row a step would cost a batch of 64 that wait 64 times. Lengths are powers of
    two so that few texts are prepared.
    """
    start = 0
    while start < len(rows):
        count = min(1 << ((len(rows) - start).bit_length() - 1), 128)
        values = ",".join(["(" + ",".join("?" * width) + ")"] * count)
        args = [value for row in rows[start : start + count] for value in row]
        connection.execute(f"INSERT INTO {table} VALUES {values}", args)  # noqa: S608 - our own table names
        start += count


def erasures(connection: sqlite3.Connection) -> Iterator[str]:
    """Bodies of the entries that say what was erased from the vault."""
    sql = "SELECT body FROM chain WHERE call_id >= 'erase:' AND call_id < 'erase;' ORDER BY seq"
    for (body,) in connection.execute(sql):
        yield body
