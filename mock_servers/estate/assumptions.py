"""What the answer key takes for granted: a quality profile made of these finds exactly what was planted.

Plain data in canonical words. Ages are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DAY = 86_400

DEFAULT_AS_OF = 1_793_491_200
"""2026-11-01T00:00:00Z: when nobody says as of when."""

DEFAULT_MAX_AGE_S = 60 * DAY
"""As the default staleness rule of ServiceNow CMDB Health."""

UNDISCOVERED = (
    "service",
    "service_offering",
    "business_application",
    "application",
    "software",
    "location",
    "rack",
    "certificate",
    "peripheral",
    "other",
)
"""Classes that no discovery looks for: no age makes them stale."""

MAX_AGE_S: dict[str, int | None] = dict.fromkeys(UNDISCOVERED)
"""Longest time since the last sighting, where it is not the default; None: never stale."""

RETIRED_SEEN_WITHIN_S = 30 * DAY
"""A retired CI that discovery saw within this time contradicts itself."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "server": ("name", "serial", "os", "support_group"),
    "virtual_machine": ("name", "support_group"),
    "database": ("name", "support_group"),
    "network_device": ("name", "serial", "support_group"),
    "firewall": ("serial",),
    "load_balancer": ("serial",),
    "mainframe": ("serial",),
    "storage": ("name", "serial", "support_group"),
    "computer": ("name", "serial", "assigned_to"),
}
"""Fields that must be filled, by class; a placeholder counts as empty."""

RECOMMENDED: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("server", "database", "service", "business_application"), ("owner",)
)
"""Fields that should be filled, by class."""

PLACEHOLDER_FIELDS = ("name", "serial", "asset_tag", "fqdn", "ip", "mac", "os", "os_version")

JUNK = (
    "-",
    "0",
    "0.0.0.0",  # noqa: S104 - a junk value, not an address to listen on
    "00:00:00:00:00:00",
    "123456789",
    "default string",
    "localhost.localdomain",
    "n/a",
    "none",
    "not specified",
    "null",
    "system serial number",
    "tbd",
    "to be filled by o.e.m.",
    "unknown",
    "xxxxxxxx",
)
"""Words that say nothing, in lower case."""

MATRIX: dict[tuple[str, str], str] = {
    ("high", "high"): "p1",
    ("high", "medium"): "p2",
    ("high", "low"): "p3",
    ("medium", "high"): "p2",
    ("medium", "medium"): "p3",
    ("medium", "low"): "p4",
    ("low", "high"): "p3",
    ("low", "medium"): "p4",
    ("low", "low"): "p5",
}
"""(impact, urgency) to priority: the default of ServiceNow's data lookup."""

ENDED = ("resolved", "closed")
"""States that demand a close code, close notes and a time of resolution; cancelled does not."""

TAXONOMY: dict[str, tuple[str, ...]] = {
    "inquiry": ("antivirus", "email", "internal application", "access", "how to"),
    "software": ("email", "operating system", "office", "sap", "browser"),
    "hardware": ("cpu", "disk", "keyboard", "memory", "monitor", "mouse", "printer", "battery"),
    "network": ("dhcp", "dns", "ip address", "vpn", "wireless", "firewall"),
    "database": ("db2", "sql server", "oracle", "postgresql", "mysql"),
    "fertigung": ("leitstand", "scanner", "waage"),  # this site's own: production
}
"""Category to its subcategories, as stored values."""

SUBCATEGORY_REQUIRED = True
"""A category without a subcategory is a finding; a ticket without a category is only that."""

VARIANTS: dict[str, tuple[str, ...]] = {
    "hardware": ("Hardware", "hardwares"),
    "network": ("NETWORK", "netork"),
    "software": ("sofwtare", "Software "),
    "database": ("databases", "data-base"),
}
"""What some people write for a category: near enough to be told which one is meant."""

NEEDS_CI = ("database", "network")
"""Categories whose tickets are about a CI."""

TICKET_CLASSES: dict[str, tuple[str, ...]] = {
    "database": ("database", "server"),
    "network": ("network_device", "firewall", "computer"),
    "hardware": ("computer", "server", "printer", "peripheral"),
}
"""By category, the classes of CI that its tickets can be about; others can be about any."""

REPEAT_WITHIN_S = DAY
"""The same caller, CI and text again within this time is one matter twice."""

LABELS: dict[str, str] = {
    "inquiry": "Inquiry / Help",
    "fertigung": "Fertigung (Produktion)",
    "cpu": "CPU",
    "sap": "SAP",
    "dhcp": "DHCP",
    "dns": "DNS",
    "vpn": "VPN",
    "db2": "DB2",
    "ip address": "IP Address",
    "sql server": "MS SQL Server",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
}
"""What people see, where it is not the value with capitals."""

RELATED = ("server", "virtual_machine", "database", "network_device", "storage")
"""Classes that need at least one relationship."""

MONITORED = ("server", "network_device", "firewall", "load_balancer")
"""Classes that monitoring has to watch while they are in use."""

NEEDS_ASSET = ("computer", "printer", "firewall", "load_balancer")
"""Classes that somebody bought: there is an asset of each."""

