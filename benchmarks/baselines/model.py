"""The normalised incident that both baselines answer with: pydantic on the way in and out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

_STATES = {"1": "new", "2": "in_progress", "3": "on_hold", "6": "resolved", "7": "closed", "8": "canceled"}
_URL = "https://x.service-now.com/incident.do?sys_id="


class State(StrEnum):
    new = "new"
    in_progress = "in_progress"
    on_hold = "on_hold"
    resolved = "resolved"
    closed = "closed"
    canceled = "canceled"


class Link(BaseModel):
    """A record that another one refers to."""

    model_config = ConfigDict(extra="forbid")

    id: str
    name: str
    type: str


class Origin(BaseModel):
    """Where a record comes from."""

    system: str
    table: str
    record_id: str
    url: str
    fetched_at: datetime | None = None


Grade = Annotated[int, Field(ge=1, le=4)]


class Incident(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    number: str = Field(pattern=r"^INC\d+$")
    title: str
    description: str
    state: State
    priority: Annotated[int, Field(ge=1, le=5)]
    impact: Grade
    urgency: Grade
    category: str | None
    subcategory: str | None
    assignment_group: Link | None
    assignee: Link | None
    caller: Link | None
    ci: Link | None
    service: Link | None
    opened_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    close_code: str | None
    close_notes: str | None
    active: bool
    channel: str | None
    source: Origin
    quality_flags: list[str] = []


class One(BaseModel):
    """The answer to a read."""

    result: Incident


class Many(BaseModel):
    """The answer to a search."""

    result: list[Incident]


def _link(cell: dict[str, str], kind: str) -> dict[str, str] | None:
    return {"id": cell["value"], "name": cell["display_value"], "type": kind} if cell.get("value") else None


def _instant(text: str) -> str | None:
    return f"{text[:10]}T{text[11:]}Z" if text else None


def normalise(row: dict[str, dict[str, str]]) -> dict[str, Any]:
    """A row of the Table API as the members of an Incident."""
    record_id = row["sys_id"]["value"]
    return {
        "id": record_id,
        "number": row["number"]["value"],
        "title": row["short_description"]["value"],
        "description": row["description"]["value"],
        "state": _STATES[row["state"]["value"]],
        "priority": int(row["priority"]["value"]),
        "impact": int(row["impact"]["value"]),
        "urgency": int(row["urgency"]["value"]),
        "category": row["category"]["value"] or None,
        "subcategory": row["subcategory"]["value"] or None,
        "assignment_group": _link(row["assignment_group"], "group"),
        "assignee": _link(row["assigned_to"], "user"),
        "caller": _link(row["caller_id"], "user"),
        "ci": _link(row["cmdb_ci"], "ci"),
        "service": _link(row["business_service"], "service"),
        "opened_at": _instant(row["opened_at"]["value"]),
        "created_at": _instant(row["sys_created_on"]["value"]),
        "updated_at": _instant(row["sys_updated_on"]["value"]),
        "resolved_at": _instant(row["resolved_at"]["value"]),
        "closed_at": _instant(row["closed_at"]["value"]),
        "close_code": row["close_code"]["value"] or None,
        "close_notes": row["close_notes"]["value"] or None,
        "active": row["active"]["value"] == "true",
        "channel": row["contact_type"]["value"] or None,
        "source": {"system": "servicenow-prod", "table": "incident", "record_id": record_id, "url": _URL + record_id},
        "quality_flags": [],
    }


def one(body: bytes) -> One:
    """The backend's answer to a read, validated."""
    return One.model_validate({"result": normalise(orjson.loads(body)["result"])})


def many(body: bytes) -> Many:
    """The backend's answer to a search, validated."""
    return Many.model_validate({"result": [normalise(row) for row in orjson.loads(body)["result"]]})
