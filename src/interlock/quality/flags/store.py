"""The flag store: one SQLite file that the gateway, the scan and people's acts write side by side.

Transactions are short, whoever writes; only a publication takes longer, once a scan. What a scan or the gate
finds is kept through a kill -9, what a person says through a power cut as well.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.clock import Clock, SystemClock
from interlock.quality.flags.acts import act
from interlock.quality.flags.listing import Filters, Page, listed
from interlock.quality.flags.rows import (
    EVENT_COLUMNS,
    FLAG_COLUMNS,
    NAME,
    SEVERITIES,
    STEPS,
    Event,
    FlagRow,
    Published,
    event_of_row,
)
from interlock.quality.flags.statuses import flag_of_row
from interlock.quality.flags.transitions import STAGE, STAGE_INTO, step
from interlock.quality.rowlevel import shipped
from interlock.records.problems import Problem, Slug
from interlock.state.errors import state_error
from interlock.state.files import BUSY_S, LATE_CHECKPOINT, checkpoint, connect, private_folder
from interlock.state.schema import migrate
from interlock.state.transaction import transaction

if TYPE_CHECKING:
    from interlock.quality.flags.publication import Things

_ONE = f"SELECT {FLAG_COLUMNS} FROM flag WHERE ref = ? AND code = ?"  # noqa: S608
_EVENTS = f"SELECT {EVENT_COLUMNS} FROM event WHERE ref = ? AND code = ? ORDER BY seq"  # noqa: S608
_SCANNED = "SELECT coalesce(max(as_of), 0) FROM publication"
_OF = f"SELECT {FLAG_COLUMNS}, ({_SCANNED}) FROM flag WHERE ref = ? ORDER BY code"  # noqa: S608 - our own names
_MAX_EVENTS = 10_000

LISTING_S = 10.0
"""The longest that one page may take."""


class FlagStore:
    """Flags by record, as they are at one moment; what was found, said and stopped.

    Not shared between threads. ``severities`` says how grave each code is (default: the shipped checks);
    ``patience_s`` how long a write waits for that of another process.
    Raises StateError when the file cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        severities: Mapping[str, str] | None = None,
        patience_s: float = BUSY_S,
    ) -> None:
        self.folder = private_folder(folder)
        self._clock = clock or SystemClock()
        if severities is None:
            severities = {code: check.severity for code, check in shipped().checks.items()}
        self.severities = severities
        self._db = connect(folder / NAME, synchronous="NORMAL")
        migrate(self._db, STEPS, NAME)
        self._db.execute("PRAGMA temp_store=MEMORY")
        self._db.execute("PRAGMA cache_size=-65536")  # KiB: the inner pages of ten million flags
        self._db.execute(f"PRAGMA busy_timeout={int(patience_s * 1000)}")
        self._db.execute(f"PRAGMA wal_autocheckpoint={LATE_CHECKPOINT}")
        self._db.execute(STAGE.format(temp="TEMP", name="stage"))

    def close(self) -> None:
        self._db.close()

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file. For a thread of its own: it waits for the disk."""
        checkpoint(self.folder / NAME)

    # Looking

    def of(self, ref: str) -> list[FlagRow]:
        """All flags of a record in order of code, resolved and waived ones too."""
        rows = self._all(_OF, (ref,))
        if not rows:
            return []
        now = self._clock.now()
        return [flag_of_row(row[:-1], now, row[-1]) for row in rows]

    def get(self, ref: str, code: str) -> FlagRow:
        """One flag. Raises Problem not-found."""
        rows = self._all(_ONE, (ref, code))
        if not rows:
            raise Problem(
                Slug.NOT_FOUND,
                f"no check {code} ever raised a flag on {ref}",
                field="ref",
                value=ref,
                next_step="List the flags to see which there are.",
            )
        return flag_of_row(rows[0], self._clock.now(), self._scanned())

    def events(self, ref: str, code: str) -> list[Event]:
        """What happened to a flag, oldest first."""
        return [event_of_row(row) for row in self._all(f"{_EVENTS} LIMIT {_MAX_EVENTS}", (ref, code))]

    def listed(
        self, filters: Filters | None = None, order: str = "stops", limit: int = 100, cursor: str | None = None
    ) -> Page:
        """A page of flags, those that stopped the most agent calls first; see ``listing``."""
        with self._reading(LISTING_S):
            return listed(self._db, filters or Filters(), order, limit, cursor, self._clock.now(), self._scanned())

    def changes_since(self, seq: int) -> tuple[int, list[str]]:
        """Records whose flags changed after a change number, and the number reached."""
        rows = self._all("SELECT seq, ref FROM change WHERE seq > ? ORDER BY seq", (seq,))
        return (rows[-1][0], list(dict.fromkeys(ref for _, ref in rows))) if rows else (seq, [])

    def sequence(self) -> int:
        """The number of the last change."""
        (row,) = self._all("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)", ())
        return int(row[0])

    # Finding

    def publish(
        self,
        findings: Path,
        scan: str,
        as_of: float,
        things: Things = None,
        *,
        codes: Collection[str] | None = None,
        harvested: Mapping[str, float] | None = None,
    ) -> Published:
        """Make a scan's findings the flags that stand; see ``publication``. Needs the extra ``quality``."""
        from interlock.quality.flags.publication import publish

        return publish(self._db, self.folder, self.severities, findings, scan, as_of, things, codes, harvested)

    def published(self) -> Path | None:
        """The findings that were published last; None before the first scan."""
        rows = self._all("SELECT file FROM publication ORDER BY number DESC LIMIT 1", ())
        return self.folder / "scans" / rows[0][0] if rows else None

    def replace(
        self,
        ref: str,
        found: Sequence[tuple[str, str]],
        codes: Collection[str],
        at: float,
        by: str = "gate",
        *,
        thing: str | None = None,
        handle: str | None = None,
    ) -> bool:
        """The flags of these codes on this record are now exactly ``found`` (code and evidence).

        A scan of older data does not undo it. ``thing`` and ``handle`` are kept where they are not given.
        Returns whether anything is different now.
        """
        wanted = dict(found)
        if beyond := wanted.keys() - set(codes):
            raise ValueError(f"{sorted(beyond)} were found but not looked for")
        verdicts = {code: wanted.get(code) for code in codes}
        with transaction(self._db) as db:
            return self._replace(db, ref, verdicts, at, by, thing, handle)

    def replace_all(
        self,
        verdicts: Mapping[str, Mapping[str, str | None]],
        at: float,
        by: str = "gate",
        *,
        handles: Mapping[str, str] | None = None,
    ) -> list[str]:
        """``replace`` for several records at once: by ref and code the evidence, None where nothing was found.

        Returns the records of which anything is different now.
        """
        known = handles or {}
        with transaction(self._db) as db:
            return [ref for ref, told in verdicts.items() if self._replace(db, ref, told, at, by, None, known.get(ref))]

    def _replace(
        self,
        db: sqlite3.Connection,
        ref: str,
        verdicts: Mapping[str, str | None],
        at: float,
        by: str,
        thing: str | None,
        handle: str | None,
    ) -> bool:
        source, kind = [*ref.split(":", 2), "", ""][:2]
        rows = db.execute("SELECT code, evidence, state, thing, handle FROM flag WHERE ref = ?", (ref,)).fetchall()
        was = {code: evidence for code, evidence, state, *_ in rows if state == "open" and code in verdicts}
        kept = rows[0][3:] if rows else (None, None)
        handle = handle or kept[1] or ref
        thing = thing or kept[0] or handle
        staged: list[tuple[Any, ...]] = [
            (ref, code, kind, source, thing, handle, evidence, self.severity(code), 0)
            for code, evidence in verdicts.items()
            if evidence is not None and was.get(code) != evidence
        ]
        staged += [(ref, code, *[None] * 6, 1) for code in was if verdicts[code] is None]
        if staged:
            db.executemany(STAGE_INTO.format(name="temp.stage"), staged)
            step(db, "temp.stage", at, by, None)
            db.execute("DELETE FROM temp.stage")
            db.execute("INSERT INTO change (ref) VALUES (?)", (ref,))
        db.execute("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", (ref, f"|{'|'.join(sorted(verdicts))}|", at))
        return bool(staged)

    def stopped(self, call_id: str, effect: str, pairs: Collection[tuple[str, str]], at: float) -> None:
        """A call was held or refused because of these flags (ref and code). Saying it again counts once."""
        with transaction(self._db) as db:
            for ref, code in pairs:
                new = db.execute("INSERT OR IGNORE INTO stop VALUES (?, ?, ?, ?, ?)", (ref, code, call_id, at, effect))
                if new.rowcount:
                    db.execute("UPDATE flag SET stops = stops + 1 WHERE ref = ? AND code = ?", (ref, code))

    def severity(self, code: str) -> int:
        """The place of a code's severity in SEVERITIES; one nobody declared is of medium severity."""
        return SEVERITIES.index(self.severities.get(code, "medium"))

    # People

    def act(
        self,
        what: str,
        ref: str,
        code: str,
        by: str,
        reason: str | None = None,
        until: float | None = None,
        assignee: str | None = None,
        at: float | None = None,
        *,
        rehearse: bool = False,
    ) -> Event:
        """What a person says of a flag: ack, assign, waive, unwaive, reopen; see ``acts``. Durable when it returns.

        ``rehearse`` says what would happen, or raises why it cannot, and changes nothing.
        """
        self._db.execute("PRAGMA synchronous=FULL")
        try:
            with transaction(self._db, keep=not rehearse) as db:
                return act(db, what, ref, code, by, reason, until, assignee, self._clock.now() if at is None else at)
        finally:
            self._db.execute("PRAGMA synchronous=NORMAL")

    def prune(self, before: float) -> int:
        """Forget stops, and flags that were resolved with their events, from before a time; returns rows gone."""
        with transaction(self._db) as db:
            gone = db.execute("DELETE FROM stop WHERE at < ?", (before,)).rowcount
            gone += db.execute(
                "DELETE FROM event WHERE at < ?1 AND EXISTS (SELECT 1 FROM flag f WHERE f.ref = event.ref "
                "AND f.code = event.code AND f.state = 'resolved' AND f.resolved_at < ?1)",
                (before,),
            ).rowcount
            gone += db.execute("DELETE FROM flag WHERE state = 'resolved' AND resolved_at < ?", (before,)).rowcount
            gone += db.execute("DELETE FROM waiver WHERE until < ?", (before,)).rowcount
        return gone

    # Inside

    def _scanned(self) -> float:
        return float(self._all(_SCANNED, ())[0][0])

    @contextmanager
    def _reading(self, within_s: float | None = None) -> Iterator[None]:
        if within_s is not None:
            end = time.monotonic() + within_s
            self._db.set_progress_handler(lambda: time.monotonic() > end, 100_000)
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise Problem(
                    Slug.TOO_LARGE,
                    f"the listing took longer than {within_s:g} s",
                    next_step="Ask for fewer codes or sources.",
                ) from None
            raise state_error(error) from error
        finally:
            if within_s is not None:
                self._db.set_progress_handler(None, 0)

    def _all(self, sql: str, args: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._db.execute(sql, args).fetchall()
