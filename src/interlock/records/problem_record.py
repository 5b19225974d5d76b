"""The problem record: a cause, or potential cause, of incidents (ITIL). ``problems`` are another thing: errors."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field
from interlock.records.ticket import LEVELS, PRIORITIES, Level, Priority

PROBLEM_STATES = ("new", "assess", "root_cause", "fix_in_progress", "resolved", "closed", "cancelled")
PROBLEM_CLOSES = ("fix_applied", "risk_accepted", "duplicate", "cancelled")
ProblemState = Literal["new", "assess", "root_cause", "fix_in_progress", "resolved", "closed", "cancelled", "unmapped"]
ProblemClose = Literal["fix_applied", "risk_accepted", "duplicate", "cancelled", "unmapped"]


class ProblemRecord(Record):
    """A problem; a known error has a cause that is understood and often a workaround."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "One line that says what is wrong.")
    description: str | None = field("long_text", "What is known.")
    state: ProblemState | None = field("enum", "Where it stands.", values=PROBLEM_STATES, sortable=True)
    impact: Level | None = field("enum", "How much of the business is affected.", values=LEVELS)
    urgency: Level | None = field("enum", "How soon it must be solved.", values=LEVELS)
    priority: Priority | None = field("enum", "p1 is the highest.", values=PRIORITIES, writable=False, sortable=True)
    category: str | None = field("word", "The source's own category.")
    subcategory: str | None = field("word", "The source's own subcategory.")
    ci: Link | None = field("ref", "The configuration item it lies in.", refers=("ci",))
    service: Link | None = field("ref", "The business service affected.", refers=("ci",))
    opened_by: Link | None = field("ref", "Who recorded it.", refers=("person",), writable=False)
    assignee: Link | None = field("ref", "Who works on it.", refers=("person",))
    group: Link | None = field("ref", "The group that works on it.", refers=("group",))
    change: Link | None = field("ref", "The change that removes it.", refers=("change",))
    known_error: bool | None = field("bool", "Whether its cause is known.")
    workaround: str | None = field("long_text", "What helps until it is removed.")
    cause_notes: str | None = field("long_text", "What its cause is.")
    fix_notes: str | None = field("long_text", "How it was removed.")
    close_code: ProblemClose | None = field("enum", "How it ended.", values=PROBLEM_CLOSES)
    active: bool | None = field("bool", "False once it is closed.", writable=False)
    opened_at: str | None = field("instant", "When it was opened.", writable=False, sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    resolved_at: str | None = field("instant", "When it was resolved.", writable=False, sortable=True)
    closed_at: str | None = field("instant", "When it was closed.", writable=False, sortable=True)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    updated_by: str | None = field("word", "Account that last changed it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
