"""The tables of ``flags.sqlite`` and what stands in their rows.

A row of ``flag`` is what its events add up to (see ``statuses``), kept beside them so that it can be looked up
in microseconds and listed in order; both are written in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from interlock.state.schema import Step

NAME = "flags.sqlite"

Status = Literal["open", "acknowledged", "assigned", "waived", "resolved"]
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "assigned", "waived", "resolved")

SEVERITIES = ("high", "medium", "low", "info")
"""Their places are the numbers in the column ``severity``: the gravest sorts first."""

INDEXES = {
    "flag_listed": "CREATE INDEX flag_listed ON flag (stops DESC, severity, first_at, ref, code) WHERE state = 'open'",
    "flag_thing": "CREATE INDEX flag_thing ON flag (thing, code)",
    "event_flag": "CREATE INDEX event_flag ON event (ref, code)",
}
"""What a large publication rebuilds rather than keeps up row by row."""

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE flag (ref TEXT NOT NULL, code TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, "
        "thing TEXT NOT NULL, handle TEXT NOT NULL, evidence TEXT NOT NULL, severity INTEGER NOT NULL, "
        "state TEXT NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL, status_at REAL NOT NULL, "
        "resolved_at REAL, returned_at REAL, reopened INTEGER NOT NULL DEFAULT 0, acknowledged TEXT, "
        "assignee TEXT, waived_until REAL, stops INTEGER NOT NULL DEFAULT 0, scan TEXT, "
        "PRIMARY KEY (ref, code)) WITHOUT ROWID",
        "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, "
        "what TEXT NOT NULL, ref TEXT NOT NULL, code TEXT NOT NULL, reason TEXT, until REAL, detail TEXT)",
        "CREATE TABLE waiver (thing TEXT NOT NULL, code TEXT NOT NULL, until REAL NOT NULL, reason TEXT NOT NULL, "
        "by TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (thing, code)) WITHOUT ROWID",
        "CREATE TABLE stop (ref TEXT NOT NULL, code TEXT NOT NULL, call_id TEXT NOT NULL, at REAL NOT NULL, "
        "effect TEXT NOT NULL, PRIMARY KEY (ref, code, call_id)) WITHOUT ROWID",
        "CREATE INDEX stop_at ON stop (at)",
        "CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL)",
        "CREATE TABLE live (ref TEXT NOT NULL, codes TEXT NOT NULL, at REAL NOT NULL, "
        "PRIMARY KEY (ref, codes)) WITHOUT ROWID",
        "CREATE TABLE publication (number INTEGER PRIMARY KEY, scan TEXT NOT NULL UNIQUE, as_of REAL NOT NULL, "
        "file TEXT NOT NULL, opened INTEGER NOT NULL, reopened INTEGER NOT NULL, changed INTEGER NOT NULL, "
        "resolved INTEGER NOT NULL, seq INTEGER NOT NULL)",
        *INDEXES.values(),
    ),
)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One check's finding on one record. Times are epoch seconds, UTC.

    ``first_at``: since when, through short absences; ``last_at``: when it was last found; ``status_at``: when
    somebody or something last changed its standing. ``thing`` is what a waiver follows. ``reopened`` counts
    returns none of which came more than 14 days after the one before; ``stops`` the agent calls that it held or
    refused.
    """

    ref: str
    code: str
    kind: str
    source: str
    thing: str
    handle: str
    evidence: str
    severity: str
    status: Status
    first_at: float
    last_at: float
    status_at: float
    resolved_at: float | None
    reopened: int
    flapping: bool
    acknowledged: str | None  # who
    assignee: str | None
    waived_until: float | None  # also a past one
    stops: int
    scan: str | None

    @property
    def raised(self) -> bool:
        """Whether it is there and counts: neither resolved nor waived."""
        return self.status not in ("resolved", "waived")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a flag; ``by`` is a principal, or ``scan`` or ``gate``."""

    seq: int
    at: float
    by: str
    what: str
    ref: str
    code: str
    reason: str | None = None
    until: float | None = None
    detail: str | None = None  # of open, return and resolve the scan; of assign the assignee


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed. ``seq`` is the last change that a mask built from its findings holds."""

    opened: int
    reopened: int
    changed: int
    resolved: int
    seq: int


FLAG_COLUMNS = (
    "ref, code, kind, source, thing, handle, evidence, severity, state, first_at, last_at, status_at, resolved_at, "
    "returned_at, reopened, acknowledged, assignee, waived_until, stops, scan"
)
EVENT_COLUMNS = "seq, at, by, what, ref, code, reason, until, detail"


def event_of_row(row: tuple[Any, ...]) -> Event:
    """A row of EVENT_COLUMNS."""
    return Event(*row)
