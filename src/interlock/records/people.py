"""People and groups: who calls, works, owns and approves."""

from __future__ import annotations

from interlock.records.models import Link, Record, field


class Person(Record):
    """A person as a source knows them."""

    user_name: str | None = field("word", "Account name.", writable=False)
    name: str | None = field("text", "Full name.", writable=False, sortable=True)
    email: str | None = field("word", "Mail address.", writable=False)
    active: bool | None = field("bool", "Whether the account is in use.", writable=False)
    title: str | None = field("text", "Job title.", writable=False)
    department: str | None = field("text", "Department.", writable=False)
    location: str | None = field("text", "Where they work.", writable=False)
    manager: Link | None = field("ref", "Their manager.", refers=("person",), writable=False)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)


class Group(Record):
    """A group that tickets are assigned to."""

    name: str | None = field("text", "Its name.", writable=False, sortable=True)
    description: str | None = field("long_text", "What it does.", writable=False)
    email: str | None = field("word", "Mail address.", writable=False)
    active: bool | None = field("bool", "Whether it is in use.", writable=False)
    manager: Link | None = field("ref", "Who leads it.", refers=("person",), writable=False)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
