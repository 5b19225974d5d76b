"""What agents pass: one input model a tool. Unknown arguments are errors; the way out is named."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from interlock.records.filters import MAX_CONDITIONS
from interlock.records.refs import KINDS
from interlock.tools.filterschema import FIELD_NAMES, INSTANT, OWN_NAME, filter_schema, ref_pattern, sort_schema

SAID = r"[^\s\u0085\ufeff]"
"""Something but white space. What ``\\s`` holds differs by dialect in these two characters."""


def ref_schema(*kinds: str) -> WithJsonSchema:
    """The schema of an argument that is a ref of one of these kinds."""
    return WithJsonSchema({"type": "string", "pattern": ref_pattern(kinds), "maxLength": 250, "x-ref": list(kinds)})


AnyRef = Annotated[str, Field(max_length=250, description="Ref of any record."), ref_schema(*KINDS)]
IncidentRef = Annotated[str, Field(max_length=250), ref_schema("incident")]
ChangeRef = Annotated[str, Field(max_length=250), ref_schema("change")]
RequestRef = Annotated[str, Field(max_length=250), ref_schema("request")]
TicketRef = Annotated[str, Field(max_length=250), ref_schema("incident", "request", "change", "problem")]
CiRef = Annotated[str, Field(max_length=250), ref_schema("ci")]
PersonRef = Annotated[str, Field(max_length=250), ref_schema("person")]
GroupRef = Annotated[str, Field(max_length=250), ref_schema("group")]


def _whole(value: Any) -> Any:
    """JSON knows no difference between 3 and 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # stands last: a validator before the bounds would hide them from the schema

SourceName = Annotated[str | None, Field(max_length=32, description="One source; source_list names them.")]
Cursor = Annotated[str | None, Field(min_length=1, max_length=512, description="From page.cursor of the last answer.")]
MaxAge = Annotated[
    int, Field(ge=0, le=86_400, description="Accept a cached answer up to this many seconds old; 0 is live."), WHOLE
]
Key = Annotated[
    str | None,
    Field(
        min_length=8,
        max_length=100,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Same key and arguments within 7 days: the first receipt again, never a second write.",
    ),
]
DryRun = Annotated[bool, Field(description="Decide and preview; change nothing.")]
Version = Annotated[
    str | None,
    Field(max_length=100, description="version you read; others' changes since are then reported."),
]
Title = Annotated[str, Field(min_length=1, max_length=160, pattern=SAID)]
Body = Annotated[str, Field(min_length=1, max_length=4000, pattern=SAID)]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=SAID)]


Moment = Annotated[
    str | None,
    Field(max_length=40, description="2026-03-14T08:12:44Z"),
    WithJsonSchema({"anyOf": [INSTANT, {"type": "null"}]}),
]


def fields_schema(kind: str) -> WithJsonSchema:
    """The schema of the argument that names fields of a kind."""
    names = {"type": "array", "items": {"anyOf": [{"enum": FIELD_NAMES[kind]}, OWN_NAME]}, "maxItems": 60}
    about = "Fields to return instead of the compact ones."
    return WithJsonSchema({"anyOf": [names, {"type": "null"}], "description": about})


MANY = Field(max_length=MAX_CONDITIONS)
IncidentFilter = Annotated[list[dict[str, Any]], MANY, WithJsonSchema(filter_schema("incident"))]
CiFilter = Annotated[list[dict[str, Any]], MANY, WithJsonSchema(filter_schema("ci"))]
IncidentSort = Annotated[list[str], Field(max_length=3), WithJsonSchema(sort_schema("incident"))]
CiSort = Annotated[list[str], Field(max_length=3), WithJsonSchema(sort_schema("ci"))]
IncidentFields = Annotated[list[str] | None, Field(max_length=60), fields_schema("incident")]
CiFields = Annotated[list[str] | None, Field(max_length=60), fields_schema("ci")]


