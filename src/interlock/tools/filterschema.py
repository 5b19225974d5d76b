"""JSON Schemas of filters and orders: exact per kind, made from the fields of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlock.records.fields import EXT_NAME, OPERATORS, Field
from interlock.records.filters import MAX_ANY, MAX_CONDITIONS, MAX_TEXT, MAX_VALUES
from interlock.records.kinds import FIELDS

FIELD_NAMES: dict[str, list[str]] = {kind: sorted(fields) for kind, fields in FIELDS.items()}

_LISTS = ("in", "not_in")
_BARE = ("empty", "not_empty")
INSTANT = {"type": "string", "format": "date-time", "pattern": r"^(?:19|20)\d\d-.*(?:Z|[+-]\d\d:\d\d)$"}


def ref_pattern(kinds: Sequence[str]) -> str:
    """What a ref of one of these kinds looks like."""
    kind = kinds[0] if len(kinds) == 1 else "(?:" + "|".join(kinds) + ")"
    return rf"^[a-z][a-z0-9_-]{{0,31}}:{kind}:[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]{{0,199}}$"


def _value(field: Field) -> dict[str, Any]:
    if field.type == "bool":
        return {"type": "boolean"}
    if field.type in ("int", "duration"):
        return {"type": "integer", "minimum": -(2**53), "maximum": 2**53}
    if field.type == "enum":
        return {"enum": [*field.values, "unmapped"]}
    if field.type in ("ref", "refs"):
        return {"type": "string", "pattern": ref_pattern(field.refers), "maxLength": 250, "x-ref": list(field.refers)}
    if field.type == "instant":
        return INSTANT
    if field.type == "day":
        return {"type": "string", "format": "date"}
    return {"type": "string", "maxLength": MAX_TEXT}


def _conditions(fields: list[Field]) -> list[dict[str, Any]]:
    """Schemas of conditions over fields that share a type and values."""
    first = fields[0]
    names = {"enum": [f.name for f in fields]}
    value = _value(first)
    plain = [op for op in first.operators if op not in _LISTS + _BARE]
    found = []
    if plain:
        required = ["field", "value"] if "eq" in plain else ["field", "op", "value"]
        found.append(_object({"field": names, "op": {"enum": plain}, "value": value}, required))
    lists = [op for op in first.operators if op in _LISTS]
    if lists:
        many = {"type": "array", "items": value, "minItems": 1, "maxItems": MAX_VALUES}
        found.append(_object({"field": names, "op": {"enum": lists}, "value": many}, ["field", "op", "value"]))
    bare = [op for op in first.operators if op in _BARE]
    if bare:
        found.append(_object({"field": names, "op": {"enum": bare}}, ["field", "op"]))
    return found


OWN_NAME = {"type": "string", "pattern": rf"^ext\.{EXT_NAME}$"}
"""A field of one instance; source_list tells them with their types."""


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_OWN = _object(
    {
        "field": OWN_NAME,
        "op": {"enum": sorted({op for ops in OPERATORS.values() for op in ops})},
        "value": {"type": ["string", "integer", "boolean", "array"]},
    },
    ["field"],
)


def filter_schema(kind: str) -> dict[str, Any]:
    """The exact schema of a filter over one kind."""
    groups: dict[tuple[Any, ...], list[Field]] = {}
    for field in FIELDS[kind].values():
        if field.operators:
            groups.setdefault((field.type, field.values, field.refers), []).append(field)
    conditions = [schema for fields in groups.values() for schema in _conditions(fields)]
    conditions.append(_OWN)
    any_of = _object(
        {"any": {"type": "array", "items": {"anyOf": conditions}, "minItems": 1, "maxItems": MAX_ANY}}, ["any"]
    )
    return {
        "type": "array",
        "maxItems": MAX_CONDITIONS,
        "description": "Conditions that all hold: {field, op, value}, or {any: [conditions]}.",
        "items": {"anyOf": [*conditions, any_of]},
        "x-filter": kind,
    }


def sort_schema(kind: str) -> dict[str, Any]:
    """The exact schema of an order over one kind; a minus sign means descending."""
    names = sorted(f.name for f in FIELDS[kind].values() if f.sortable)
    return {
        "type": "array",
        "maxItems": 3,
        "items": {"enum": [sign + name for name in names for sign in ("", "-")]},
        "description": "Order; -name is descending.",
        "x-sort": kind,
    }
