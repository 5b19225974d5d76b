"""The incident record: an unplanned interruption or loss of quality of an IT service (ITIL)."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field
from interlock.records.ticket import LEVELS, PRIORITIES, Level, Priority

State = Literal["new", "in_progress", "on_hold", "resolved", "closed", "cancelled", "unmapped"]
HoldReason = Literal["caller", "problem", "vendor", "change", "evidence", "unmapped"]
CloseCode = Literal[
    "fixed",
    "workaround",
    "known_error",
    "duplicate",
    "user_error",
    "not_reproducible",
    "by_caller",
    "by_change",
    "by_problem",
    "unmapped",
]
Channel = Literal["phone", "email", "self_service", "chat", "monitoring", "walk_in", "other", "unmapped"]

_STATES = ("new", "in_progress", "on_hold", "resolved", "closed", "cancelled")
_HOLDS = ("caller", "problem", "vendor", "change", "evidence")
_CLOSES = (
    "fixed",
    "workaround",
    "known_error",
    "duplicate",
    "user_error",
    "not_reproducible",
    "by_caller",
    "by_change",
    "by_problem",
)
_CHANNELS = ("phone", "email", "self_service", "chat", "monitoring", "walk_in", "other")


class Incident(Record):
    """An incident."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "One line that says what is wrong.")
    description: str | None = field("long_text", "What the caller reported.")
    state: State | None = field("enum", "Where it stands.", values=_STATES, sortable=True)
    hold_reason: HoldReason | None = field("enum", "What it waits for while on_hold.", values=_HOLDS)
    impact: Level | None = field("enum", "How much of the business is affected.", values=LEVELS)
    urgency: Level | None = field("enum", "How soon it must be solved.", values=LEVELS)
    priority: Priority | None = field(
        "enum",
        "p1 is the highest; the source computes it.",
        values=PRIORITIES,
        writable=False,
        sortable=True,
    )
    category: str | None = field("word", "The source's own category; taxonomy_values lists them.")
    subcategory: str | None = field("word", "The source's own subcategory; depends on category.")
    channel: Channel | None = field("enum", "How it was reported.", values=_CHANNELS)
    service: Link | None = field("ref", "The business service affected.", refers=("ci",))
    ci: Link | None = field("ref", "The configuration item affected.", refers=("ci",))
    caller: Link | None = field("ref", "Who is affected.", refers=("person",))
    opened_by: Link | None = field("ref", "Who recorded it.", refers=("person",), writable=False)
    assignee: Link | None = field("ref", "Who works on it.", refers=("person",))
    group: Link | None = field("ref", "The group that works on it.", refers=("group",))
    parent: Link | None = field("ref", "The incident this is a child of.", refers=("incident",))
    problem: Link | None = field("ref", "The problem behind it.", refers=("problem",))
    change: Link | None = field("ref", "The change that solves it.", refers=("change",))
    caused_by: Link | None = field("ref", "The change that caused it.", refers=("change",))
    opened_at: str | None = field("instant", "When it was opened.", writable=False, sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    resolved_at: str | None = field("instant", "When it was resolved.", writable=False, sortable=True)
    closed_at: str | None = field("instant", "When it was closed.", writable=False, sortable=True)
    due_at: str | None = field("instant", "When it should be resolved.", sortable=True)
    close_code: CloseCode | None = field("enum", "How it was resolved.", values=_CLOSES)
    close_notes: str | None = field("long_text", "How it was resolved, in words.")
    active: bool | None = field("bool", "False once it is closed or cancelled.", writable=False)
    reopen_count: int | None = field("int", "How often it was reopened.", writable=False, ge=0)
    reassignment_count: int | None = field("int", "How often its group changed.", writable=False, ge=0)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    updated_by: str | None = field("word", "Account that last changed it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
