"""What is in ``data`` of the tools that do not answer with a plain record."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from interlock.records.alert import Alert
from interlock.records.article import Article
from interlock.records.asset import Asset
from interlock.records.change import Change
from interlock.records.ci import Ci, RelationType
from interlock.records.incident import Incident
from interlock.records.models import INSTANT, Contract
from interlock.records.people import Group, Person
from interlock.records.problem_record import ProblemRecord
from interlock.records.request import Request
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


class ChangeRow(Row, Change):
    """A change in a list."""


class ProblemRow(Row, ProblemRecord):
    """A problem in a list."""


class ArticleRow(Row, Article):
    """An article in a list."""


class AlertRow(Row, Alert):
    """An alert in a list."""


class AssetRow(Row, Asset):
    """An asset in a list."""


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


class ListedFlag(Contract):
    """What a check found on a record that you may read."""

    ref: str
    code: str
    severity: Literal["high", "medium", "low", "info"]
    status: Literal["open", "acknowledged", "assigned", "waived", "resolved"] = Field(
        description="waived and resolved ones stop nothing."
    )
    reason: str = Field(description="What is wrong, in a word or several with commas.")
    evidence: str | None = Field(default=None, description="Left out when it tells what you may not read.")
    lifts: str | None = Field(default=None, description="What ends it.")
    first_at: str = Field(pattern=INSTANT)
    last_at: str = Field(pattern=INSTANT)
    waived_until: str | None = Field(default=None, pattern=INSTANT)


class WhoamiOut(Contract):
    """The calling agent as the gateway knows it."""

    id: str
    owner: str | None = None
    purpose: str | None = None
    stage: Literal["shadow", "reviewed", "autonomous"]
    tools: list[str]
    unlisted: list[str] = Field(default=[], description="Of these, the ones a tool list leaves out; call them alike.")
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


Proof = Literal["field", "adapter", "match", "fields", "marker", "unfindable"]


class KindCapabilities(Contract):
    """What a source can do with one kind. Of a write: how one whose answer was lost is found again.

    What is left out, the source does not take.
    """

    read: int = Field(default=0, description="Fields that can be read.")
    search: int = Field(default=0, description="Fields that the source itself searches by; others are checked here.")
    create: Proof | None = None
    update: Proof | None = None
    note: Proof | None = None


class CapabilitiesOut(Contract):
    """What a source can do. What is left out, it cannot."""

    kinds: dict[str, KindCapabilities] = {}
    offers: list[str] = Field(default=[], description="What there is besides records, such as slas or catalog.")
    version: Literal["field", "etag"] | None = Field(default=None, description="How a record's version is known.")
    correlate: str | None = Field(default=None, description="The field that holds our key after a create.")
    harvest: str | None = Field(default=None, description="The field by which changes are found.")
    journal: bool = Field(default=False, description="Whether notes can be read.")
    choices: bool = Field(default=False, description="Whether lists of values can be read: taxonomy_values.")
    settle_s: float = Field(default=0, description="After so many seconds a lost write has arrived or never will.")


class SourceOut(Contract):
    """One source: what it holds and how it is."""

    name: str
    product: str
    environment: str
    kinds: list[str]
    capabilities: CapabilitiesOut
    ext: dict[str, list[dict[str, Any]]] = {}
    health: dict[str, Any]
    observed_at: str | None = Field(default=None, pattern=INSTANT)


class ApproverOut(Contract):
    """What one approver said; only people approve, in the source itself."""

    approver: str | None
    state: Literal["requested", "approved", "rejected", "cancelled", "not_required"]
    at: str | None = Field(default=None, pattern=INSTANT)
    comment: str | None = Field(default=None, json_schema_extra={"x-untrusted": True})


class ChangeAnswer(Change):
    """A change with what its source says of it now. A member is left out where the source cannot tell."""

    next_states: list[str] | None = Field(default=None, description="States it may go to now: change_transition.")
    approvals: list[ApproverOut] | None = None


class WindowOut(Contract):
    """When a change is planned; null where that is not said."""

    start_at: str | None = Field(pattern=INSTANT)
    end_at: str | None = Field(pattern=INSTANT)


class ConflictOut(Contract):
    """One thing that speaks against a window."""

    kind: Literal["same_ci", "blackout", "maintenance", "other"]
    change: ChangeRow | None = Field(description="The other change; null when there is none, or you may not read it.")
    ci: str | None = Field(default=None, description="Ref of the CI, when you may read it.")
    start_at: str | None = Field(default=None, pattern=INSTANT)
    end_at: str | None = Field(default=None, pattern=INSTANT)
    detail: str | None = Field(default=None, json_schema_extra={"x-untrusted": True})
    found_by: Literal["source", "gateway"]


class ConflictsOut(Contract):
    """What speaks against a change's window."""

    window: WindowOut
    conflicts: list[ConflictOut]
    native_status: str | None = Field(default=None, description="The source's own word, when it checks itself.")


