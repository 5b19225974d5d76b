"""The request record: something ordered from the service catalogue (ITIL: service request)."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field
from interlock.records.ticket import APPROVALS, Approval

REQUEST_STATES = (
    "new",
    "awaiting_approval",
    "in_progress",
    "on_hold",
    "fulfilled",
    "closed",
    "cancelled",
    "rejected",
)
RequestState = Literal[
    "new",
    "awaiting_approval",
    "in_progress",
    "on_hold",
    "fulfilled",
    "closed",
    "cancelled",
    "rejected",
    "unmapped",
]


class Request(Record):
    """An order and what became of it."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "One line that says what is asked for.")
    description: str | None = field("long_text", "What is asked for.")
    state: RequestState | None = field("enum", "Where it stands.", values=REQUEST_STATES, sortable=True)
    approval: Approval | None = field("enum", "What its approvers said so far.", values=APPROVALS, writable=False)
    stage: str | None = field("word", "The source's own step of fulfilment.", writable=False)
    item: str | None = field("text", "Name of the catalogue item that was ordered.", writable=False)
    quantity: int | None = field("int", "How many.", ge=0)
    requested_for: Link | None = field("ref", "Who gets it.", refers=("person",))
    opened_by: Link | None = field("ref", "Who ordered it.", refers=("person",), writable=False)
    assignee: Link | None = field("ref", "Who works on it.", refers=("person",))
    group: Link | None = field("ref", "The group that works on it.", refers=("group",))
    parent: Link | None = field("ref", "The order this is a part of.", refers=("request",), writable=False)
    opened_at: str | None = field("instant", "When it was ordered.", writable=False, sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    due_at: str | None = field("instant", "When it should be there.", sortable=True)
    closed_at: str | None = field("instant", "When it was closed.", writable=False, sortable=True)
    close_notes: str | None = field("long_text", "How it ended, in words.")
    active: bool | None = field("bool", "False once it is closed.", writable=False)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    updated_by: str | None = field("word", "Account that last changed it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
