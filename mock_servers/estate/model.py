"""The rows of the synthetic enterprise, in no product's shape.

Attribute names are the canonical field names of ``interlock.records`` where there is one, and enum values are
the canonical words. Times are whole epoch seconds, UTC; None means the field is empty. References hold ``id``s.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

SMALLEST = 200
"""Fewest CIs an estate can have: below, not every class would be there."""


def ident(seed: int, kind: str, key: int | str) -> str:
    """32 hex digits, the same on every machine and in every process."""
    return hashlib.blake2b(f"{seed}/{kind}/{key}".encode(), digest_size=16).hexdigest()


def dice(seed: int, purpose: str) -> random.Random:
    """Randomness of its own for each purpose, so that a change to one part leaves the others as they were."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - synthetic data, not cryptography


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. Make one with ``Size.of``."""

    cis: int
    incidents: int
    people: int

    @classmethod
    def of(cls, cis: int, incidents: int | None = None, people: int | None = None) -> Size:
        """Half as many incidents as CIs, and 3 people for 10 CIs, unless told. Raises ValueError."""
        if cis < SMALLEST:
            raise ValueError(f"size {cis} is too small: an estate has at least {SMALLEST} CIs")
        if incidents is not None and incidents < 100:
            raise ValueError(f"incidents {incidents} is too few: an estate has at least 100")
        if people is not None and people < 60:
            raise ValueError(f"people {people} is too few: an estate has at least 60")
        return cls(
            cis,
            cis // 2 if incidents is None else incidents,
            max(60, cis * 3 // 10) if people is None else people,
        )


@dataclass(frozen=True, slots=True)
class Site:
    """A place with its time zone; ``offset_h`` is the winter offset that working hours are drawn with."""

    id: str
    code: str
    name: str
    street: str
    city: str
    country: str
    region: str
    zone: str
    offset_h: int
    language: str


@dataclass(frozen=True, slots=True)
class Company:
    id: str
    name: str
    vendor: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A model that a vendor sells."""

    id: str
    name: str
    number: str
    company: str
    form: str


@dataclass(frozen=True, slots=True)
class Department:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    user_name: str
    first_name: str
    last_name: str
    email: str
    title: str
    department: str
    site: str
    manager: str | None
    active: bool
    vip: bool
    created_at: int
    updated_at: int

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    name: str
    description: str
    email: str
    manager: str
    duty: str
    region: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Membership:
    id: str
    group: str
    person: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Ci:
    """A configuration item. ``form`` is finer than ``cls``: ``oracle_instance`` is a ``database``."""

    id: str
    name: str
    cls: str
    form: str
    status: str
    operational_status: str
    environment: str
    criticality: str
    serial: str
    asset_tag: str
    fqdn: str
    ip: str
    mac: str
    os: str
    os_version: str
    cpus: int
    ram_mb: int
    disk_gb: int
    vendor: str | None
    model: str | None
    site: str
    category: str
    subcategory: str
    description: str
    owner: str | None
    assigned_to: str | None
    support_group: str | None
    department: str | None
    discovery_source: str
    first_seen_at: int | None
    last_seen_at: int | None
    attested_at: int | None
    attested_by: str | None
    installed_at: int
    warranty_until: int | None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    version: int
    parent: str | None
    patch_window: str  # a site's own field


@dataclass(frozen=True, slots=True)
class Relation:
    """A sentence: subject, type, object (``web01 runs_on vm12``)."""

    id: str
    subject: str
    type: str
    object: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Incident:
    id: str
    number: str
    title: str
    description: str
    state: str
    hold_reason: str
    impact: str
    urgency: str
    priority: str
    category: str
    subcategory: str
    channel: str
    service: str | None
    offering: str | None
    ci: str | None
    caller: str
    opened_by: str
    assignee: str | None
    group: str
    parent: str | None
    site: str
    opened_at: int
    created_at: int
    updated_at: int
    updated_by: str
    due_at: int | None
    resolved_at: int | None
    resolved_by: str | None
    closed_at: int | None
    closed_by: str | None
    close_code: str
    close_notes: str
    reopen_count: int
    reassignment_count: int
    external_id: str
    version: int
    region: str  # a site's own fields from here on
    vendor_ticket: str

    @property
    def active(self) -> bool:
        return self.state not in ("closed", "cancelled")


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    incident: str
    visibility: str
    text: str
    author: str  # account name
    created_at: int


@dataclass(frozen=True, slots=True)
class Defect:
    """One finding that was planted, written down by the planter; ``collateral`` when it follows from another.

    ``record`` is the id of the row of ``kind`` (ci, incident, relationship); ``fields`` are canonical names.
    """

    code: str
    reason: str
    kind: str
    record: str
    label: str
    fields: tuple[str, ...]
    collateral: bool = False


@dataclass(frozen=True, slots=True)
class Estate:
    """One enterprise; equal seed, size and as_of give an equal estate, byte for byte."""

    seed: int
    size: Size
    as_of: int
    sites: tuple[Site, ...]
    companies: tuple[Company, ...]
    products: tuple[Product, ...]
    departments: tuple[Department, ...]
    people: tuple[Person, ...]
    groups: tuple[Group, ...]
    memberships: tuple[Membership, ...]
    cis: tuple[Ci, ...]
    relations: tuple[Relation, ...]
    incidents: tuple[Incident, ...]
    notes: tuple[Note, ...]
    defects: tuple[Defect, ...]
