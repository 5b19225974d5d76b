"""Tables by ordered steps: the file's ``user_version`` counts the steps that it has taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from interlock.state.errors import StateError, state_error

Step = tuple[str, ...]
"""The statements of one step; all of them and the new version are one transaction."""


def migrate(connection: sqlite3.Connection, steps: Sequence[Step], name: str = "state") -> None:
    """Take the steps that the file has not taken. A step that was released is never edited.

    Raises StateError when the file is newer than this program, or a step fails (it then left no trace).
    """
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(steps):
            raise StateError(
                f"{name}: the file is at step {version}, this program knows {len(steps)}",
                "Run the Interlock that wrote it, or a newer one.",
            )
        for number, step in enumerate(steps, start=1):
            _take(connection, number, step)
    except sqlite3.Error as error:
        raise state_error(error) from error


def _take(connection: sqlite3.Connection, number: int, step: Step) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read inside the transaction: two processes may start at once on a file that both may write.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < number:
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
