"""How ServiceNow says what the estate says: classes, codes, relation types, columns and choice lists.

Codes are the shipped ones (incident.state, cmdb_ci.install_status, operational_status, hold_reason); the columns
that begin with ``u_`` and the category ``fertigung`` are this customer's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mock_servers.estate.assumptions import DAY, TAXONOMY, label

CLASSES: dict[str, str] = {
    "data_centre": "cmdb_ci_datacenter",
    "rack": "cmdb_ci_rack",
    "ups": "cmdb_ci_ups",
    "esx_server": "cmdb_ci_esx_server",
    "vmware_instance": "cmdb_ci_vmware_instance",
    "linux_server": "cmdb_ci_linux_server",
    "windows_server": "cmdb_ci_win_server",
    "aix_server": "cmdb_ci_aix_server",
    "solaris_server": "cmdb_ci_solaris_server",
    "mainframe": "cmdb_ci_mainframe",
    "switch": "cmdb_ci_ip_switch",
    "router": "cmdb_ci_ip_router",
    "access_point": "cmdb_ci_wap_network",
    "firewall": "cmdb_ci_ip_firewall",
    "load_balancer": "cmdb_ci_lb",
    "storage_array": "cmdb_ci_storage_device",
    "storage_volume": "cmdb_ci_storage_volume",
    "mssql_instance": "cmdb_ci_db_mssql_instance",
    "oracle_instance": "cmdb_ci_db_ora_instance",
    "mysql_instance": "cmdb_ci_db_mysql_instance",
    "postgresql_instance": "cmdb_ci_db_postgresql_instance",
    "tomcat": "cmdb_ci_app_server_tomcat",
    "weblogic": "cmdb_ci_app_server_weblogic",
    "websphere": "cmdb_ci_app_server_websphere",
    "apache": "cmdb_ci_apache_web_server",
    "iis": "cmdb_ci_microsoft_iis_web_server",
    "mail_server": "cmdb_ci_email_server",
    "application": "cmdb_ci_appl",
    "cluster": "cmdb_ci_cluster",
    "kubernetes_cluster": "cmdb_ci_kubernetes_cluster",
    "container": "cmdb_ci_docker_container",
    "printer": "cmdb_ci_printer",
    "phone": "cmdb_ci_ip_phone",
    "peripheral": "cmdb_ci_peripheral",
    "network_adapter": "cmdb_ci_network_adapter",
    "disk": "cmdb_ci_disk",
    "software": "cmdb_ci_spkg",
    "certificate": "cmdb_ci_certificate",
    "business_service": "cmdb_ci_service_business",
    "technical_service": "cmdb_ci_service_technical",
    "service_instance": "cmdb_ci_service_auto",
    "service_offering": "service_offering",
    "business_application": "cmdb_ci_business_app",
    "computer": "cmdb_ci_computer",
}
"""The class table of each form."""

STATE = {"new": "1", "in_progress": "2", "on_hold": "3", "resolved": "6", "closed": "7", "cancelled": "8"}
HOLD = {"": "", "caller": "1", "problem": "3", "vendor": "4", "change": "5"}
LEVEL = {"high": "1", "medium": "2", "low": "3"}
PRIORITY = {"p1": "1", "p2": "2", "p3": "3", "p4": "4", "p5": "5"}
CHANNEL = {
    "phone": "phone",
    "email": "email",
    "self_service": "self-service",
    "chat": "chat",
    "monitoring": "monitoring",
    "walk_in": "walk-in",
}
CLOSE = {
    "": "",
    "fixed": "Solution provided",
    "workaround": "Workaround provided",
    "known_error": "Known error",
    "duplicate": "Duplicate",
    "user_error": "User error",
    "not_reproducible": "No resolution provided",
    "by_caller": "Resolved by caller",
    "by_change": "Resolved by change",
    "by_problem": "Resolved by problem",
}
INSTALL = {
    "live": "1",
    "ordered": "2",
    "maintenance": "3",
    "planned": "4",
    "repair": "5",
    "in_stock": "6",
    "retired": "7",
    "stolen": "8",
    "missing": "100",
}
OPERATIONAL = {
    "operational": "1",
    "non_operational": "2",
    "repair": "3",
    "standby": "4",
    "ready": "5",
    "retired": "6",
    "pipeline": "7",
    "catalog": "8",
}
ENVIRONMENT = {
    "production": "Production",
    "staging": "Staging",
    "test": "Test",
    "development": "Development",
    "training": "Training",
    "recovery": "Disaster recovery",
}
CRITICALITY = {
    "critical": "1 - most critical",
    "high": "2 - somewhat critical",
    "medium": "3 - less critical",
    "low": "4 - not critical",
}


@dataclass(frozen=True, slots=True)
class RelationType:
    """``name`` is parent's words::child's words; ``turned``: the subject of our sentence is the child."""

    name: str
    turned: bool = False


RELATIONS: dict[str, RelationType] = {
    "depends_on": RelationType("Depends on::Used by"),
    "runs_on": RelationType("Runs on::Runs"),
    "hosted_on": RelationType("Hosted on::Hosts"),
    "contains": RelationType("Contains::Contained by"),
    "member_of": RelationType("Members::Member of", turned=True),
    "connects_to": RelationType("Connects to::Connected by"),
    "uses": RelationType("Uses::Used by"),
    "manages": RelationType("Manages::Managed by"),
    "provides": RelationType("Provides::Provided by"),
    "powered_by": RelationType("Provides power for::Receives power from", turned=True),
    "exchanges_data_with": RelationType("Exchanges data with::Exchanges data with"),
}

DATA_SOURCES = (
    "ServiceNow",
    "Manual Entry",
    "ImportSet",
    "SG-SCCM",
    "SG-Intune",
    "SG-SolarWinds",
    "VMware vCenter",
    "Interlock",
)
"""Choices of discovery_source: shipped ones that are used here, and what this customer added for us."""

COLUMNS: dict[str, str] = {
    "serial": "serial_number",
    "ip": "ip_address",
    "mac": "mac_address",
    "status": "install_status",
    "last_seen_at": "last_discovered",
    "assignee": "assigned_to",
    "ci": "cmdb_ci",
    "owner": "owned_by",
    "caller": "caller_id",
    "title": "short_description",
}
"""Native column of a canonical field, where the name differs. Relations: see ``relation_columns``."""

CUSTOM_COLUMNS: dict[str, dict[str, str]] = {
    "incident": {"u_region": "Region", "u_vendor_ticket": "Vendor ticket"},
    "cmdb_ci": {"u_patch_window": "Wartungsfenster"},
    "sys_user_group": {"u_region": "Region"},
}
"""This customer's own columns with their labels, by the table that defines them."""

