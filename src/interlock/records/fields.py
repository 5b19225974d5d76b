"""Field types: what the contract says of each field, as the mapping compiler and filters need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FieldType = Literal[
    "text",  # one line, written by people: untrusted
    "long_text",  # many lines, untrusted
    "word",  # a key or code of the source's own vocabulary (category, number, serial)
    "enum",  # one of the contract's words, or "unmapped"
    "ref",  # {"ref": "...", "name": "..."}
    "refs",  # a list of them
    "instant",  # RFC 3339, UTC, seconds: 2026-03-14T08:12:44Z
    "day",  # 2026-03-14
    "int",
    "duration",  # whole seconds
    "bool",
    "words",  # list of words
    "version",  # opaque to agents; compared for equality only
    "url",
    "object",  # ext, native: not filterable
]

OPERATORS: dict[FieldType, tuple[str, ...]] = {
    "text": ("eq", "ne", "contains", "starts", "empty", "not_empty"),
    "long_text": ("contains", "empty", "not_empty"),
    "word": ("eq", "ne", "in", "not_in", "contains", "starts", "empty", "not_empty"),
    "enum": ("eq", "ne", "in", "not_in", "empty", "not_empty"),
    "ref": ("eq", "ne", "in", "not_in", "empty", "not_empty"),
    "refs": ("contains", "empty", "not_empty"),
    "instant": ("gt", "ge", "lt", "le", "empty", "not_empty"),
    "day": ("gt", "ge", "lt", "le", "empty", "not_empty"),
    "int": ("eq", "ne", "in", "gt", "ge", "lt", "le", "empty", "not_empty"),
    "duration": ("gt", "ge", "lt", "le", "empty", "not_empty"),
    "bool": ("eq", "ne"),
    "words": ("contains", "empty", "not_empty"),
    "version": (),
    "url": (),
    "object": (),
}
"""Operators an agent may use on a field of each type."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one kind of record, as the contract has it."""

    name: str
    type: FieldType
    values: tuple[str, ...] = ()  # of an enum, without "unmapped"
    refers: tuple[str, ...] = ()  # kinds a ref may name
    writable: bool = True  # by a tool; computed and system fields are not
    sortable: bool = False
    description: str = ""

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type]


EXT = "ext."
"""How a field of an instance that the contract does not know is named: ``ext.u_cost_centre``."""

EXT_NAME = r"[A-Za-z][A-Za-z0-9_]{0,62}"

UNMAPPED = "unmapped"
"""What an enum says when the native value has no mapping; the native value stands in ``native``."""


def said(record: Mapping[str, Any], name: str) -> Any:
    """The value of a field in a record, ABSENT when it is not there; ``ext.name`` stands under ``ext``."""
    if name[:4] != EXT:
        return record.get(name, ABSENT)
    more = record.get("ext")
    return more.get(name[4:], ABSENT) if more else ABSENT


ABSENT: Any = object()


def fields_of(model: type[Any]) -> dict[str, Field]:
    """Read the fields of a record model from its annotations (see models.field)."""
    found: dict[str, Field] = {}
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        about = extra.get("x-interlock") if isinstance(extra, dict) else None
        if not isinstance(about, dict):
            continue
        found[name] = Field(
            name=name,
            type=about["type"],
            values=tuple(about.get("values", ())),
            refers=tuple(about.get("refers", ())),
            writable=bool(about.get("writable", True)),
            sortable=bool(about.get("sortable", False)),
            description=info.description or "",
        )
    return found
