"""An instance as a site leaves it: tables, columns, choices, switches and rows of its own, from one file of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mock_servers.servicenow.schema import DATA, Column, TableDef
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Store, derived_id

TICKETS = DATA / "customised.yaml"
"""Incidents in a table of their own, other state codes, four levels, and labels in German."""


def customise(store: Store, switches: Switches, file: Path = TICKETS) -> None:
    """Change a new instance as the file says: before it is served, because choices are installed then."""
    said: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    for table in said.get("tables", ()):
        store.schema.tables[table["name"]] = TableDef(**table)
    for name, columns in said.get("columns", {}).items():
        own = store.schema.tables[name].own
        own.update({column["element"]: Column(**column) for column in columns})
    for name, elements in said.get("removed", {}).items():
        for element in elements:
            del store.schema.tables[name].own[element]
    store.schema.version += 1
    store.load({"sys_choice": list(_choices(said.get("choices", {}))), **said.get("rows", {})})
    switches.change(**said.get("switches", {}))


def _choices(said: dict[str, dict[str, dict[str, dict[str, str]]]]) -> list[dict[str, str]]:
    """``table: element: language: {value: label}`` as rows, in the order they are written in."""
    return [
        {
            "sys_id": derived_id("sys_choice", table, element, language, value),
            "name": table,
            "element": element,
            "language": language,
            "value": value,
            "label": label,
            "inactive": "false",
            "sequence": str(place),
        }
        for table, elements in said.items()
        for element, languages in elements.items()
        for language, labels in languages.items()
        for place, (value, label) in enumerate(labels.items())
    ]
