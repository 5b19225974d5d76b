"""Leases and the history of runs in ``jobs.sqlite``, for any number of processes on one state folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from interlock.clock import Clock
from interlock.jobs.job import Job, Outcome, Standing, due
from interlock.state.errors import state_error
from interlock.state.files import connect, private_folder
from interlock.state.schema import Step, migrate
from interlock.state.transaction import transaction

NAME = "jobs.sqlite"
LEASE_S = 30.0
"""How long a lease holds without being renewed: as long does a job stand still whose holder died."""

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE job (name TEXT PRIMARY KEY, schedule TEXT NOT NULL, since REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, due REAL, holder TEXT NOT NULL, "
        "began_at REAL NOT NULL, ended_at REAL, outcome TEXT, exit_code INTEGER, detail TEXT NOT NULL DEFAULT '')",
        "CREATE INDEX run_job ON run (job, id)",
        "CREATE TABLE lease (lane TEXT PRIMARY KEY, run INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    ),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job. ``run`` is the fencing token: a later lease of the lane has a higher one."""

    job: str
    lane: str
    run: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run, in the order of its columns. ``due`` None: somebody asked for it. ``ended_at`` None: it runs."""

    id: int
    job: str
    due: float | None
    holder: str
    began_at: float
    ended_at: float | None
    outcome: Outcome | None
    exit_code: int | None
    detail: str


class Jobs(Protocol):
    """Who may run which job, and what became of runs. Raises StateError when it cannot be asked."""

    def know(self, jobs: Sequence[Job]) -> None:
        """Take over the plan: a job that is new, or has another schedule, counts its firings from now on."""
        ...

    def standing(self, job: Job) -> Standing: ...

    def claim(self, job: Job, holder: str, *, asked: bool = False) -> Lease | None:
        """The lease for what is due now; ``asked``: for a run that a person wants, due or not.

        None when nothing is due, or a job of the lane runs.
        """
        ...

    def renew(self, lease: Lease) -> bool:
        """Hold on to a lease. False: it was lost, and what runs under it has to stop."""
        ...

    def finish(self, lease: Lease, outcome: Outcome, exit_code: int | None = None, detail: str = "") -> bool:
        """Record the end of a run and give the lease back. False: it was lost, and nothing was recorded."""
        ...

    def expire(self) -> Sequence[Run]:
        """End the runs whose lease ran out: their holders are gone. Returns them."""
        ...

    def history(self, job: str | None = None, limit: int = 20) -> Sequence[Run]:
        """Runs, latest first."""
        ...


class SqliteJobs:
    """Jobs in a file of the state folder. Short transactions; not shared between threads."""

    def __init__(self, folder: Path, clock: Clock, *, lease_s: float = LEASE_S) -> None:
        private_folder(folder)
        self._clock = clock
        self._lease_s = lease_s
        self._db = connect(folder / NAME)
        migrate(self._db, STEPS, NAME)

    def close(self) -> None:
        self._db.close()

    def know(self, jobs: Sequence[Job]) -> None:
        now = self._clock.now()
        with transaction(self._db) as db:
            for job in jobs:
                schedule = "; ".join(f"{cron.text} {cron.zone}" for cron in job.schedule)
                db.execute(
                    "INSERT INTO job VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                    "SET schedule = excluded.schedule, since = excluded.since WHERE schedule <> excluded.schedule",
                    (job.name, schedule, now),
                )

    def standing(self, job: Job) -> Standing:
        since = self._rows("SELECT since FROM job WHERE name = ?", job.name)
        last = self._rows(
            "SELECT due, outcome, ended_at FROM run WHERE job = ? AND due IS NOT NULL ORDER BY id DESC LIMIT 1",
            job.name,
        )
        known = since[0][0] if since else self._clock.now()
        if not last:
            return Standing(known)
        firing, outcome, ended_at = last[0]
        tries = self._rows(
            "SELECT count(*) FROM run WHERE job = ? AND due = ? AND outcome IN ('failed', 'timed_out', 'lost')",
            job.name,
            firing,
        )
        return Standing(known, firing, tries[0][0], outcome, ended_at)

    def claim(self, job: Job, holder: str, *, asked: bool = False) -> Lease | None:
        now = self._clock.now()
        if not asked and due(job, self.standing(job), now) is None:
            return None  # as a rule: without a transaction
        with transaction(self._db) as db:
            self._expire(db, now)
            firing = None if asked else due(job, self.standing(job), now)
            if (firing is None and not asked) or self._rows("SELECT 1 FROM lease WHERE lane = ?", job.lane):
                return None
            cursor = db.execute(
                "INSERT INTO run (job, due, holder, began_at) VALUES (?, ?, ?, ?)", (job.name, firing, holder, now)
            )
            run = cursor.lastrowid or 0
            db.execute("INSERT INTO lease VALUES (?, ?, ?)", (job.lane, run, now + self._lease_s))
        return Lease(job.name, job.lane, run)

    def renew(self, lease: Lease) -> bool:
        now = self._clock.now()
        with transaction(self._db) as db:
            changed = db.execute(
                "UPDATE lease SET until = ? WHERE lane = ? AND run = ? AND until > ?",
                (now + self._lease_s, lease.lane, lease.run, now),
            )
        return changed.rowcount == 1

    def finish(self, lease: Lease, outcome: Outcome, exit_code: int | None = None, detail: str = "") -> bool:
        with transaction(self._db) as db:
            given_back = db.execute("DELETE FROM lease WHERE lane = ? AND run = ?", (lease.lane, lease.run)).rowcount
            if given_back:
                db.execute(
                    "UPDATE run SET ended_at = ?, outcome = ?, exit_code = ?, detail = ? WHERE id = ?",
                    (self._clock.now(), outcome, exit_code, detail, lease.run),
                )
        return given_back == 1

    def expire(self) -> Sequence[Run]:
        now = self._clock.now()
        if not self._rows("SELECT 1 FROM lease WHERE until <= ? LIMIT 1", now):
            return ()
        with transaction(self._db) as db:
            ended = self._expire(db, now)
        return [run for run in (self._run(id) for id in ended) if run]  # noqa: A001 - the column's name

    def history(self, job: str | None = None, limit: int = 20) -> Sequence[Run]:
        where, args = ("WHERE job = ?", (job, limit)) if job else ("", (limit,))
        return [Run(*row) for row in self._rows(f"SELECT {_COLUMNS} FROM run {where} ORDER BY id DESC LIMIT ?", *args)]  # noqa: S608

    def forget(self, before: float) -> int:
        """Drop runs that ended before a moment, but for the last of each job. Returns how many."""
        with transaction(self._db) as db:
            return db.execute(
                "DELETE FROM run WHERE ended_at < ? AND id NOT IN (SELECT max(id) FROM run GROUP BY job, due IS NULL)",
                (before,),
            ).rowcount

    def _expire(self, db: sqlite3.Connection, now: float) -> list[int]:
        gone = [row[0] for row in db.execute("DELETE FROM lease WHERE until <= ? RETURNING run", (now,)).fetchall()]
        for run in gone:
            db.execute(
                "UPDATE run SET ended_at = ?, outcome = 'lost', detail = 'its holder did not renew the lease' "
                "WHERE id = ? AND ended_at IS NULL",
                (now, run),
            )
        return gone

    def _run(self, id: int) -> Run | None:  # noqa: A002
        found = self._rows(f"SELECT {_COLUMNS} FROM run WHERE id = ?", id)  # noqa: S608 - our own names
        return Run(*found[0]) if found else None

    def _rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise state_error(error) from error


_COLUMNS = "id, job, due, holder, began_at, ended_at, outcome, exit_code, detail"