class Arguments(BaseModel):
    """Base of all inputs."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Search(Arguments):
    """What every search takes."""

    source: SourceName = None
    text: Annotated[str | None, Field(min_length=1, max_length=200, description="Words to find.")] = None
    detail: Annotated[
        Literal["compact", "full"], Field(description="full: every readable field and the evidence of flags.")
    ] = "compact"
    limit: Annotated[int, Field(ge=1, le=100), WHOLE] = 20
    cursor: Cursor = None
    max_age_s: MaxAge = 0


class IncidentSearch(Search):
    filter: IncidentFilter = []
    sort: IncidentSort = []
    fields: IncidentFields = None


class CiSearch(Search):
    filter: CiFilter = []
    sort: CiSort = []
    fields: CiFields = None


class IncidentGet(Arguments):
    ref: IncidentRef
    fields: IncidentFields = None
    max_age_s: MaxAge = 0


class CiGet(Arguments):
    ref: CiRef
    fields: CiFields = None
    same_as: Annotated[bool, Field(description="Ask other sources for the same CI, too.")] = True
    max_age_s: MaxAge = 0


class CiRelated(Arguments):
    ref: CiRef
    direction: Annotated[
        Literal["needs", "needed_by", "both"],
        Field(description="needs: what this CI is the subject of (depends_on, runs_on). needed_by: the reverse."),
    ] = "both"
    limit: Annotated[int, Field(ge=1, le=100), WHOLE] = 50
    cursor: Cursor = None
    max_age_s: MaxAge = 0


class CiImpact(Arguments):
    ref: CiRef
    depth: Annotated[int, Field(ge=1, le=5, description="Relations to follow at most."), WHOLE] = 3
    limit: Annotated[int, Field(ge=1, le=200, description="CIs to find at most."), WHOLE] = 50
    max_age_s: MaxAge = 0


class RecordGet(Arguments):
    ref: AnyRef
    max_age_s: MaxAge = 0


class JournalList(Arguments):
    ref: TicketRef
    visibility: Annotated[
        Literal["public", "internal", "all"], Field(description="public is what the caller can read.")
    ] = "all"
    limit: Annotated[int, Field(ge=1, le=50), WHOLE] = 10
    cursor: Cursor = None


class DirectoryFind(Arguments):
    kind: Annotated[Literal["person", "group"], Field(description="What to look for.")]
    text: Annotated[str, Field(min_length=1, max_length=100, pattern=SAID, description="Name, account or mail.")]
    source: SourceName = None
    limit: Annotated[int, Field(ge=1, le=50), WHOLE] = 10


class TaxonomyValues(Arguments):
    field: Annotated[
        Literal[
            "state",
            "category",
            "subcategory",
            "impact",
            "urgency",
            "priority",
            "close_code",
            "hold_reason",
            "channel",
        ],
        Field(description="Field of an incident."),
    ]
    depends_on: Annotated[str | None, Field(max_length=100, description="Category, for subcategory.")] = None
    source: SourceName = None


class Whoami(Arguments):
    pass


class ToolDescribe(Arguments):
    name: Annotated[str, Field(max_length=64, description="Name of a tool.", json_schema_extra={"x-tool": True})]


class SourceList(Arguments):
    pass


class FlagList(Arguments):
    code: Annotated[
        str | None, Field(max_length=64, pattern=r"^[A-Z][A-Z0-9-]*$", description="One check, such as CI-STALE.")
    ] = None
    ref: AnyRef | None = None
    source: SourceName = None
    status: Annotated[
        Literal["open", "acknowledged", "assigned", "waived", "resolved"] | None,
        Field(description="Without it: all that are not resolved."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=100), WHOLE] = 20
    cursor: Cursor = None


class Write(Arguments):
    """What every write takes."""

    idempotency_key: Key = None
    dry_run: DryRun = False


class IncidentCreate(Write):
    title: Title
    description: Body | None = None
    impact: Literal["high", "medium", "low"] | None = None
    urgency: Literal["high", "medium", "low"] | None = None
    category: Annotated[Word | None, Field(description="From taxonomy_values.")] = None
    subcategory: Word | None = None
    caller: PersonRef | None = None
    ci: CiRef | None = None
    service: CiRef | None = None
    group: GroupRef | None = None
    source: SourceName = None


KEPT: Any = None  # of a member that null cannot clear: left out, it keeps its value


class Changes(Arguments):
    """Fields to change; null clears one."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names no field to change")
        return self


class IncidentChanges(Changes):
    """Fields to change; null clears one."""

    title: Title = KEPT
    description: Body | None = None
    state: Literal["new", "in_progress", "on_hold"] = KEPT
    hold_reason: Annotated[
        Literal["caller", "problem", "vendor", "change"] | None, Field(description="With on_hold.")
    ] = None
    impact: Literal["high", "medium", "low"] | None = None
    urgency: Literal["high", "medium", "low"] | None = None
    category: Word | None = None
    subcategory: Word | None = None
    caller: PersonRef | None = None
    ci: CiRef | None = None
    service: CiRef | None = None
    due_at: Moment = None


class IncidentUpdate(Write):
    ref: IncidentRef
    changes: Annotated[IncidentChanges, Field(json_schema_extra={"minProperties": 1})]
    expected_version: Version = None


class IncidentAddNote(Write):
    ref: IncidentRef
    text: Body
    visibility: Annotated[
        Literal["public", "internal"], Field(description="public is seen (often mailed) by the caller.")
    ]


class IncidentResolve(Write):
    ref: IncidentRef
    close_code: Literal[
        "fixed",
        "workaround",
        "known_error",
        "duplicate",
        "user_error",
        "not_reproducible",
        "by_caller",
        "by_change",
        "by_problem",
    ]
    close_notes: Body
    expected_version: Version = None


class IncidentAssign(Write):
    ref: IncidentRef
    group: GroupRef | None = None
    assignee: PersonRef | None = None
    expected_version: Version = None

    @model_validator(mode="after")
    def _someone(self) -> IncidentAssign:
        if self.group is None and self.assignee is None:
            raise ValueError("needs group or assignee")
        return self

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["group"], "properties": {"group": {"type": "string"}}},
                {"required": ["assignee"], "properties": {"assignee": {"type": "string"}}},
            ]
        },
    )


class IncidentReopen(Write):
    ref: IncidentRef
    expected_version: Version = None
