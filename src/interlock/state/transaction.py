"""One transaction on a SQLite file that several processes write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from interlock.state.errors import state_error


@contextmanager
def transaction(db: sqlite3.Connection, *, keep: bool = True) -> Iterator[sqlite3.Connection]:
    """All of it or nothing; the file is ours to write from the beginning. Raises StateError.

    Without ``keep`` it is only tried: nothing of it stays.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT" if keep else "ROLLBACK")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise state_error(error) from error
