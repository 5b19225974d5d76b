"""What an instance tells of its tables, columns and choices.

Facts: sys_db_object (tables, super_class), sys_dictionary (columns where they are defined) and sys_choice (a list
for each table, column and language) are read over the Table API as any table is; an account needs the role
personalize_dictionary or an access rule of its own to see them all. Custom names begin with u_, or with x_ in a
scoped application.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.adapterkit.inspection import Column, Entity, Instance, Label
from interlock.adapterkit.native import Native
from interlock.records.problems import Problem, Slug

from .dictionary import TABLE

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_ROWS = 1_000
_PAGES = 60
_NAMES = 40  # tables in one question: an address must stay short
_OWN = ("u_", "x_")

_TYPES: dict[str, str] = {
    "string": "word", "choice": "word", "email": "word", "url": "word", "phone_number_e164": "word", "GUID": "word",
    "glide_date": "word", "glide_duration": "word", "currency": "word", "decimal": "word", "price": "word",
    "string_full_utf8": "text", "multi_two_lines": "text", "html": "long_text", "translated_text": "text",
    "integer": "int", "longint": "int", "boolean": "bool",
    "glide_date_time": "instant", "due_date": "instant",
    "reference": "ref",
}  # fmt: skip
"""Types of the dictionary (FieldTypes of the product) as types of ``ext``. Journals, lists and scripts are none."""


class Inspecting:
    """Reads one instance's own description of itself."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    async def instance(self) -> Instance:
        """Mapped tables, their parents, and the custom tables below them. Raises Problem."""
        rows = await self._all("sys_db_object", "", ("name", "label", "super_class.name"))
        parents = {str(row.get("name")): str(row.get("super_class.name") or "") or None for row in rows}
        labels = {str(row.get("name")): str(row.get("label") or row.get("name")) for row in rows}
        mapped = [table for table in self._adapter.entities if table in parents]
        wanted = dict.fromkeys(each for table in mapped for each in _chain(table, parents))
        wanted |= dict.fromkeys(
            name
            for name in parents
            if name.startswith(_OWN) and TABLE.fullmatch(name) and set(_chain(name, parents)) & set(mapped)
        )
        counted = {name for name in wanted if name.startswith(_OWN)}
        counted |= {table for table in mapped if any(table in _chain(name, parents) for name in counted)}
        entities = [
            Entity(name, labels[name], parents[name], await self._count(name, counted), name.startswith(_OWN))
            for name in wanted
        ]
        # What a reference points to may be below a mapped table, without being of interest itself.
        entities += [Entity(name, labels[name], parents[name]) for name in parents if name not in wanted]
        columns = await self._columns(list(wanted), parents)
        below = {name for name in parents if name not in wanted and set(_chain(name, parents)) & set(mapped)}
        return Instance(tuple(entities), (*columns, *await self._deeper(columns, below)))

    async def _count(self, table: str, counted: Iterable[str]) -> int | None:
        if table not in counted:
            return None
        return (await self._adapter.counted(table, "", ("sys_id",), 1))[1]

    async def _columns(self, tables: Sequence[str], parents: Mapping[str, str | None]) -> list[Column]:
        choices = await self._choices(tables)
        found: dict[tuple[str, str], Column] = {}
        told = ("name", "element", "column_label", "internal_type", "reference", "active")
        for row in await self._of(tables, "sys_dictionary", "elementISNOTEMPTY", told):
            table, name = str(row.get("name")), str(row.get("element"))
            if row.get("active") == "false":
                continue  # switched off: neither shown nor asked for
            found[table, name] = Column(
                table,
                name,
                str(row.get("column_label") or name),
                _TYPES.get(str(row.get("internal_type"))),
                str(row.get("reference") or "") or None,
                tuple(choices.pop((table, name), ())),
                name.startswith(_OWN),
            )
        for (table, name), labels in choices.items():  # a list of its own for a column that its parent defines
            above = next((found[each, name] for each in _chain(table, parents) if (each, name) in found), None)
            if above is not None:
                found[table, name] = replace(above, entity=table, choices=tuple(labels))
        return list(found.values())

    async def _deeper(self, columns: Sequence[Column], below: Collection[str]) -> list[Column]:
        """Mapped columns that only tables below a mapped one have: an operating system is a computer's."""
        known = {column.name for column in columns}
        mapped = {
            path.column.split(".", 1)[0]
            for mapping in self._adapter.product.mappings.values()
            for spec in mapping.spec.fields.values()
            for path in (spec.read, spec.write, spec.create)
            if path is not None
        }
        missing = sorted(mapped - known)
        if not missing or not below:
            return []
        rows = await self._all("sys_dictionary", f"elementIN{','.join(missing)}", ("name", "element"))
        told = [(str(row.get("name")), str(row.get("element"))) for row in rows]
        return [Column(table, name, name, None) for table, name in told if table in below and name in missing]

    async def _choices(self, tables: Sequence[str]) -> dict[tuple[str, str], list[Label]]:
        columns = ("name", "element", "value", "label", "language", "inactive", "sequence")
        rows = await self._of(tables, "sys_choice", "valueISNOTEMPTY", columns)
        rows = [row for row in rows if row.get("inactive") != "true"]
        found: dict[tuple[str, str], list[Label]] = {}
        for row in sorted(rows, key=_place):
            label = Label(str(row.get("value")), str(row.get("label") or ""), str(row.get("language") or "en"))
            found.setdefault((str(row.get("name")), str(row.get("element"))), []).append(label)
        return found

    async def _of(self, tables: Sequence[str], table: str, query: str, columns: tuple[str, ...]) -> list[Native]:
        """The rows that speak of these tables."""
        found: list[Native] = []
        for start in range(0, len(tables), _NAMES):
            names = ",".join(tables[start : start + _NAMES])
            found += await self._all(table, f"nameIN{names}^{query}", columns)
        return [row for row in found if row.get("name") in tables]  # a dropped condition would widen it

    async def _all(self, table: str, query: str, columns: tuple[str, ...]) -> list[Native]:
        """Every row, by sys_id: an offset skips rows where access rules hide some."""
        found: list[Native] = []
        after = ""
        for _ in range(_PAGES):
            parts = [part for part in (query, f"sys_id>{after}" if after else "", "ORDERBYsys_id") if part]
            try:
                rows = await self._adapter.list_rows(table, "^".join(parts), ("sys_id", *columns), _ROWS)
            except Problem as problem:
                if problem.slug is Slug.SOURCE_DENIED:
                    problem.next_step = f"Let our account read {table}, or write the overlay by hand."
                raise
            found += rows
            following = str(rows[-1].get("sys_id")) if rows else after
            if not rows or following <= after:
                return found
            after = following
        raise Problem(
            Slug.TOO_LARGE,
            f"{table} has more than {_ROWS * _PAGES} rows",
            next_step="Write the overlay by hand, or inspect with an account that sees fewer tables.",
            layer="source",
        )


def _chain(table: str, parents: Mapping[str, str | None]) -> list[str]:
    """The table, its parent, and so on."""
    found: list[str] = []
    at: str | None = table
    while at and at not in found:
        found.append(at)
        at = parents.get(at)
    return found


def _place(row: Native) -> tuple[int, str]:
    """Lists are shown by sequence; one that is no number comes first."""
    text = str(row.get("sequence") or "")
    return (int(text) if text.isdecimal() else 0, str(row.get("value")))
