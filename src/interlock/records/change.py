"""The change record: adding, modifying or removing anything that could affect services (ITIL)."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field
from interlock.records.ticket import APPROVALS, LEVELS, PRIORITIES, Approval, Level, Priority

CHANGE_TYPES = ("normal", "standard", "emergency")
CHANGE_STATES = ("new", "assess", "authorize", "scheduled", "implement", "review", "closed", "cancelled")
RISKS = ("very_high", "high", "moderate", "low")
CONFLICTS = ("not_run", "none", "conflict")
CHANGE_CLOSES = ("successful", "successful_issues", "unsuccessful")

ChangeType = Literal["normal", "standard", "emergency", "unmapped"]
ChangeState = Literal[
    "new", "assess", "authorize", "scheduled", "implement", "review", "closed", "cancelled", "unmapped"
]
Risk = Literal["very_high", "high", "moderate", "low", "unmapped"]
ConflictStatus = Literal["not_run", "none", "conflict", "unmapped"]
ChangeClose = Literal["successful", "successful_issues", "unsuccessful", "unmapped"]


class Change(Record):
    """A change."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "One line that says what is changed.")
    description: str | None = field("long_text", "What is changed.")
    type: ChangeType | None = field("enum", "Which way of approval it takes.", values=CHANGE_TYPES)
    state: ChangeState | None = field("enum", "Where it stands.", values=CHANGE_STATES, sortable=True)
    risk: Risk | None = field("enum", "How risky it is.", values=RISKS)
    impact: Level | None = field("enum", "How much of the business it may affect.", values=LEVELS)
    urgency: Level | None = field("enum", "How soon it must be done.", values=LEVELS)
    priority: Priority | None = field("enum", "p1 is the highest.", values=PRIORITIES, writable=False, sortable=True)
    category: str | None = field("word", "The source's own category.")
    ci: Link | None = field("ref", "The configuration item that is changed.", refers=("ci",))
    service: Link | None = field("ref", "The business service it belongs to.", refers=("ci",))
    requested_by: Link | None = field("ref", "Who asked for it.", refers=("person",))
    assignee: Link | None = field("ref", "Who does it.", refers=("person",))
    group: Link | None = field("ref", "The group that does it.", refers=("group",))
    planned_start_at: str | None = field("instant", "Start of its window.", sortable=True)
    planned_end_at: str | None = field("instant", "End of its window.", sortable=True)
    actual_start_at: str | None = field("instant", "When work began.", sortable=True)
    actual_end_at: str | None = field("instant", "When work ended.", sortable=True)
    justification: str | None = field("long_text", "Why it is worth its risk.")
    implementation_plan: str | None = field("long_text", "How it is done.")
    backout_plan: str | None = field("long_text", "How it is undone.")
    test_plan: str | None = field("long_text", "How it is tested.")
    approval: Approval | None = field("enum", "What its approvers said so far.", values=APPROVALS, writable=False)
    on_hold: bool | None = field("bool", "Whether it waits.")
    on_hold_reason: str | None = field("text", "What it waits for.")
    conflict_status: ConflictStatus | None = field(
        "enum", "What the source's last check of its window said.", values=CONFLICTS, writable=False
    )
    close_code: ChangeClose | None = field("enum", "How it went.", values=CHANGE_CLOSES)
    close_notes: str | None = field("long_text", "How it went, in words.")
    active: bool | None = field("bool", "False once it is closed or cancelled.", writable=False)
    opened_at: str | None = field("instant", "When it was opened.", writable=False, sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    closed_at: str | None = field("instant", "When it was closed.", writable=False, sortable=True)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    updated_by: str | None = field("word", "Account that last changed it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
