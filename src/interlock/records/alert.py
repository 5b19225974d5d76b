"""The alert record: what monitoring noticed, until it is over."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field

SEVERITIES = ("critical", "major", "minor", "warning", "info", "clear")
ALERT_STATES = ("open", "acknowledged", "suppressed", "closed")
AlertSeverity = Literal["critical", "major", "minor", "warning", "info", "clear", "unmapped"]
AlertState = Literal["open", "acknowledged", "suppressed", "closed", "unmapped"]


class Alert(Record):
    """An alert: equal events are one alert with a count."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "One line that says what was noticed.")
    description: str | None = field("long_text", "What was noticed.")
    severity: AlertSeverity | None = field("enum", "How bad monitoring takes it to be.", values=SEVERITIES)
    state: AlertState | None = field("enum", "Where it stands.", values=ALERT_STATES)
    ci: Link | None = field("ref", "The configuration item it is about.", refers=("ci",))
    node: str | None = field("word", "The host as monitoring calls it.", writable=False)
    resource: str | None = field("word", "The part of the host: a disk, a service.", writable=False)
    metric: str | None = field("word", "What was measured.", writable=False)
    type: str | None = field("word", "The source's own kind of event.", writable=False)
    monitor: str | None = field("word", "The tool that raised it.", writable=False)
    message_key: str | None = field("word", "By which events are one alert.", writable=False)
    incident: Link | None = field("ref", "The incident it led to.", refers=("incident",))
    group: Link | None = field("ref", "The group that looks after it.", refers=("group",))
    assignee: Link | None = field("ref", "Who looks after it.", refers=("person",))
    acknowledged: bool | None = field("bool", "Whether somebody has seen it.")
    first_at: str | None = field("instant", "When it was first noticed.", writable=False, sortable=True)
    last_at: str | None = field("instant", "When it was last noticed.", writable=False, sortable=True)
    count: int | None = field("int", "How many events it stands for.", writable=False, ge=0)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    closed_at: str | None = field("instant", "When it was over.", writable=False, sortable=True)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