_LABELS: dict[str, dict[str, dict[str, str]]] = {
    "incident": {
        "state": {
            "1": "New",
            "2": "In Progress",
            "3": "On Hold",
            "6": "Resolved",
            "7": "Closed",
            "8": "Canceled",
        },
        "hold_reason": {
            "1": "Awaiting Caller",
            "3": "Awaiting Problem",
            "4": "Awaiting Vendor",
            "5": "Awaiting Change",
        },
        "impact": {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"},
        "urgency": {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"},
        "priority": {
            "1": "1 - Critical",
            "2": "2 - High",
            "3": "3 - Moderate",
            "4": "4 - Low",
            "5": "5 - Planning",
        },
        "contact_type": {
            "phone": "Phone",
            "email": "Email",
            "self-service": "Self-service",
            "chat": "Chat",
            "monitoring": "Monitoring",
            "walk-in": "Walk-in",
        },
        "close_code": {native: native for native in CLOSE.values() if native},
    },
    "cmdb_ci": {
        "install_status": {
            "1": "Installed",
            "2": "On Order",
            "3": "In Maintenance",
            "4": "Pending Install",
            "5": "Pending Repair",
            "6": "In Stock",
            "7": "Retired",
            "8": "Stolen",
            "100": "Absent",
        },
        "operational_status": {
            "1": "Operational",
            "2": "Non-Operational",
            "3": "Repair in Progress",
            "4": "DR Standby",
            "5": "Ready",
            "6": "Retired",
            "7": "Pipeline",
            "8": "Catalog",
        },
        "environment": {native: native for native in ENVIRONMENT.values()},
        "discovery_source": {name: name for name in DATA_SOURCES},
    },
}


def choices() -> Iterator[tuple[str, str, str, str, str]]:
    """Table, element, value, label and dependent value of every choice."""
    for table, elements in _LABELS.items():
        for element, labels in elements.items():
            for value, words in labels.items():
                yield table, element, value, words, ""
                if (table, element) == ("incident", "state"):
                    yield table, "incident_state", value, words, ""
    for category, subcategories in TAXONOMY.items():
        yield "incident", "category", category, label(category), ""
        for subcategory in subcategories:
            yield "incident", "subcategory", subcategory, label(subcategory), category


@lru_cache(maxsize=8192)
def _date(day: int) -> str:
    """The civil date of a day of the epoch (Howard Hinnant's algorithm; faster than datetime by the million)."""
    day += 719_468
    era, rest = divmod(day, 146_097)
    year = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    of_year = rest - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    number = month + 3 if month < 10 else month - 9
    return f"{year + era * 400 + (number < 3):04d}-{number:02d}-{of_year - (153 * month + 2) // 5 + 1:02d}"


def when(epoch: int | None) -> str:
    """``2026-03-14 08:12:44`` in UTC, or empty."""
    if epoch is None:
        return ""
    day, second = divmod(epoch, DAY)
    return f"{_date(day)} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
