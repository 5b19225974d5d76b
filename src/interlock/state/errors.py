"""What can go wrong with our own state. Messages name files and process ids, never stored values."""

from __future__ import annotations

import sqlite3

from interlock.records.problems import Problem, Slug


class StateError(Problem):
    """Our own storage cannot do it: locked by another process, broken, full, closed, or too slow."""

    def __init__(self, detail: str, next_step: str | None = None, retryable: bool = False) -> None:
        super().__init__(Slug.INTERNAL, detail, next_step=next_step, retryable=retryable)


class Constraint(StateError):
    """A statement broke a constraint of a table, for example a key that is already there."""


def state_error(error: sqlite3.Error) -> StateError:
    """The same error in our words. SQLite's messages name tables and columns, not values."""
    if isinstance(error, sqlite3.IntegrityError):
        return Constraint(f"state: {error}")
    busy = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return StateError(f"state: {error}", retryable=busy)
