"""The rows of the instance, in memory, with the indices that keep 25,000 incidents quick.

``Store.load`` puts rows in as they are: no business rule runs, nothing is validated. Rows live in the table
of their class; a parent table shows the rows of its children.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping

from mock_servers.servicenow.schema import Schema, shipped_choices

Row = dict[str, str]

_HEX = frozenset("0123456789abcdef")


def derived_id(*parts: str) -> str:
    """A sys_id that is always the same for the same parts."""
    return hashlib.md5("\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()


def is_sys_id(text: str) -> bool:
    return len(text) == 32 and _HEX.issuperset(text)


class Table:
    """The rows of one class: by sys_id in order of insertion, sorted sys_ids, equality indices on demand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: dict[str, Row] = {}
        self._sorted: list[str] | None = None
        self._indices: dict[tuple[str, bool], dict[str, dict[str, None]]] = {}

    def put(self, row: Row) -> None:
        sys_id = row["sys_id"]
        before = self.rows.get(sys_id)
        for (column, exact), index in self._indices.items():
            new = _key(row.get(column, ""), exact)
            if before is not None:
                old = _key(before.get(column, ""), exact)
                if old == new:
                    continue
                index.get(old, {}).pop(sys_id, None)
            index.setdefault(new, {})[sys_id] = None
        if before is None and self._sorted is not None:
            insort(self._sorted, sys_id)
        self.rows[sys_id] = row

    def remove(self, sys_id: str) -> None:
        row = self.rows.pop(sys_id)
        self._sorted = None
        for (column, exact), index in self._indices.items():
            index.get(_key(row.get(column, ""), exact), {}).pop(sys_id, None)

    def where(self, column: str, value: str, exact: bool) -> Iterator[Row]:
        """Rows whose column equals the value, by index."""
        index = self._indices.get((column, exact))
        if index is None:
            index = {}
            for sys_id, row in self.rows.items():
                index.setdefault(_key(row.get(column, ""), exact), {})[sys_id] = None
            self._indices[column, exact] = index
        return (self.rows[sys_id] for sys_id in index.get(_key(value, exact), ()))

    def after(self, sys_id: str) -> Iterator[Row]:
        """Rows with a greater sys_id, in its order."""
        if self._sorted is None:
            self._sorted = sorted(self.rows)
        return (self.rows[found] for found in self._sorted[bisect_right(self._sorted, sys_id) :])


def _key(value: str, exact: bool) -> str:
    return value if exact else value.lower()


