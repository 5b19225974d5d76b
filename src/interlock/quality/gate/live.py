"""The live index: the rows that set checks read, by key, so that one changed record is judged at once.

A SQLite file with the columns the checks use and an index for each key (see ``tables``), filled by a scan
(``filling``) and kept up by ``touch``, row by row. The statements are those of the scan, cut to one key, so a
record is judged the same way by both. Nothing here imports a data engine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from interlock.quality.evidence import merged
from interlock.quality.gate.numbered import current
from interlock.quality.rowlevel import KeyedSet, RowLevel, shipped
from interlock.quality.stored import TABLES, Stored
from interlock.quality.tables import used_by
from interlock.state.errors import state_error
from interlock.state.files import BUSY_S, LATE_CHECKPOINT, checkpoint, connect

SUFFIX: Final = ".sqlite"
MOST: Final = 1_000
"""Records that one touch judges by one check; a hub or a shared value beyond it waits for the scan."""

TOUCHED: Final = "CREATE TABLE touched (kind TEXT, ref TEXT, at REAL, PRIMARY KEY (kind, ref)) WITHOUT ROWID"
FILLED: Final = "CREATE TABLE filled (source TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID"

_NEEDED_BY: Final = """\
SELECT r.ref, coalesce(c.ref, r.subject) FROM stored_relationship r
LEFT JOIN stored_ci c ON c.handle_ref = r.subject
WHERE r.object IN (:ref, (SELECT handle_ref FROM stored_ci WHERE ref = :ref))
AND coalesce(r.type, r.native_type) IN (SELECT type FROM dependency_type) LIMIT :most"""

Row = dict[str, Any]
Verdicts = dict[str, dict[str, str | None]]
"""By ref and code the evidence; None when the check found nothing."""


@dataclass(slots=True)
class Touched:
    """What a change did: verdicts of all records it can have changed, and the checks that were left to the scan."""

    verdicts: Verdicts = field(default_factory=dict)
    left: set[str] = field(default_factory=set)


def columns_of(level: RowLevel) -> dict[str, frozenset[str]]:
    """The tables of a live index and their columns: those that some keyed check uses."""
    used = used_by(*(check.tables for check in level.sets.values() if check.sql is not None))
    own = {"ref", "handle", "source"}
    found = {table: names | own if table.startswith("stored_") else names for table, names in used.items()}
    return found | {"dependency_type": frozenset({"type"})}


def stamp(level: RowLevel) -> int:
    """What an index that was filled for these checks carries as its ``user_version``."""
    return int(level.hash[:7], 16)


class Live:
    """The index in one folder; writes are short transactions. One thread at a time; raises StateError, Problem."""

    def __init__(self, folder: Path, level: RowLevel | None = None, *, patience_s: float = BUSY_S) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._level = level or shipped()
        self._columns = columns_of(self._level)
        self._checks = [
            check for check in self._level.sets.values() if check.sql is not None and "source" not in check.kinds
        ]
        self._name: str | None = None
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = self._name = None

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file. For a thread of its own: it waits for the disk."""
        if self._name is not None:
            checkpoint(self._folder / self._name)

    def follow(self) -> bool:
        """Take over a newly filled index, with what was touched since it was filled; whether there is one."""
        name = current(self._folder, SUFFIX)
        if name is not None and name != self._name:
            db = connect(self._folder / name, synchronous="NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != stamp(self._level):
                db.close()  # filled for other checks: the next scan fills one for these
                return self._db is not None
            db.execute(f"PRAGMA busy_timeout={int(self._patience_s * 1000)}")
            db.execute(f"PRAGMA wal_autocheckpoint={LATE_CHECKPOINT}")
            if self._db is not None:
                self._carry(self._db, db)
                self._db.close()
            self._db, self._name = db, name
        return self._db is not None

    def touch(self, kind: str, ref: str, row: Stored | None, now: float) -> Touched:
        """Put a record's row (None: it is gone) in place of what was there, and judge all that hangs on it.

        A kind no check reads, and an index that was never filled, give no verdicts.
        """
        table = f"stored_{kind}"
        if table not in self._columns or not self.follow():
            return Touched()
        with self._transaction() as db:
            change = _Change(db, self._columns)
            old = change.row(kind, ref)
            before = {check.code: change.affected(check, kind, old) for check in self._checks}
            if row is not None:
                names = (column.name for column in TABLES[kind])
                change.put(kind, dict(zip(names, row, strict=True)))
            elif old is not None:
                change.remove(kind, ref)
            db.execute("INSERT OR REPLACE INTO touched VALUES (?, ?, ?)", (kind, ref, now))
            new = change.row(kind, ref)
            touched = Touched()
            same = new == old  # then no other record's verdict can be another
            for check in self._checks:
                own = {ref} if kind in check.kinds else set[str]()
                was = own if same else before[check.code]
                will = own if same else change.affected(check, kind, new)
                if was is None or will is None:
                    touched.left.add(check.code)
                    continue
                for other in sorted(was | will):
                    verdict = change.verdict(check, other, int(now))
                    if verdict is _LEFT:
                        touched.left.add(check.code)
                    else:
                        touched.verdicts.setdefault(other, {})[check.code] = verdict
        return touched

    def dependents(self, refs: Collection[str], depth: int, most: int) -> list[str]:
        """Refs of the CIs that need these, and of the relations that say so, as far as ``depth`` relations away.

        At most ``most``, the nearest first; empty while there is no index. Raises StateError.
        """
        if not self.follow():
            return []
        assert self._db is not None
        found: dict[str, None] = {}
        level, seen = sorted(refs), set(refs)
        try:
            for _ in range(depth):
                rows = [row for ref in level for row in self._db.execute(_NEEDED_BY, {"ref": ref, "most": most})]
                level = []
                for relation, other in rows:
                    found[relation] = None
                    if other is not None and other not in seen:
                        seen.add(other)
                        found[other] = None
                        level.append(other)
                if len(found) >= most or not level:
                    break
        except sqlite3.Error as error:
            raise state_error(error) from error
        return list(found)[:most]

    def _carry(self, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
        """Rows that were touched after the new index's data was read from their source."""
        read_at = dict(new.execute("SELECT source, at FROM filled").fetchall())
        theirs, ours = _Change(old, self._columns), _Change(new, self._columns)
        with _transaction(new):
            for kind, ref, at in old.execute("SELECT kind, ref, at FROM touched").fetchall():
                if at <= read_at.get(ref.partition(":")[0], 0.0):
                    continue
                row = theirs.row(kind, ref)
                ours.remove(kind, ref) if row is None else ours.put(kind, row)
                new.execute("INSERT OR REPLACE INTO touched VALUES (?, ?, ?)", (kind, ref, at))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._db is not None
        with _transaction(self._db):
            yield self._db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise state_error(error) from error


_LEFT: Final = "left to the scan"  # compared by identity, it is no evidence


class _Change:
    """One change to an index: what it touches, and what the checks say then. Each key is asked once."""

    def __init__(self, db: sqlite3.Connection, columns: Mapping[str, frozenset[str]]) -> None:
        self._db = db
        self._columns = columns
        self._found: dict[tuple[str, str], dict[str, list[str]] | None] = {}
        self._rows: dict[tuple[str, str], Row | None] = {}

    def row(self, kind: str, ref: str) -> Row | None:
        if (kind, ref) not in self._rows:
            self._rows[kind, ref] = self._read(kind, ref)
        return self._rows[kind, ref]

    def _read(self, kind: str, ref: str) -> Row | None:
        cursor = self._db.execute(f'SELECT * FROM "stored_{kind}" WHERE ref = ?', (ref,))  # noqa: S608 - a kind of ours
        found = cursor.fetchone()
        return None if found is None else dict(zip([column[0] for column in cursor.description], found, strict=True))

    def put(self, kind: str, row: Row) -> None:
        table = f"stored_{kind}"
        names = sorted(self._columns[table] - {"handle_ref"})
        self.remove(kind, row["ref"])
        marks = ", ".join("?" * len(names))
        into = ", ".join(f'"{name}"' for name in names)
        self._db.execute(f'INSERT INTO "{table}" ({into}) VALUES ({marks})', [row.get(name) for name in names])  # noqa: S608

    def remove(self, kind: str, ref: str) -> None:
        self._rows.pop((kind, ref), None)
        self._db.execute(f'DELETE FROM "stored_{kind}" WHERE ref = ?', (ref,))  # noqa: S608

    def affected(self, check: KeyedSet, kind: str, image: Row | None) -> set[str] | None:
        """The records of which a check says something that hangs on a row; None when they are too many."""
        found: set[str] = set()
        if image is None:
            return found
        if kind in check.kinds:
            found.add(image["ref"])
        for key in self._keys(check, kind, image):
            under = [key]
            if check.members is not None:
                statement = f"SELECT ref FROM ({check.members}) LIMIT {MOST + 1}"  # noqa: S608 - a check's own text
                under = [ref for (ref,) in self._db.execute(statement, {"key": key})]
            found.update(under)
            if len(found) > MOST:
                return None
        return found

    def verdict(self, check: KeyedSet, ref: str, now: int) -> str | None:
        """What the check says of one record."""
        kind = ref.split(":", 2)[1]
        row = self.row(kind, ref) if kind in check.kinds else None
        if row is None:
            return None
        parts: list[str] = []
        for key in sorted(self._keys(check, kind, row)) if check.members is not None else [ref]:
            found = self._under(check, key, now)
            if found is None:
                return _LEFT
            parts += found.get(ref, ())
        return merged(parts)

    def _keys(self, check: KeyedSet, kind: str, row: Row) -> set[str]:
        statement = check.touched.get(kind)
        if statement is None:
            return set()
        found = self._db.execute(f"SELECT * FROM ({statement}) LIMIT {MOST + 1}", row)  # noqa: S608 - a check's text
        return {key for (key,) in found if key is not None}

    def _under(self, check: KeyedSet, key: str, now: int) -> dict[str, list[str]] | None:
        """What is found under a key, by record; None when it is shared by too many."""
        asked = (check.code, key)
        if asked not in self._found:
            assert check.sql is not None
            rows = self._db.execute(check.sql, {"key": key, "now": now}).fetchmany(MOST + 1)
            found: dict[str, list[str]] | None = None
            if len(rows) <= MOST:
                found = {}
                for record, evidence in rows:
                    found.setdefault(record, []).append(evidence)
            self._found[asked] = found
        return self._found[asked]
