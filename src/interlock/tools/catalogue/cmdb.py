"""Tools for configuration items and their relations: what they take and say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interlock.records.ci import Ci, Relationship
from interlock.tools import arguments as a
from interlock.tools.answers import CiAnswer, CiRow, ImpactOut, RelatedOut
from interlock.tools.arguments import KEPT, Body, Changes, CiRef, GroupRef, PersonRef, SourceName, Version, Word, Write
from interlock.tools.catalogue.tool import UNSURE_PATHS, Path, Tool, WriteSpec

Class = Literal[
    "server",
    "virtual_machine",
    "computer",
    "mainframe",
    "network_device",
    "firewall",
    "load_balancer",
    "storage",
    "database",
    "application",
    "web_server",
    "middleware",
    "cluster",
    "container",
    "cloud_resource",
    "software",
    "service",
    "service_offering",
    "business_application",
    "printer",
    "mobile_device",
    "peripheral",
    "ups",
    "rack",
    "location",
    "network_adapter",
    "disk",
    "certificate",
    "other",
]
Status = Literal["planned", "ordered", "in_stock", "live", "maintenance", "repair", "retired", "stolen", "missing"]
Operation = Literal["operational", "non_operational", "repair", "standby", "ready", "retired", "pipeline", "catalog"]
Environment = Literal["production", "staging", "test", "development", "training", "recovery"]
Criticality = Literal["critical", "high", "medium", "low"]
Relation = Literal[
    "depends_on",
    "runs_on",
    "hosted_on",
    "contains",
    "member_of",
    "connects_to",
    "uses",
    "manages",
    "provides",
    "powered_by",
    "exchanges_data_with",
]


class CiCreate(Write):
    cls: Annotated[Class, Field(description="Its class.")]
    name: Word
    status: Status | None = None
    operational_status: Operation | None = None
    environment: Environment | None = None
    criticality: Criticality | None = None
    serial: Word | None = None
    asset_tag: Word | None = None
    fqdn: Word | None = None
    ip: Word | None = None
    mac: Word | None = None
    cloud_id: Word | None = None
    os: Word | None = None
    os_version: Word | None = None
    vendor: Word | None = None
    model: Word | None = None
    location: Word | None = None
    category: Word | None = None
    owner: PersonRef | None = None
    assigned_to: PersonRef | None = None
    support_group: GroupRef | None = None
    source: SourceName = None


class CiChanges(Changes):
    """Fields to change; null clears one."""

    name: Word = KEPT
    cls: Class = KEPT
    status: Status = KEPT
    operational_status: Operation | None = None
    environment: Environment | None = None
    criticality: Criticality | None = None
    serial: Word | None = None
    asset_tag: Word | None = None
    fqdn: Word | None = None
    ip: Word | None = None
    mac: Word | None = None
    cloud_id: Word | None = None
    os: Word | None = None
    os_version: Word | None = None
    vendor: Word | None = None
    model: Word | None = None
    location: Word | None = None
    category: Word | None = None
    owner: PersonRef | None = None
    assigned_to: PersonRef | None = None
    support_group: GroupRef | None = None


class CiUpdate(Write):
    ref: CiRef
    changes: Annotated[CiChanges, Field(json_schema_extra={"minProperties": 1})]
    expected_version: Version = None


class CiRelate(Write):
    subject: Annotated[CiRef, Field(description="Read as a sentence: subject, type, object (web01 runs_on vm12).")]
    type: Relation
    object: CiRef


class CiAttest(Write):
    ref: CiRef
    comment: Annotated[Body | None, Field(description="What was looked at; the person who decides reads it.")] = None
    expected_version: Version = None


CMDB: tuple[Tool, ...] = (
    Tool(
        "ci_search",
        "Find configuration items",
        "Find configuration items (servers, services, applications...) by filter and text.",
        "read",
        "ci",
        a.CiSearch,
        list[CiRow],
    ),
    Tool(
        "ci_get",
        "Read a configuration item",
        "Read one CI with its quality. Do not act on a CI that is flagged: its owner, address or system may be wrong.",
        "read",
        "ci",
        a.CiGet,
        CiAnswer,
    ),
    Tool(
        "ci_related",
        "Read relations of a CI",
        "One step of relations of a CI, both ways, with the CI at the other end.",
        "read",
        "ci",
        a.CiRelated,
        list[RelatedOut],
    ),
    Tool(
        "ci_impact",
        "Find what depends on a CI",
        "What depends on a CI, by distance, with the oldest evidence and the flags on each path. Look before a change; "
        "when complete is false, more may depend on it.",
        "read",
        "ci",
        a.CiImpact,
        ImpactOut,
    ),
    Tool(
        "ci_create",
        "Add a configuration item",
        "Add a CI. The source identifies it first: one that is already there is named, never made twice.",
        "write",
        "ci",
        CiCreate,
        Ci,
        WriteSpec("create", tuple(name for name in CiCreate.model_fields if name in CiChanges.model_fields)),
    ),
    Tool(
        "ci_update",
        "Change a configuration item",
        "Change fields of a CI. The source's own rules may keep a field to another data source; the receipt says so.",
        "write",
        "ci",
        CiUpdate,
        Ci,
        WriteSpec("update", ("changes",), path=Path(UNSURE_PATHS, frozenset({"status", "operational_status"}))),
    ),
    Tool(
        "ci_relate",
        "Relate two configuration items",
        "Say that one CI depends on, runs on, uses... another of the same source.",
        "write",
        "relationship",
        CiRelate,
        Relationship,
        WriteSpec("create", ("type", "subject", "object"), beside="subject"),
    ),
    Tool(
        "ci_attest",
        "Confirm a configuration item",
        "Ask a person to confirm that a CI is as its record says. It lifts staleness, so a person always decides.",
        "write",
        "ci",
        CiAttest,
        Ci,
        WriteSpec(
            "update", stamps=("attested_at",), person="an attestation is a person's word, and lifts what holds others"
        ),
    ),
)
