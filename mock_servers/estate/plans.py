"""What the planter does to rows one by one: which fit, how many, and what becomes of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

from mock_servers.estate.assumptions import (
    CLASS_OS,
    DAY,
    ENDED,
    MATRIX,
    NEEDS_CI,
    RECOMMENDED,
    REQUIRED,
    TAXONOMY,
    VARIANTS,
    max_age,
)
from mock_servers.estate.model import Ci, Incident

Changes = dict[str, Any]

Row = TypeVar("Row", Ci, Incident)


@dataclass(frozen=True, slots=True)
class Plan(Generic[Row]):
    """Spoil ``per_mille`` of the rows that fit: at least two of them, if so many fit."""

    code: str
    reason: str
    per_mille: float
    fits: Callable[[Row], bool]
    change: Callable[[Row, Random, int], Changes]
    fields: tuple[str, ...]
    collateral: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def _put(**changes: Any) -> Callable[[Any, Random, int], Changes]:
    return lambda row, rng, as_of: changes


def _any(field: str, *values: str) -> Callable[[Any, Random, int], Changes]:
    return lambda row, rng, as_of: {field: rng.choice(values)}


# -- configuration items --------------------------------------------------------------------------------------------


def _live_discovered(ci: Ci) -> bool:
    return ci.status == "live" and ci.last_seen_at is not None and max_age(ci.cls) is not None


def _unseen_for_long(ci: Ci, rng: Random, as_of: int) -> Changes:
    """Half of them were edited by a person since: an edit is no sighting."""
    seen = as_of - rng.randint(65, 400) * DAY
    edited = rng.random() < 0.5
    return {
        "last_seen_at": seen,
        "first_seen_at": min(ci.first_seen_at or seen, seen - 30 * DAY),
        "created_at": min(ci.created_at, seen - 31 * DAY),
        "installed_at": min(ci.installed_at, seen - 32 * DAY),
        "updated_at": as_of - rng.randint(1, 20) * DAY if edited else seen + 60,
        "updated_by": "cmdb.import" if edited else "discovery",
    }


def _never_seen(ci: Ci, rng: Random, as_of: int) -> Changes:
    return {
        "last_seen_at": None,
        "first_seen_at": None,
        "discovery_source": "Manual Entry",
        "created_by": "cmdb.import",
        "updated_by": "cmdb.import",
    }


def _seen_lately(ci: Ci, rng: Random, as_of: int) -> Changes:
    seen = as_of - rng.randint(DAY, 10 * DAY)
    return {"status": "retired", "operational_status": "retired", "last_seen_at": seen, "updated_at": seen + 60}


def _quiet(status: str) -> Callable[[Ci, Random, int], Changes]:
    """Operational in one column, ``status`` in the other; not seen lately, so that this is all that is wrong."""

    def change(ci: Ci, rng: Random, as_of: int) -> Changes:
        found: Changes = {"status": status, "operational_status": "operational"}
        if ci.last_seen_at is not None:
            found["last_seen_at"] = seen = as_of - rng.randint(35, 55) * DAY
            found["updated_at"] = seen + 60
        return found

    return change


def _hardware(ci: Ci) -> bool:
    return bool(ci.asset_tag)


def _requiring(field: str) -> Callable[[Ci], bool]:
    return lambda ci: field in REQUIRED.get(ci.cls, ())


_MISSING_SERIAL = (("CI-MISS-REQ", "missing", ("serial",)),)

CI_PLANS: tuple[Plan[Ci], ...] = (
    Plan("CI-STALE", "stale", 16, _live_discovered, _unseen_for_long, ("last_seen_at",)),
    Plan("CI-STALE", "never_seen", 5, _live_discovered, _never_seen, ("last_seen_at",)),
    Plan("CI-MISS-REQ", "missing", 8, _requiring("support_group"), _put(support_group=None), ("support_group",)),
    Plan("CI-MISS-REQ", "missing", 15, _requiring("assigned_to"), _put(assigned_to=None), ("assigned_to",)),
    Plan("CI-MISS-REQ", "missing", 10, _requiring("serial"), _put(serial=""), ("serial",)),
    Plan("CI-MISS-REQ", "missing", 4, _requiring("os"), _put(os="", os_version=""), ("os",)),
    Plan(
        "CI-PLACEHOLDER",
        "placeholder",
        8,
        _requiring("serial"),
        _any("serial", "To be filled by O.E.M.", "System Serial Number", "0"),
        ("serial",),
        _MISSING_SERIAL,
    ),
    Plan(
        "CI-PLACEHOLDER",
        "placeholder",
        6,
        lambda ci: _hardware(ci) and "serial" not in REQUIRED.get(ci.cls, ()),
        _any("serial", "To be filled by O.E.M.", "Default string", "XXXXXXXX", "N/A"),
        ("serial",),
    ),
    Plan("CI-PLACEHOLDER", "placeholder", 4, _hardware, _any("asset_tag", "N/A", "0", "tbd"), ("asset_tag",)),
    Plan("CI-PLACEHOLDER", "placeholder", 3, lambda ci: bool(ci.mac), _put(mac="00:00:00:00:00:00"), ("mac",)),
    Plan("CI-PLACEHOLDER", "placeholder", 3, lambda ci: ci.cls == "computer", _put(os="Unknown"), ("os",)),
    Plan("CI-PLACEHOLDER", "placeholder", 2, lambda ci: bool(ci.fqdn), _put(fqdn="localhost.localdomain"), ("fqdn",)),
    Plan(
        "CI-STATUS-CONTRA",
        "retired_seen",
        5,
        _live_discovered,
        _seen_lately,
        ("status", "operational_status", "last_seen_at"),
    ),
    Plan(
        "CI-STATUS-CONTRA",
        "retired_operational",
        4,
        lambda ci: ci.status == "live" and ci.cls != "service",
        _quiet("retired"),
        ("status", "operational_status"),
    ),
    Plan(
        "CI-STATUS-CONTRA",
        "in_stock_operational",
        4,
        lambda ci: ci.status == "live" and _hardware(ci),
        _quiet("in_stock"),
        ("status", "operational_status"),
    ),
    Plan(
        "CI-CLASS",
        "os",
        4,
        lambda ci: ci.form in CLASS_OS,
        lambda ci, rng, as_of: {
            "os": "Windows Server 2016" if ci.form == "linux_server" else "Linux Red Hat Enterprise"
        },
        ("os",),
    ),
)


# -- incidents ------------------------------------------------------------------------------------------------------


def _ended(ticket: Incident) -> bool:
    return ticket.state in ENDED


def _closed(ticket: Incident) -> bool:
    return ticket.state == "closed"


def _other_priority(ticket: Incident, rng: Random, as_of: int) -> Changes:
    right = MATRIX[ticket.impact, ticket.urgency]
    return {"priority": rng.choice([p for p in ("p1", "p2", "p3", "p4", "p5") if p != right])}


def _resolved_before_opened(ticket: Incident, rng: Random, as_of: int) -> Changes:
    return {"resolved_at": ticket.opened_at - rng.randint(600, 5 * DAY)}


def _closed_before_resolved(ticket: Incident, rng: Random, as_of: int) -> Changes:
    assert ticket.resolved_at is not None
    return {"closed_at": rng.randint(ticket.opened_at, ticket.resolved_at - 60)}


def _resolved_in_future(ticket: Incident, rng: Random, as_of: int) -> Changes:
    return {"state": "resolved", "resolved_at": as_of + rng.randint(2, 300) * DAY, "closed_at": None, "closed_by": None}


def _other_subcategory(ticket: Incident, rng: Random, as_of: int) -> Changes:
    fit = TAXONOMY[ticket.category]
    return {"subcategory": rng.choice(sorted({s for subs in TAXONOMY.values() for s in subs} - set(fit)))}


TICKET_PLANS: tuple[Plan[Incident], ...] = (
    Plan("TKT-PRIO", "differs", 25, lambda t: True, _other_priority, ("priority",)),
    Plan("TKT-CLOSE", "code", 12, _ended, _put(close_code=""), ("close_code",)),
    Plan("TKT-CLOSE", "notes", 15, _ended, _put(close_notes=""), ("close_notes",)),
    Plan("TKT-CLOSE", "resolved_time", 15, _closed, _put(resolved_at=None), ("resolved_at",)),
    Plan(
        "TKT-TIME",
        "resolved_before_opened",
        6,
        _closed,
        _resolved_before_opened,
        ("opened_at", "resolved_at"),
    ),
    Plan("TKT-TIME", "closed_before_resolved", 5, _closed, _closed_before_resolved, ("resolved_at", "closed_at")),
    Plan("TKT-TIME", "future", 4, _closed, _resolved_in_future, ("resolved_at",)),
    Plan(
        "TKT-CAT-UNKNOWN",
        "unknown",
        8,
        lambda t: True,
        _any("category", "Sonstiges", "misc", "Software / Anwendung"),
        ("category",),
        (("TKT-SUBCAT", "not_of_category", ("category", "subcategory")),),
    ),
    Plan("TKT-CAT-UNKNOWN", "missing", 6, lambda t: True, _put(category="", subcategory=""), ("category",)),
    Plan("TKT-SUBCAT", "not_of_category", 12, lambda t: True, _other_subcategory, ("category", "subcategory")),
    Plan("TKT-SUBCAT", "missing", 12, lambda t: True, _put(subcategory=""), ("subcategory",)),
)

# -- what came later: drawn after everything above, which therefore stays as it was ------------------------------------


def _variant(ticket: Incident, rng: Random, as_of: int) -> Changes:
    return {"category": rng.choice(VARIANTS[ticket.category])}


LATER_CI_PLANS: tuple[Plan[Ci], ...] = (
    Plan(
        "CI-MISS-REC",
        "missing",
        15,
        lambda ci: "owner" in RECOMMENDED.get(ci.cls, ()),
        _put(owner=None),
        ("owner",),
    ),
)

LATER_TICKET_PLANS: tuple[Plan[Incident], ...] = (
    Plan(
        "TKT-CAT-CANON",
        "variant",
        12,
        lambda t: t.category in VARIANTS,
        _variant,
        ("category",),
        (("TKT-SUBCAT", "not_of_category", ("category", "subcategory")),),
    ),
    Plan("TKT-NO-CI", "missing", 15, lambda t: t.category in NEEDS_CI, _put(ci=None), ("ci",)),
)
