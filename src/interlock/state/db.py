"""The state database: durable statements through one writer, small reads beside it.

Everything that must survive a crash or a power cut is one awaited ``run``. SQL is plain (``?``
parameters, ``RETURNING``) so that the same statements serve PostgreSQL.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from interlock.state.errors import StateError, state_error
from interlock.state.files import WriterLock, connect
from interlock.state.groupcommit import GroupCommit
from interlock.state.schema import Step, migrate

Statement = tuple[str, tuple[Any, ...]]

MAX_ROWS = 10_000
READ_S = 0.5
"""Bounds of one read: it runs on the event loop, so it is small and quick or an error."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement did: rows changed (or returned), and the rows of RETURNING."""

    rowcount: int
    rows: list[tuple[Any, ...]]


class Db(Protocol):
    """Where state lives."""

    async def run(self, *statements: Statement) -> list[Result]:
        """Run the statements as one transaction and wait until it is durable; one result each.

        All of them or none; a failing call fails alone, whatever it shared a commit with.
        Raises Constraint or StateError.
        """
        ...

    async def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Read. Sees everything that an awaited ``run`` wrote. Raises StateError beyond its bounds."""
        ...

    async def close(self) -> None: ...


class SqliteDb:
    """One SQLite file in WAL mode, one writing process, group commit.

    ``synchronous`` FULL survives a power cut; NORMAL survives kill -9 only, at about 2.5 times the
    throughput: an intent lost to a power cut can be sent twice, so FULL is the default.
    """

    def __init__(self, path: Path, steps: Sequence[Step] = (), synchronous: str = "FULL", bound: int = 8192) -> None:
        self.path = path
        self.lock = WriterLock(path)
        with ExitStack() as undo:
            undo.callback(self.lock.release)
            self._writer = connect(path, synchronous=synchronous)
            undo.callback(self._writer.close)
            migrate(self._writer, steps, path.name)
            self._reader = connect(path, readonly=True)
            self._reader.execute("PRAGMA query_only=ON")
            undo.pop_all()
        self._deadline = 0.0
        self._reader.set_progress_handler(self._late, 20_000)
        self._group: GroupCommit[tuple[Statement, ...], list[Result]] = GroupCommit(
            path.name, self._commit, bound=bound
        )

    async def run(self, *statements: Statement) -> list[Result]:
        return await self._group.submit(statements)

    async def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        self._deadline = time.monotonic() + READ_S
        try:
            found = self._reader.execute(sql, args).fetchmany(MAX_ROWS + 1)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise StateError(f"a read of {self.path.name} took longer than {READ_S:g} s") from error
            raise state_error(error) from error
        if len(found) > MAX_ROWS:
            raise StateError(f"a read of {self.path.name} found more than {MAX_ROWS} rows", "Read in pages.")
        return found

    async def close(self) -> None:
        """Commit what is queued, then let go of the file."""
        try:
            await self._group.close()
            self._reader.close()
            self._writer.close()
        finally:
            self.lock.release()

    def _late(self) -> int:
        return time.monotonic() > self._deadline

    def _commit(self, calls: list[tuple[Statement, ...]]) -> list[list[Result] | Exception]:
        writer = self._writer
        try:
            writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._call(statements) for statements in calls]
            writer.execute("COMMIT")
        except Exception as error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise _ours(error) from error
        return outcomes

    def _call(self, statements: tuple[Statement, ...]) -> list[Result] | Exception:
        writer = self._writer
        # One statement undoes itself when it fails; only several need a savepoint.
        guarded = len(statements) > 1
        try:
            if guarded:
                writer.execute("SAVEPOINT one_call")
            results = [_execute(writer, sql, args) for sql, args in statements]
            if guarded:
                writer.execute("RELEASE one_call")
        except Exception as error:  # values that SQLite cannot take raise all sorts
            # A full or failing disk undoes the whole transaction: then no call of this batch happened.
            if not writer.in_transaction:
                raise
            if guarded:
                writer.execute("ROLLBACK TO one_call")
                writer.execute("RELEASE one_call")
            return _ours(error)
        if not writer.in_transaction:
            raise StateError("a statement ended the transaction: BEGIN and COMMIT are not for callers")
        return results


def _ours(error: Exception) -> StateError:
    if isinstance(error, sqlite3.Error):
        return state_error(error)
    # A value that cannot be stored may be in the message of the error: only its type is told.
    return error if isinstance(error, StateError) else StateError(f"state: {type(error).__name__}")


def _execute(connection: sqlite3.Connection, sql: str, args: tuple[Any, ...]) -> Result:
    cursor = connection.execute(sql, args)
    if cursor.description is None:
        return Result(cursor.rowcount, [])
    rows = cursor.fetchall()
    return Result(len(rows), rows)
