"""The configuration item and the relationship between two (CMDB)."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field

CLASSES = (
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
)
STATUSES = ("planned", "ordered", "in_stock", "live", "maintenance", "repair", "retired", "stolen", "missing")
OPERATIONS = (
    "operational",
    "non_operational",
    "repair",
    "standby",
    "ready",
    "retired",
    "pipeline",
    "catalog",
)
ENVIRONMENTS = ("production", "staging", "test", "development", "training", "recovery")
CRITICALITIES = ("critical", "high", "medium", "low")

CiClass = Literal[
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
    "unmapped",
]
CiStatus = Literal[
    "planned",
    "ordered",
    "in_stock",
    "live",
    "maintenance",
    "repair",
    "retired",
    "stolen",
    "missing",
    "unmapped",
]
OperationalStatus = Literal[
    "operational",
    "non_operational",
    "repair",
    "standby",
    "ready",
    "retired",
    "pipeline",
    "catalog",
    "unmapped",
]
Environment = Literal["production", "staging", "test", "development", "training", "recovery", "unmapped"]
Criticality = Literal["critical", "high", "medium", "low", "unmapped"]

RELATION_TYPES = (
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
)
RelationType = Literal[
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
    "unmapped",
]


class Ci(Record):
    """A configuration item."""

    name: str | None = field("text", "Its name; not an identity.", sortable=True)
    cls: CiClass | None = field("enum", "Its class.", values=CLASSES, sortable=True)
    native_class: str | None = field("word", "The source's own class.", writable=False)
    status: CiStatus | None = field("enum", "Where it is in its life.", values=STATUSES)
    operational_status: OperationalStatus | None = field(
        "enum", "Whether it works; independent of status in many sources.", values=OPERATIONS
    )
    environment: Environment | None = field("enum", "What it is used for.", values=ENVIRONMENTS)
    criticality: Criticality | None = field("enum", "How much depends on it.", values=CRITICALITIES)
    serial: str | None = field("word", "Serial number.")
    asset_tag: str | None = field("word", "Asset tag.")
    fqdn: str | None = field("word", "Fully qualified domain name.")
    ip: str | None = field("word", "Main IP address.")
    mac: str | None = field("word", "MAC address.")
    cloud_id: str | None = field("word", "The id its cloud provider gave it.")
    os: str | None = field("text", "Operating system.")
    os_version: str | None = field("word", "Version of the operating system.")
    vendor: str | None = field("text", "Maker.")
    model: str | None = field("text", "Model.")
    location: str | None = field("text", "Where it stands.")
    category: str | None = field("word", "The source's own category.")
    owner: Link | None = field("ref", "Who owns it.", refers=("person",))
    assigned_to: Link | None = field("ref", "Who uses it.", refers=("person",))
    support_group: Link | None = field("ref", "The group that supports it.", refers=("group",))
    discovery_source: str | None = field("word", "What last saw it.", writable=False)
    first_seen_at: str | None = field("instant", "When discovery first saw it.", writable=False, sortable=True)
    last_seen_at: str | None = field("instant", "When discovery last saw it.", writable=False, sortable=True)
    attested_at: str | None = field("instant", "When a person last confirmed it.", writable=False)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)


class Relationship(Record):
    """One relation, read as a sentence: subject, type, object (``web01 runs_on vm12``)."""

    type: RelationType | None = field("enum", "What the subject does to the object.", values=RELATION_TYPES)
    native_type: str | None = field("word", "The source's own name for the type.", writable=False)
    subject: Link | None = field("ref", "The CI the sentence is about.", refers=("ci",))
    object: Link | None = field("ref", "The CI it relates to.", refers=("ci",))
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    version: str | None = field("version", "Version of the record.", writable=False)
