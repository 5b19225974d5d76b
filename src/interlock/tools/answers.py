"""What is in ``data`` of the tools that do not answer with a plain record."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from interlock.records.ci import Ci, RelationType
from interlock.records.incident import Incident
from interlock.records.models import INSTANT, Contract
from interlock.records.people import Group, Person
from interlock.tools.envelope import Standing


class Row(Contract):
    """What a row of a list adds to its record."""

    standing: Standing = Field(description="Quality in a word.")
    flags: list[str] = Field(default=[], description="Codes of the flags raised.")
    age_s: int = Field(ge=0, description="Age of the answer in seconds.")


class IncidentRow(Row, Incident):
    """An incident in a list."""


class CiRow(Row, Ci):
    """A CI in a list."""


class PersonRow(Row, Person):
    """A person in a list."""


class GroupRow(Row, Group):
    """A group in a list."""


class RelatedOut(Contract):
    """One relation, seen from the CI that was asked about."""

    type: RelationType
    native_type: str | None = None
    direction: Literal["needs", "needed_by"]
    ci: CiRow | None = Field(description="The CI at the other end; null when you may not read it.")


class ChoiceOut(Contract):
    """One value a field may take in a source."""

    value: str = Field(description="Pass this: the contract's word when there is one, else the source's own.")
    label: str
    native: str
    depends_on: str | None = None


class WhoamiOut(Contract):
    """The calling agent as the gateway knows it."""

    id: str
    owner: str | None = None
    purpose: str | None = None
    stage: Literal["shadow", "reviewed", "autonomous"]
    tools: list[str]
    scopes: dict[str, Any] = Field(description="Per kind: the filter that bounds what you read, and hidden fields.")
    budgets: dict[str, int | None]


class ToolOut(Contract):
    """All there is to know of one tool."""

    name: str
    title: str
    description: str
    effect: Literal["read", "write", "destructive"]
    input: dict[str, Any]
    output: dict[str, Any]
    errors: list[str]
    gates: dict[str, str] = Field(description="Flags that hold or refuse this tool.")


class SourceOut(Contract):
    """One source: what it holds and how it is."""

    name: str
    product: str
    environment: str
    kinds: list[str]
    capabilities: dict[str, Any]
    health: dict[str, Any]
    observed_at: str | None = Field(default=None, pattern=INSTANT)
