"""Tools for changes: what they take and say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from interlock.records.change import Change
from interlock.tools.answers import ChangeAnswer, ChangeRow, ConflictsOut
from interlock.tools.arguments import (
    KEPT,
    MANY,
    Arguments,
    Body,
    ChangeRef,
    Changes,
    CiRef,
    GroupRef,
    MaxAge,
    Moment,
    PersonRef,
    Search,
    SourceName,
    Title,
    Version,
    Word,
    Write,
    fields_schema,
)
from interlock.tools.catalogue.tool import UNSURE_PATHS, Path, Tool, WriteSpec
from interlock.tools.filterschema import filter_schema, sort_schema

Level = Literal["high", "medium", "low"]
RiskWord = Literal["very_high", "high", "moderate", "low"]
Fields = Annotated[list[str] | None, Field(max_length=60), fields_schema("change")]
_OPEN = ("new", "assess", "authorize", "scheduled", "implement", "review", "unmapped")


class ChangeSearch(Search):
    filter: Annotated[list[dict[str, Any]], MANY, WithJsonSchema(filter_schema("change"))] = []
    sort: Annotated[list[str], Field(max_length=3), WithJsonSchema(sort_schema("change"))] = []
    fields: Fields = None


class ChangeGet(Arguments):
    ref: ChangeRef
    fields: Fields = None
    max_age_s: MaxAge = 0


class ChangeCreate(Write):
    type: Annotated[Literal["normal", "standard", "emergency"], Field(description="Which way of approval it takes.")]
    title: Title
    description: Body | None = None
    ci: CiRef | None = None
    service: CiRef | None = None
    group: GroupRef | None = None
    assignee: PersonRef | None = None
    requested_by: PersonRef | None = None
    category: Word | None = None
    risk: RiskWord | None = None
    impact: Level | None = None
    planned_start_at: Moment = None
    planned_end_at: Moment = None
    justification: Body | None = None
    implementation_plan: Body | None = None
    backout_plan: Body | None = None
    test_plan: Body | None = None
    source: SourceName = None


class ChangeChanges(Changes):
    """Fields to change; null clears one. The state moves by change_transition."""

    title: Title = KEPT
    description: Body | None = None
    ci: CiRef | None = None
    service: CiRef | None = None
    group: GroupRef | None = None
    assignee: PersonRef | None = None
    category: Word | None = None
    risk: RiskWord = KEPT
    impact: Level | None = None
    planned_start_at: Moment = None
    planned_end_at: Moment = None
    justification: Body | None = None
    implementation_plan: Body | None = None
    backout_plan: Body | None = None
    test_plan: Body | None = None
    on_hold: bool = KEPT
    on_hold_reason: Annotated[Word | None, Field(description="With on_hold.")] = None


class ChangeUpdate(Write):
    ref: ChangeRef
    changes: Annotated[ChangeChanges, Field(json_schema_extra={"minProperties": 1})]
    expected_version: Version = None


class ChangeTransition(Write):
    ref: ChangeRef
    to: Annotated[
        Literal["assess", "authorize", "scheduled", "implement", "review", "closed", "cancelled"],
        Field(description="One of next_states of change_get."),
    ]
    close_code: Annotated[
        Literal["successful", "successful_issues", "unsuccessful"] | None, Field(description="With closed.")
    ] = None
    close_notes: Annotated[Body | None, Field(description="With closed.")] = None
    expected_version: Version = None

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.to == "closed" and (self.close_code is None or self.close_notes is None):
            raise ValueError("closed needs close_code and close_notes")
        return self

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "anyOf": [
                {
                    "properties": {
                        "to": {"enum": ["assess", "authorize", "scheduled", "implement", "review", "cancelled"]}
                    }
                },
                {
                    "required": ["close_code", "close_notes"],
                    "properties": {"close_code": {"type": "string"}, "close_notes": {"type": "string"}},
                },
            ]
        },
    )


class ChangeCheckConflicts(Arguments):
    ref: ChangeRef


CHANGES: tuple[Tool, ...] = (
    Tool(
        "change_search",
        "Find changes",
        "Find changes by filter and text, newest change first. Rows are compact; read one with change_get.",
        "read",
        "change",
        ChangeSearch,
        list[ChangeRow],
    ),
    Tool(
        "change_get",
        "Read a change",
        "Read one change with its quality, the states it may go to now, and what its approvers said.",
        "read",
        "change",
        ChangeGet,
        ChangeAnswer,
    ),
    Tool(
        "change_create",
        "Open a change",
        "Open a change. Look at the impact of its CI first (ci_impact); check its window with change_check_conflicts.",
        "write",
        "change",
        ChangeCreate,
        Change,
        WriteSpec(
            "create",
            (
                "type",
                "title",
                "description",
                "ci",
                "service",
                "group",
                "assignee",
                "requested_by",
                "category",
                "risk",
                "impact",
                "planned_start_at",
                "planned_end_at",
                "justification",
                "implementation_plan",
                "backout_plan",
                "test_plan",
            ),
            path=Path(UNSURE_PATHS),
        ),
    ),
    Tool(
        "change_update",
        "Change a change",
        "Change fields of a change that is not closed. Its state moves by change_transition.",
        "write",
        "change",
        ChangeUpdate,
        Change,
        WriteSpec("update", ("changes",), from_states=_OPEN),
    ),
    Tool(
        "change_transition",
        "Move a change",
        "Move a change to one of the states that its source allows now (next_states of change_get). "
        "closed needs close_code and close_notes. Approvals are given by people, never here.",
        "write",
        "change",
        ChangeTransition,
        Change,
        WriteSpec(
            "update",
            ("to", "close_code", "close_notes"),
            fields={"to": "state"},
            from_states=_OPEN,
            asks_next=True,
            path=Path(UNSURE_PATHS),
        ),
    ),
    Tool(
        "change_check_conflicts",
        "Check a change's window",
        "What speaks against a change's window: other changes of its CI, and what the source itself finds.",
        "read",
        "change",
        ChangeCheckConflicts,
        ConflictsOut,
    ),
)