IN_USE = ("live", "maintenance", "repair")
"""Statuses of a CI that serves somebody."""

DEPENDENCIES = ("depends_on", "runs_on", "hosted_on", "uses")
"""Relation types along which a cycle is a defect."""

RELATION_RULES: tuple[tuple[str, str, str], ...] = (
    ("location", "contains", "rack"),
    *(
        ("rack", "contains", cls)
        for cls in ("server", "mainframe", "load_balancer", "firewall", "storage", "network_device")
    ),
    ("rack", "powered_by", "ups"),
    ("server", "member_of", "cluster"),
    ("virtual_machine", "hosted_on", "server"),
    ("server", "hosted_on", "virtual_machine"),
    *(("network_device", "connects_to", cls) for cls in ("network_device", "firewall")),
    *((cls, "connects_to", "network_device") for cls in ("server", "printer")),
    *(("storage", "contains", "storage"), ("server", "uses", "storage"), ("database", "depends_on", "storage")),
    *(("server", "contains", cls) for cls in ("network_adapter", "disk")),
    *((cls, "runs_on", "server") for cls in ("database", "middleware", "web_server", "application")),
    *(("middleware", "depends_on", "database"), ("application", "depends_on", "middleware")),
    ("web_server", "uses", "certificate"),
    ("container", "runs_on", "cluster"),
    *(
        ("service", "depends_on", cls)
        for cls in ("application", "web_server", "database", "load_balancer", "container", "service")
    ),
    ("service", "contains", "service_offering"),
    ("business_application", "uses", "service"),
    ("software", "runs_on", "computer"),
)
"""Class, type, class of every relation that makes sense here."""

CLASS_OS: dict[str, tuple[str, ...]] = {
    "linux_server": ("Linux", "SUSE", "Ubuntu", "Debian"),
    "windows_server": ("Windows",),
}
"""One of these words stands in the operating system of a CI of this form."""


def label(value: str) -> str:
    """The label of a category or subcategory."""
    return LABELS.get(value) or value.title()


def max_age(cls: str) -> int | None:
    """Seconds a CI of this class may go unseen; None for ever."""
    return MAX_AGE_S.get(cls, DEFAULT_MAX_AGE_S)


def profile(source: str, stored: Callable[[str], str] = str) -> dict[str, Any]:
    """The same as a quality profile for the source of this name: what to merge over the product's default.

    ``stored`` is how its product keeps a category: ``label`` where it keeps what people see.
    """
    levels = ("high", "medium", "low")
    return {
        "ci": {
            "max_age": {"default": DEFAULT_MAX_AGE_S, **MAX_AGE_S},
            "requires": {cls: list(fields) for cls, fields in REQUIRED.items()},
            "recommends": {cls: list(fields) for cls, fields in RECOMMENDED.items()},
            "needs_relation": list(RELATED),
            "monitored": list(MONITORED),
            "needs_asset": list(NEEDS_ASSET),
            "junk": list(JUNK),
            "discovered_within_days": RETIRED_SEEN_WITHIN_S // DAY,
        },
        "relation": {"dependencies": list(DEPENDENCIES), "rules": _rules()},
        "incident": {
            "priority": {impact: {urgency: MATRIX[impact, urgency] for urgency in levels} for impact in levels},
            "needs_ci": [stored(category) for category in NEEDS_CI],
            "classes": {stored(category): list(classes) for category, classes in TICKET_CLASSES.items()},
            "repeat_within": REPEAT_WITHIN_S,
            "sources": {
                source: {
                    "categories": [stored(category) for category in TAXONOMY],
                    "pairs": {stored(name): [stored(each) for each in values] for name, values in TAXONOMY.items()},
                    "subcategory_required": SUBCATEGORY_REQUIRED,
                }
            },
        },
    }


def _rules() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for subject, word, target in RELATION_RULES:
        found.setdefault(word, {}).setdefault(subject, []).append(target)
    return found


def as_data(as_of: int) -> dict[str, Any]:
    """All of it as JSON-ready data, to go with an answer key."""
    return {
        "as_of": as_of,
        "default_max_age_s": DEFAULT_MAX_AGE_S,
        "max_age_s": MAX_AGE_S,
        "retired_seen_within_s": RETIRED_SEEN_WITHIN_S,
        "required": REQUIRED,
        "recommended": RECOMMENDED,
        "placeholder_fields": PLACEHOLDER_FIELDS,
        "junk": JUNK,
        "matrix": {f"{impact},{urgency}": p for (impact, urgency), p in MATRIX.items()},
        "ended": ENDED,
        "taxonomy": TAXONOMY,
        "subcategory_required": SUBCATEGORY_REQUIRED,
        "needs_ci": NEEDS_CI,
        "ticket_classes": TICKET_CLASSES,
        "repeat_within_s": REPEAT_WITHIN_S,
        "related": RELATED,
        "monitored": MONITORED,
        "needs_asset": NEEDS_ASSET,
        "dependencies": DEPENDENCIES,
        "relation_rules": RELATION_RULES,
        "class_os": CLASS_OS,
    }