class Store:
    """All tables of one instance, and its schema.

    ``version`` counts changes, so that answers can be cached. ``omitted`` are columns that the source of the
    rows did not have: they are absent from answers, as columns are that a user may not read, until a write
    gives a record a value there.
    """

    def __init__(self) -> None:
        self.schema = Schema()
        self.tables: dict[str, Table] = {}
        self.omitted: dict[str, frozenset[str]] = {}
        self.version = 0
        self._labels: dict[tuple[str, str], dict[str, str]] = {}
        self._labels_version = -1
        self._dictionary_version = -1
        self._choices_version = 0
        self._highest: dict[str, int] = {}

    # -- loading ------------------------------------------------------------------------------------

    def load(
        self,
        tables: Mapping[str, Iterable[Mapping[str, str]]],
        omit: Mapping[str, set[str]] | None = None,
    ) -> None:
        """Put rows in as they are; runs no business rule.

        A row's ``sys_class_name`` may name a class below the table; an unknown one becomes a child class. A
        row without ``sys_id`` gets one derived from its table and its number, name, or place.
        """
        for name, rows in tables.items():
            if name not in self.schema.tables:
                self.schema.add_table(name)
            elements: dict[str, set[str]] = {}
            has_class = "sys_class_name" in self.schema.columns(name)
            for place, given in enumerate(rows):
                row = {element: value for element, value in given.items() if value != ""}
                if not row.get("sys_id"):
                    row["sys_id"] = derived_id(name, row.get("number") or row.get("name") or str(place))
                holder = self._class_of(name, row) if has_class else name
                elements.setdefault(holder, set()).update(given)
                self.table(holder).put(row)
            # What the row's own class has, the table of the load need not get.
            new = {e for holder, held in elements.items() for e in held - self.schema.columns(holder).keys()}
            self.schema.add_columns(name, sorted(new))
        for name, columns in (omit or {}).items():
            self.omitted[name] = self.omitted.get(name, frozenset()) | frozenset(columns)
            self.schema.version += 1  # how records are shown is planned anew
        self._highest.clear()
        self.version += 1
        self._choices_version += 1

    def _class_of(self, name: str, row: Row) -> str:
        chosen = row.get("sys_class_name") or name
        if chosen not in self.schema.tables:
            self.schema.add_table(chosen, parent=name)
        row["sys_class_name"] = chosen
        return chosen if name in self.schema.chain(chosen) else name

    def install_choices(self) -> None:
        """Give every choice column that no loaded row speaks of the product's own list."""
        spoken = {(r.get("name", ""), r.get("element", "")) for r in self.rows("sys_choice")}
        rows = [
            {
                "sys_id": derived_id("sys_choice", *choice.values()),
                "name": choice["table"],
                "element": choice["element"],
                "value": choice["value"],
                "label": choice["label"],
                "dependent_value": choice["dependent_value"],
                "language": "en",
                "inactive": "false",
                "sequence": str(place),
            }
            for place, choice in enumerate(shipped_choices())
            if (choice["table"], choice["element"]) not in spoken
        ]
        self.load({"sys_choice": rows})

    # -- reading ------------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        found = self.tables.get(name)
        if found is None:
            found = self.tables[name] = Table(name)
        return found

    def family(self, name: str) -> list[Table]:
        """The tables that hold the rows a GET on ``name`` shows."""
        if name in {"sys_dictionary", "sys_db_object"}:
            self._refresh_dictionary()
        return [self.tables[child] for child in self.schema.line(name) if child in self.tables]

    def rows(self, name: str) -> Iterator[Row]:
        for table in self.family(name):
            yield from table.rows.values()

    def where(self, name: str, column: str, value: str) -> Iterator[Row]:
        """Rows of a table and its children whose column equals the value."""
        known = self.schema.columns(name).get(column)
        exact = known is not None and known.is_exact
        for table in self.family(name):
            yield from table.where(column, value, exact)

    def get(self, name: str, sys_id: str) -> Row | None:
        for table in self.family(name):
            row = table.rows.get(sys_id)
            if row is not None:
                return row
        return None

    def holder(self, name: str, sys_id: str) -> str:
        """The table a row lives in: its class. Raises KeyError."""
        for table in self.family(name):
            if sys_id in table.rows:
                return table.name
        raise KeyError(sys_id)

    def display(self, table: str, sys_id: str) -> str:
        """The display value of a reference: the target's display column.

        A target that does not exist shows nothing; a reference that holds no sys_id (``global``, or the
        names an export has) shows what it holds.
        """
        if not sys_id:
            return ""
        row = self.get(table, sys_id) if table in self.schema.tables else None
        if row is None:
            return "" if is_sys_id(sys_id) else sys_id
        column = self.schema.display_column(table)
        shown = row.get(column, "")
        target = self.schema.columns(table).get(column)
        if target is not None and target.is_reference:
            return self.display(target.reference, shown)
        return shown

    def labels(self, table: str, element: str) -> dict[str, str]:
        """Value to label of a choice column; empty when it has no list."""
        if self._labels_version != self._choices_version:
            self._labels.clear()
            self._labels_version = self._choices_version
        known = self._labels.get((table, element))
        if known is None:
            known = {}
            for row in self.choices(table, element):
                known.setdefault(row.get("value", ""), row.get("label", ""))
            self._labels[table, element] = known
        return known

    def choices(self, table: str, element: str) -> list[Row]:
        """The choice rows that hold for a column: its own table's, else the nearest parent's."""
        for name in self.schema.chain(table):
            found = [r for r in self.table("sys_choice").where("element", element, False) if r.get("name") == name]
            if found:
                return found
        return []

    # -- changing -----------------------------------------------------------------------------------

    def put(self, name: str, row: Row) -> None:
        self.table(name).put(row)
        self.version += 1
        if name == "sys_choice":
            self._choices_version += 1

    def remove(self, name: str, sys_id: str) -> None:
        self.table(self.holder(name, sys_id)).remove(sys_id)
        self.version += 1
        if name == "sys_choice":
            self._choices_version += 1

    def next_number(self, name: str) -> str:
        """The next number of a table: one more than the highest it has, in at least seven digits."""
        prefix = self.schema.tables[name].prefix
        if name not in self._highest:
            taken = (row.get("number", "") for row in self.rows(name))
            digits = (n[len(prefix) :] for n in taken if n.startswith(prefix))
            self._highest[name] = max((int(d) for d in digits if d.isascii() and d.isdigit()), default=10_000)
        self._highest[name] += 1
        return f"{prefix}{self._highest[name]:07d}"

    def _refresh_dictionary(self) -> None:
        """Make sys_db_object and sys_dictionary say what the schema is now."""
        if self._dictionary_version == self.schema.version:
            return
        self._dictionary_version = self.schema.version
        born = {"sys_created_on": "2020-01-01 00:00:00", "sys_created_by": "system", "sys_mod_count": "0"}
        born |= {"sys_updated_on": "2020-01-01 00:00:00", "sys_updated_by": "system"}
        for table in self.schema.tables.values():
            parent = derived_id("sys_db_object", table.parent) if table.parent else ""
            self.table("sys_db_object").put(
                born
                | {
                    "sys_id": derived_id("sys_db_object", table.name),
                    "name": table.name,
                    "label": table.label,
                    "super_class": parent,
                    "is_extendable": "true",
                    "sys_class_name": "sys_db_object",
                }
            )
            for column in table.own.values():
                self.table("sys_dictionary").put(
                    born
                    | {
                        "sys_id": derived_id("sys_dictionary", table.name, column.element),
                        "name": table.name,
                        "element": column.element,
                        "column_label": column.label,
                        "internal_type": column.type,
                        "reference": column.reference,
                        "max_length": str(column.max_length),
                        "mandatory": "true" if column.mandatory else "false",
                        "read_only": "false",
                        "active": "true",
                        "choice": "1" if column.choice else "",
                        "display": "true" if column.element == table.display else "false",
                        "default_value": column.default,
                        "dependent_on_field": "category" if column.element == "subcategory" else "",
                    }
                )
        self.version += 1
