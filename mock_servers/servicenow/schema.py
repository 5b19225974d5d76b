"""The tables of the instance: classes, columns, and what a child table inherits.

The shipped tables are data (``data/tables.csv``, ``data/columns.csv``), written from the product's public
documentation. Columns and classes that loaded rows bring along are added as an instance's own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

DATE_TYPES = frozenset({"glide_date_time", "due_date", "glide_date", "glide_duration", "timer"})
NUMBER_TYPES = frozenset({"integer", "decimal"})
JOURNAL_TYPES = frozenset({"journal_input", "journal_list", "journal"})
REFERENCE_TYPES = frozenset({"reference", "domain_id"})
_EXACT_TYPES = DATE_TYPES | NUMBER_TYPES | REFERENCE_TYPES | {"GUID", "boolean"}

READ_ONLY = frozenset(
    {
        "sys_id",
        "sys_created_on",
        "sys_created_by",
        "sys_updated_on",
        "sys_updated_by",
        "sys_mod_count",
        "sys_class_name",
        "sys_domain_path",
        "sys_tags",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One dictionary entry."""

    element: str
    label: str
    type: str = "string"
    reference: str = ""
    max_length: int = 255
    choice: bool = False
    mandatory: bool = False
    default: str = ""

    @property
    def is_reference(self) -> bool:
        return self.type in REFERENCE_TYPES

    @property
    def is_exact(self) -> bool:
        """Compared as it stands; all else is compared without regard to case."""
        return self.type in _EXACT_TYPES


@dataclass(slots=True)
class TableDef:
    """One table: its label, parent, number prefix, display column, and its own columns."""

    name: str
    label: str
    parent: str = ""
    prefix: str = ""
    display: str = ""
    own: dict[str, Column] = field(default_factory=dict)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@cache
def _shipped() -> tuple[tuple[TableDef, ...], tuple[tuple[str, Column], ...]]:
    tables = tuple(
        TableDef(row["name"], row["label"], row["parent"], row["prefix"], row["display"]) for row in _rows("tables.csv")
    )
    columns = tuple(
        (
            row["table"],
            Column(
                element=row["element"],
                label=row["label"],
                type=row["type"],
                reference=row["reference"],
                max_length=int(row["max_length"]),
                choice=row["choice"] == "y",
                mandatory=row["mandatory"] == "y",
                default=row["default"],
            ),
        )
        for row in _rows("columns.csv")
    )
    return tables, columns


@cache
def shipped_choices() -> tuple[dict[str, str], ...]:
    """The choice lists a new instance has: table, element, value, label, dependent_value."""
    return tuple(_rows("choices.csv"))


class Schema:
    """All tables of one instance. ``version`` counts changes, so that what is derived can be cached."""

    def __init__(self) -> None:
        self.tables: dict[str, TableDef] = {}
        self.version = 0
        self._columns: dict[str, dict[str, Column]] = {}
        self._lines: dict[str, tuple[str, ...]] = {}
        tables, columns = _shipped()
        for table in tables:
            self.tables[table.name] = TableDef(table.name, table.label, table.parent, table.prefix, table.display)
        for name, column in columns:
            for table in self._roots() if name == "*" else (self.tables[name],):
                table.own[column.element] = column

    def _roots(self) -> list[TableDef]:
        return [table for table in self.tables.values() if not table.parent]

    def _changed(self) -> None:
        self.version += 1
        self._columns.clear()
        self._lines.clear()

    def chain(self, table: str) -> tuple[str, ...]:
        """The table, its parent, and so on up to its root."""
        found = [table]
        while parent := self.tables[found[-1]].parent:
            found.append(parent)
        return tuple(found)

    def line(self, table: str) -> tuple[str, ...]:
        """The table and every table that extends it, at any depth."""
        known = self._lines.get(table)
        if known is None:
            known = tuple(name for name in self.tables if table in self.chain(name))
            self._lines[table] = known
        return known

    def columns(self, table: str) -> dict[str, Column]:
        """All columns of a table, inherited ones first; a child's own entry overrides its parent's."""
        known = self._columns.get(table)
        if known is None:
            known = {}
            for name in reversed(self.chain(table)):
                known.update(self.tables[name].own)
            self._columns[table] = known
        return known

    def display_column(self, table: str) -> str:
        return next((self.tables[name].display for name in self.chain(table) if self.tables[name].display), "")

    def add_table(self, name: str, parent: str = "") -> None:
        """An instance's own class: a child of ``parent``, or a table of its own with the system columns."""
        label = name.removeprefix("cmdb_ci_").removeprefix("u_").replace("_", " ").title()
        table = TableDef(name, label, parent, display="" if parent else "name")
        if not parent:
            table.own.update({n: c for n, c in self.tables["cmn_location"].own.items() if n.startswith("sys_")})
        self.tables[name] = table
        self._changed()

    def add_columns(self, table: str, elements: Iterable[str]) -> None:
        """An instance's own columns: text, unless another table has one of that name to go by."""
        known = self.columns(table)
        new = [element for element in elements if element not in known]
        for element in new:
            like = next((t.own[element] for t in self.tables.values() if element in t.own), None)
            label = element.removeprefix("u_").replace("_", " ").capitalize()
            self.tables[table].own[element] = like or Column(element, label, max_length=4000)
        if new:
            self._changed()
