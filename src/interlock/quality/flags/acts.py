"""What people say of a flag, and what that does to it."""

from __future__ import annotations

import sqlite3
from typing import Any

from interlock.quality.flags.rows import EVENT_COLUMNS, Event, event_of_row
from interlock.records.problems import Problem, Slug, invalid

LONGEST_WAIVER_S = 366 * 86_400.0
MAX_REASON = 1000

ACTS = ("ack", "assign", "waive", "unwaive", "reopen")

_EVENT = "INSERT INTO event (at, by, what, ref, code, reason, until, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_LAST = f"SELECT {EVENT_COLUMNS} FROM event WHERE seq = ?"  # noqa: S608 - our own names
_SAME_THING = (
    "SELECT ref FROM flag WHERE code = :code AND thing IN (SELECT thing FROM flag WHERE ref = :ref AND code = :code) "
    "AND ref <> :ref AND state = 'open'"
)


def act(
    db: sqlite3.Connection,
    what: str,
    ref: str,
    code: str,
    by: str,
    reason: str | None,
    until: float | None,
    assignee: str | None,
    at: float,
) -> Event:
    """Do it, inside the caller's transaction. Raises Problem not-found, invalid-argument or wrong-state.

    ``ack``: it is known. ``assign``: somebody sees to it. ``waive``: it does not count until a time, a year away
    at most, on whatever record the thing has then. ``unwaive``: it counts again. ``reopen``: all of this is taken
    back; a resolved one is raised again until the next look at the record.
    """
    _check(what, by, reason, until, assignee, at)
    row = db.execute(
        "SELECT state, thing, handle, waived_until FROM flag WHERE ref = ? AND code = ?", (ref, code)
    ).fetchone()
    if row is None:
        raise Problem(
            Slug.NOT_FOUND,
            f"no check {code} ever raised a flag on {ref}",
            field="ref",
            value=ref,
            next_step="List the flags to see which there are.",
        )
    state, thing, handle, waived_until = row
    if state != "open" and what != "reopen":
        raise Problem(
            Slug.WRONG_STATE,
            f"{code} on {ref} is resolved",
            field="code",
            value=code,
            next_step="Nothing needs to be done; reopen it if it is still there.",
        )
    waived = waived_until is not None and waived_until > at
    if what == "unwaive" and not waived:
        raise Problem(Slug.WRONG_STATE, f"{code} on {ref} is not waived", field="code", value=code)
    seq = db.execute(_EVENT, (at, by, what, ref, code, reason, until, assignee)).lastrowid or 0
    if what == "waive" or (waived and what in ("unwaive", "reopen")):
        _waiver(db, what, ref, code, by, reason, until, at, seq, (thing, handle))
    _row(db, what, {"ref": ref, "code": code, "by": by, "at": at, "until": until, "assignee": assignee})
    if what == "reopen" and state != "open":
        db.execute("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", (ref, f"|{code}|", at))
    if what in ("waive", "unwaive", "reopen"):
        db.execute("INSERT INTO change (ref) VALUES (?)", (ref,))
    return event_of_row(db.execute(_LAST, (seq,)).fetchone())


_SETS = {
    "ack": "acknowledged = :by",
    "assign": "assignee = :assignee",
    "waive": "waived_until = :until",
    "unwaive": "waived_until = NULL",
    "reopen": "state = 'open', resolved_at = NULL, acknowledged = NULL, assignee = NULL, waived_until = NULL",
}


def _row(db: sqlite3.Connection, what: str, values: dict[str, Any]) -> None:
    sql = f"UPDATE flag SET {_SETS[what]}, status_at = :at WHERE ref = :ref AND code = :code"  # noqa: S608 - our texts
    db.execute(sql, values)


def _waiver(
    db: sqlite3.Connection,
    what: str,
    ref: str,
    code: str,
    by: str,
    reason: str | None,
    until: float | None,
    at: float,
    seq: int,
    things: tuple[str, str],
) -> None:
    """Keep or end the waiver of the thing, and say so on its other records that have the flag."""
    if what == "waive":
        for thing in dict.fromkeys(things):
            db.execute("INSERT OR REPLACE INTO waiver VALUES (?, ?, ?, ?, ?, ?)", (thing, code, until, reason, by, seq))
    else:
        db.execute(
            "DELETE FROM waiver WHERE code = ?1 AND seq IN (SELECT seq FROM waiver WHERE code = ?1 "
            "AND thing IN (?2, ?3))",
            (code, *things),
        )
    also = "waive" if what == "waive" else "unwaive"
    for (other,) in db.execute(_SAME_THING, {"ref": ref, "code": code}).fetchall():
        db.execute(_EVENT, (at, by, also, other, code, reason, until, None))
        _row(db, also, {"ref": other, "code": code, "at": at, "until": until})
        db.execute("INSERT INTO change (ref) VALUES (?)", (other,))


def _check(what: str, by: str, reason: str | None, until: float | None, assignee: str | None, at: float) -> None:
    if what not in ACTS:
        raise invalid("what", what, f"is none of {', '.join(ACTS)}")
    if not by:
        raise invalid("by", by, "is empty: every act has an author")
    if reason is not None and len(reason) > MAX_REASON:
        raise invalid("reason", reason, f"is longer than {MAX_REASON} characters")
    if what == "waive":
        if not (reason or "").strip():
            raise invalid("reason", reason, "is missing", "Say why the flag need not count.")
        if until is None or until <= at:
            raise invalid("until", until, "must be a time in the future", "A waiver ends by itself.")
        if until - at > LONGEST_WAIVER_S:
            raise invalid("until", until, "is more than a year away", "Waive it for a year at most.")
    if what == "assign" and not (assignee or "").strip():
        raise invalid("assignee", assignee, "is missing", "Name a person or a group.")