class CatalogRow(Contract):
    """Something that can be ordered."""

    item: str = Field(description="Pass to catalog_item and request_order.")
    name: str
    description: str | None = Field(default=None, json_schema_extra={"x-untrusted": True})
    category: str | None = None
    price: str | None = None


class CatalogItemOut(CatalogRow):
    """A catalogue item with what ordering it asks for."""

    variables: dict[str, Any] = Field(description="JSON Schema of variables of request_order.")


class OrderItemOut(Contract):
    """One line of an order, in the source's words."""

    number: str
    name: str | None = None
    state: str | None = None
    stage: str | None = None
    quantity: int | None = None
    due_at: str | None = Field(default=None, pattern=INSTANT)


class RequestAnswer(Request):
    """An order with its lines and approvals. A member is left out where the source cannot tell."""

    items: list[OrderItemOut] | None = None
    approvals: list[ApproverOut] | None = None


class SlaOut(Contract):
    """One clock that runs on a ticket."""

    name: str
    stage: Literal["in_progress", "paused", "completed", "cancelled", "breached"]
    breached: bool | None = None
    started_at: str | None = Field(default=None, pattern=INSTANT)
    due_at: str | None = Field(default=None, pattern=INSTANT)
    ended_at: str | None = Field(default=None, pattern=INSTANT)
    percentage: float | None = Field(default=None, description="Of the allowed time, as the source counts it.")


class AttachmentOut(Contract):
    """A file that is attached to a record."""

    id: str
    name: str = Field(json_schema_extra={"x-untrusted": True})
    content_type: str | None = None
    size: int | None = Field(default=None, ge=0, description="Bytes.")
    created_at: str | None = Field(default=None, pattern=INSTANT)
    author: str | None = None


class FileOut(AttachmentOut):
    """A file, or its beginning."""

    text: str | None = Field(default=None, json_schema_extra={"x-untrusted": True})
    base64: str | None = None
    truncated: bool = False


class SameAsOut(Contract):
    """A CI of another source with a key in common."""

    ref: str
    by: list[str] = Field(description="Keys that agree, the strongest first.")
    contradicts: list[str] = Field(default=[], description="Keys that speak against it.")
    same: bool = Field(description="False: a weaker key agrees, a stronger one contradicts. Let a person look.")
    age_s: int = Field(ge=0, description="So many seconds ago its source said so.")


class DifferenceOut(Contract):
    """A field for which sources contradict each other."""

    field: str
    values: dict[str, str] = Field(description="What each says, by ref.")


class CiAnswer(Ci):
    """A CI, with what other sources say of the same thing; left out where only one source holds CIs."""

    same_as: list[SameAsOut] | None = None
    conflicts: list[DifferenceOut] | None = None


class WeakestOut(Contract):
    """The oldest evidence on a path: when a CI was last seen or confirmed, or a relation last written."""

    ref: str
    age_s: int = Field(ge=0)


class ImpactNode(Contract):
    """A CI that depends on the one that was asked about."""

    ref: str
    name: str | None = None
    cls: str | None = None
    environment: str | None = None
    criticality: str | None = None
    distance: int = Field(ge=1)
    via: list[str] = Field(description="Refs from the CI asked about to this one, both left out.")
    relation: str = Field(description="Type of the last relation of the path.")
    weakest: WeakestOut | None = Field(default=None, description="Null: nothing on the path says how old it is.")
    standing: Standing = Field(description="The worst on the path.")
    flags: list[str] = Field(default=[], description="Codes raised on the path.")
    same_as: list[str] = Field(default=[], description="Refs of the same CI in other sources.")


class ImpactSummary(Contract):
    """The whole in numbers."""

    count: int
    standing: Standing = Field(description="The worst among them; of none, trusted.")
    by_class: dict[str, int] = {}
    by_distance: dict[str, int] = {}
    by_criticality: dict[str, int] = {}
    by_environment: dict[str, int] = {}


class ImpactOut(Contract):
    """What depends on a CI, nearest first; services and business applications before others."""

    ref: str
    nodes: list[ImpactNode]
    summary: ImpactSummary
    complete: bool = Field(description="False: a bound was met or a source did not answer; more may depend on it.")
    not_followed: list[str] = Field(default=[], description="Refs behind which was not looked.")
    sources: list[str] = Field(description="Sources whose relations were followed.")
    failed: list[str] = Field(default=[], description="Sources that did not answer, wholly or in part.")
