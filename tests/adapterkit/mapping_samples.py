"""What the mapping tests share: the ServiceNow product compiled, and rows in the three shapes of its Table API."""

from __future__ import annotations

from functools import cache
from typing import Any

from interlock.adapterkit.product import Product, compile_product
from interlock.places import place

SETTINGS = {"base_url": "https://acme.example"}

INCIDENT = {
    "sys_id": "a" * 32,
    "number": "INC0010007",
    "short_description": "Mail is down",
    "description": "Since nine.\nAll of Oslo.\u200b",
    "state": "2",
    "hold_reason": "",
    "impact": "1",
    "urgency": "2",
    "priority": "2",
    "category": "network",
    "subcategory": "",
    "contact_type": "fax",
    "business_service": "",
    "cmdb_ci": "e" * 32,
    "caller_id": "b" * 32,
    "caller_id.user_name": "ann.lee",
    "opened_by": "b" * 32,
    "opened_by.user_name": "",
    "assigned_to": "",
    "assigned_to.user_name": "",
    "assignment_group": "d" * 32,
    "assignment_group.name": "Network & Telephony",
    "parent_incident": "",
    "parent_incident.number": "",
    "problem_id": "",
    "problem_id.number": "",
    "rfc": "",
    "rfc.number": "",
    "caused_by": "",
    "caused_by.number": "",
    "opened_at": "2026-03-14 08:12:44",
    "sys_created_on": "2026-03-14 08:12:44",
    "sys_updated_on": "2026-03-14 09:00:01",
    "resolved_at": "",
    "closed_at": "",
    "due_date": "soon",
    "close_code": "",
    "close_notes": "",
    "active": "true",
    "reopen_count": "0",
    "reassignment_count": "12",
    "correlation_id": "",
    "sys_updated_by": "ann.lee",
    "sys_mod_count": "3",
}
REFERENCES = {
    "cmdb_ci": ("cmdb_ci", "web01"),
    "caller_id": ("sys_user", "Ann Lee"),
    "opened_by": ("sys_user", "Ann Lee"),
    "assignment_group": ("sys_user_group", "Network & Telephony"),
}


@cache
def servicenow() -> Product:
    return compile_product(place("adapters") / "servicenow", source="snow", settings=SETTINGS)


def _link(table: str, handle: str) -> str:
    return f"https://another.example/api/now/table/{table}/{handle}"


def shape_plain(row: dict[str, str]) -> dict[str, Any]:
    """display_value=false, reference links excluded."""
    return dict(row)


def shape_false(row: dict[str, str]) -> dict[str, Any]:
    """display_value=false: references are objects without a name, empty ones strings."""
    shaped: dict[str, Any] = dict(row)
    for column, (table, _) in REFERENCES.items():
        if row.get(column):
            shaped[column] = {"link": _link(table, row[column]), "value": row[column]}
    return shaped


def shape_all(row: dict[str, str]) -> dict[str, Any]:
    """display_value=all: every column is an object."""
    shaped: dict[str, Any] = {name: {"display_value": value, "value": value} for name, value in row.items()}
    for column, (table, name) in REFERENCES.items():
        if row.get(column):
            shaped[column] = {"display_value": name, "link": _link(table, row[column]), "value": row[column]}
    return shaped


def shape_named(row: dict[str, str]) -> dict[str, Any]:
    """display_value=true as far as references go: a name and a link, no value."""
    shaped: dict[str, Any] = dict(row)
    for column, (table, name) in REFERENCES.items():
        if row.get(column):
            shaped[column] = {"display_value": name, "link": _link(table, row[column])}
    return shaped
