"""The step from what was found before to what is found now, in SQL: one text for one record and for millions.

``stage`` holds the differences: ``ref, code, kind, source, thing, handle, evidence, severity, gone``. Events are
written first, from the rows as they were; then the rows become what the events say (see ``statuses``). CROSS JOIN keeps
SQLite at looking up flags by difference, never the other way round.
"""

# ruff: noqa: S608 - table names and texts are our own, values are bound or quoted

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from interlock.quality.flags.statuses import RETURN_S

STAGE = (
    "CREATE {temp} TABLE {name} (ref TEXT NOT NULL, code TEXT NOT NULL, kind TEXT, source TEXT, thing TEXT, "
    "handle TEXT, evidence TEXT, severity INTEGER, gone INTEGER NOT NULL, PRIMARY KEY (ref, code)) WITHOUT ROWID"
)
STAGE_INTO = "INSERT OR IGNORE INTO {name} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

_SOON = f"resolved_at >= :at - {RETURN_S}"

_RESOLVE_EVENTS = """\
INSERT INTO event (at, by, what, ref, code, detail)
SELECT :at, :by, 'resolve', s.ref, s.code, :scan FROM {stage} s CROSS JOIN flag f USING (ref, code)
WHERE s.gone AND f.state = 'open' ORDER BY s.ref, s.code"""

_OPEN_EVENTS = f"""\
INSERT INTO event (at, by, what, ref, code, detail)
SELECT :at, :by, CASE WHEN f.{_SOON} THEN 'return' ELSE 'open' END, s.ref, s.code, :scan
FROM {{stage}} s LEFT JOIN flag f USING (ref, code)
WHERE NOT s.gone AND (f.ref IS NULL OR f.state = 'resolved') ORDER BY s.ref, s.code"""

_WAIVE_EVENTS = f"""\
INSERT INTO event (at, by, what, ref, code, reason, until)
SELECT :at, w.by, 'waive', s.ref, s.code, w.reason, max(w.until)
FROM {{stage}} s CROSS JOIN waiver w ON w.code = s.code AND w.thing IN (s.thing, s.handle)
LEFT JOIN flag f ON f.ref = s.ref AND f.code = s.code
WHERE NOT s.gone AND w.until > :at AND (f.ref IS NULL OR (f.state = 'resolved' AND NOT f.{_SOON}))
GROUP BY s.ref, s.code"""

_FOUND = f"""\
INSERT INTO flag (ref, code, kind, source, thing, handle, evidence, severity, state, first_at, last_at, status_at,
  waived_until, stops, scan)
SELECT s.ref, s.code, s.kind, s.source, s.thing, s.handle, s.evidence, s.severity, 'open', :at, :at, :at,
  (SELECT max(w.until) FROM waiver w WHERE w.code = s.code AND w.thing IN (s.thing, s.handle) AND w.until > :at),
  (SELECT count(*) FROM stop t WHERE t.ref = s.ref AND t.code = s.code), :scan
FROM {{stage}} s WHERE NOT s.gone
ON CONFLICT (ref, code) DO UPDATE SET
  kind = excluded.kind, thing = excluded.thing, handle = excluded.handle, evidence = excluded.evidence,
  severity = excluded.severity, last_at = excluded.last_at, scan = excluded.scan,
  first_at = CASE WHEN state = 'open' OR {_SOON} THEN first_at ELSE :at END,
  status_at = CASE WHEN state = 'open' THEN status_at ELSE :at END,
  reopened = CASE WHEN state = 'open' THEN reopened WHEN NOT {_SOON} THEN 0
    WHEN returned_at >= :at - {RETURN_S} THEN reopened + 1 ELSE 1 END,
  returned_at = CASE WHEN state = 'open' THEN returned_at WHEN {_SOON} THEN :at END,
  acknowledged = CASE WHEN state = 'open' THEN acknowledged END,
  assignee = CASE WHEN state = 'open' OR {_SOON} THEN assignee END,
  waived_until = CASE WHEN state = 'open' OR {_SOON} THEN waived_until ELSE excluded.waived_until END,
  state = 'open', resolved_at = NULL"""

_GONE = """\
UPDATE flag SET state = 'resolved', resolved_at = :at, status_at = :at
WHERE state = 'open' AND (ref, code) IN (SELECT ref, code FROM {stage} WHERE gone)"""

_COUNTS = "SELECT what, count(*) FROM event WHERE seq > ? GROUP BY what"
_STEPS = (_RESOLVE_EVENTS, _OPEN_EVENTS, _WAIVE_EVENTS, _FOUND, _GONE)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many flags a step opened, reopened and resolved, and for how many only the evidence is another."""

    opened: int
    reopened: int
    changed: int
    resolved: int


def step(db: sqlite3.Connection, stage: str, at: float, by: str, scan: str | None) -> Moved:
    """Apply the differences in ``stage`` as of ``at``, inside the caller's transaction."""
    (before,) = db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    values = {"at": at, "by": by, "scan": scan}
    found = 0
    for sql in _STEPS:
        done = db.execute(sql.format(stage=stage), values)
        if sql is _FOUND:
            found = done.rowcount
    counts = dict(db.execute(_COUNTS, (before,)).fetchall())
    opened, reopened = counts.get("open", 0), counts.get("return", 0)
    return Moved(opened, reopened, found - opened - reopened, counts.get("resolve", 0))
