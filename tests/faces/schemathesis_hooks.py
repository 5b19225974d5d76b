"""Hooks for schemathesis: values that only the instance knows are drawn from the instance.

``INTERLOCK_SEEDS`` names a JSON file: ``refs`` by kind, ``sources``, ``writes`` (ids of held calls). A schema
says what a ref looks like (``x-ref``), not which there are; without seeds nearly every call would end in 404.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import schemathesis

SEEDS: dict[str, Any] = json.loads(Path(os.environ["INTERLOCK_SEEDS"]).read_text(encoding="utf-8"))


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Put the instance's own values in."""
    seeded(raw_schema)


def seeded(part: Any) -> None:
    """Narrow a schema, in place, to what there is: refs, sources, fields that the instance can be asked by.

    Cursors are signed by the gateway: here none is passed.
    """
    if isinstance(part, list):
        part[:] = [entry for entry in part if not _cursor(entry)]
        for entry in part:
            seeded(entry)
        return
    if not isinstance(part, dict):
        return
    if "x-ref" in part:
        kinds = part.pop("x-ref")
        if known := [ref for kind in kinds for ref in SEEDS["refs"].get(kind, [])]:
            for name in ("pattern", "maxLength"):
                part.pop(name)
            part["enum"] = known
    if part.pop("x-tool", False):
        part["enum"] = SEEDS["tools"]
    for kind, lacking in SEEDS["unwritable"].items():
        _writable_only(part, kind, lacking)
    if "x-filter" in part:
        _without(part, SEEDS["lacking"].get(part["x-filter"], []))
    if "x-sort" in part:
        lacking = SEEDS["lacking"].get(part["x-sort"], [])
        part["items"]["enum"] = [name for name in part["items"]["enum"] if name.lstrip("-") not in lacking]
    properties = part.get("properties")
    if isinstance(properties, dict):
        if "cursor" in properties and "limit" in properties:
            properties["cursor"] = {"type": "null"}
        if {"reason", "until"} <= properties.keys():  # a waiver ends within a year from now
            properties["until"] = {"enum": [SEEDS["until"]]}
        if {"item", "variables", "dry_run"} <= properties.keys():  # what an item asks for, only the instance knows
            properties["item"] = {"enum": [SEEDS["order"]["item"]]}
            properties["variables"] = {"const": SEEDS["order"]["variables"]}
            part["required"] = ["item", "variables"]
        if "filter" in properties and "x-filter" not in properties["filter"]:  # its fields depend on the kind
            properties["filter"] = properties["sort"] = {"type": "array", "maxItems": 0}
            properties["fields"] = {"type": "null"}
        if "fields" in properties and "anyOf" in properties["fields"]:
            _named_only(properties["fields"])
        if "source" in properties and "anyOf" in properties["source"]:
            properties["source"] = {"enum": [*SEEDS["sources"], None]}
    for entry in part.values():
        seeded(entry)


def _cursor(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("name") == "cursor" and entry.get("in") == "query"


def _named_only(part: dict[str, Any]) -> None:
    """Names of fields without those of an instance's own: this one has none."""
    for entry in part["anyOf"]:
        items = entry.get("items", {})
        if "anyOf" in items:
            entry["items"] = next(each for each in items["anyOf"] if "enum" in each)


def _writable_only(part: dict[str, Any], kind: str, lacking: list[str]) -> None:
    """Of what a record of a kind is made or changed with, only what the instance can hold."""
    properties = part.get("properties")
    if not isinstance(properties, dict) or "native" in properties:  # a record, not what it is made with
        return
    if not set(SEEDS["marks"][kind]) <= properties.keys():
        return
    made = "source" in properties  # a record is made in a source, and changed where it is
    for name in lacking if made else [*lacking, *SEEDS["fixed"][kind]]:
        properties.pop(name, None)


def _without(part: Any, lacking: list[str]) -> None:
    """Drop fields from the conditions of a filter; a condition without fields goes too."""
    if isinstance(part, list):
        part[:] = [entry for entry in part if not _empty(entry, lacking)]
        for entry in part:
            _without(entry, lacking)
    elif isinstance(part, dict):
        for entry in part.values():
            _without(entry, lacking)


def _empty(condition: Any, lacking: list[str]) -> bool:
    fields = condition.get("properties", {}).get("field") if isinstance(condition, dict) else None
    if isinstance(fields, dict) and "pattern" in fields:
        return True  # fields of an instance's own: this one has none
    if not isinstance(fields, dict) or "enum" not in fields:
        return False
    fields["enum"] = [name for name in fields["enum"] if name not in lacking]
    return not fields["enum"]
