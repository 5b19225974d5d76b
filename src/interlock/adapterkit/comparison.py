"""From a mapping and what an instance tells of itself to an overlay that a person then reads and corrects.

A proposal says only what can be seen: what is uncertain stands in a comment, and nothing is taken over unread.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from interlock.adapterkit.choicewords import bare, compare, own_table, spoken
from interlock.adapterkit.inspection import Column, Entity, Instance
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.overlays import flow
from interlock.adapterkit.product import Product
from interlock.records.fields import EXT_NAME
from interlock.records.kinds import FIELDS

HEAD = "# Proposed from what the instance told. Behind each # is why; read it, correct it, then name the folder."


def proposals(product: Product, instance: Instance) -> dict[str, str]:
    """An overlay for each kind that differs. A kind kept in several places is not compared."""
    specs = {
        kind: mapping.spec
        for kind, mapping in product.mappings.items()
        if not product.documents[kind].data.get("parts")
    }
    refers = {spec.entity: (kind, None if spec.key == spec.id else spec.key.column) for kind, spec in specs.items()}
    found = {}
    for kind, spec in specs.items():
        proposal = Proposal(spec, product.documents[kind].data, instance, refers)
        text = proposal.text(f"{product.manifest.adapter}/{kind}")
        if text is not None:
            found[kind] = text
    return found


class Proposal:
    """What the overlay of one kind must say, as it is found, and as a document.

    ``data``: the mapping file as it stands; ``refers``: for each mapped table, its kind and, where records are
    known by a key beside their handle, that key's column.
    """

    def __init__(
        self,
        spec: MappingSpec,
        data: Mapping[str, Any],
        instance: Instance,
        refers: Mapping[str, tuple[str, str | None]],
    ) -> None:
        self._spec, self._data, self._instance, self._refers = spec, data, instance, refers
        self._lines: list[str] = []
        self._remarks: list[str] = []
        self._removed: set[str] = set()
        self._renamed: dict[str, str] = {}  # column of the mapping: column of the instance
        self._ext_tables: dict[str, dict[str, str | int]] = {}
        self.entity = self._table()
        self._columns = instance.columns_of(self.entity)
        below = {each.name for each in instance.below(self.entity)}
        self._deeper = {column.name for column in instance.columns if column.entity in below}
        if not self._columns:
            self._remarks.append(f"{spec.entity}: the instance tells no columns; may our account read its dictionary?")
            return
        self._section("fields", self._fields())
        self._section("ext", self._ext())
        self._codes()
        self._lines += rules_without(self._data, self._removed)

    def text(self, extends: str) -> str | None:
        """The overlay, with a comment for each reason; None when nothing differs."""
        if not self._lines and not self._remarks:
            return None
        remarks = [f"# {remark}" for remark in self._remarks]
        return "\n".join((HEAD, f"extends: {extends}", *self._lines, *remarks)) + "\n"

    def _section(self, name: str, entries: Iterable[tuple[str, Any, str]]) -> None:
        found = [entry_line(*entry, depth=1) for entry in entries]
        if found:
            self._lines += [f"{name}:", *found]

    # --- table and columns -------------------------------------------------------------------------

    def _table(self) -> str:
        """The table that holds the records: the mapped one, unless one the site derived from it holds most."""
        name, known = self._spec.entity, self._instance.named
        if name not in known:
            self._remarks.append(f"entity: the instance shows no table {name}")
            return name
        own = [each for each in self._instance.below(name) if each.own and each.rows]
        whole = known[name].rows or 0
        best = max(own, key=lambda each: each.rows or 0, default=None)
        for each in own:
            if each is not best or 2 * (each.rows or 0) <= whole:
                self._remarks.append(f"entity: {_held(each, whole, name)}")
        if best is None or 2 * (best.rows or 0) <= whole:
            return name
        self._lines.append(entry_line("entity", best.name, _held(best, whole, name), depth=0))
        return best.name

    def _fields(self) -> Iterator[tuple[str, Any, str]]:
        for name, spec in self._spec.fields.items():
            if name not in FIELDS[self._spec.kind]:
                continue  # an ext field of an overlay that is there already
            columns = dict.fromkeys(_columns(spec))
            missing = [each for each in columns if each not in self._columns and each not in self._deeper]
            if not missing:
                continue
            found = {column: self._like(name, column) for column in missing}
            why = f"{self.entity} has no {', '.join(missing)}"
            entry = self._data["fields"][name]
            if all(found.values()):
                for column, other in found.items():
                    assert other is not None
                    entry = _renamed(entry, column, other.name)
                    self._renamed[column] = other.name
                    why += f'; {other.name} is called "{other.label}"'
                yield name, entry, why
            else:
                self._removed.add(name)
                yield name, None, why
        for visibility, path in self._spec.notes.items():
            if path.column not in self._columns:
                self._remarks.append(f"notes: {self.entity} has no {path.column}, which {visibility} notes go to")

    def _like(self, field: str, column: str) -> Column | None:
        """The only column that nothing is mapped to and that is called as the missing one was."""
        taken = {each for spec in self._spec.fields.values() for each in _columns(spec)}
        taken |= set(self._renamed.values())
        labels = {bare(each) for each in (column, field, *spoken()["fields"].get(field, ()))}
        free = [each for each in self._columns.values() if each.own and each.name not in taken]
        found = [each for each in free if bare(each.label) in labels or bare(each.name.removeprefix("u_")) in labels]
        return found[0] if len(found) == 1 else None

    def _ext(self) -> Iterator[tuple[str, Any, str]]:
        taken = {each for spec in self._spec.fields.values() for each in _columns(spec)}
        taken |= set(self._renamed.values()) | {path.column for path in self._spec.notes.values()}
        for column in sorted(self._columns.values(), key=lambda each: each.name):
            if not column.own or column.name in taken:
                continue
            if column.type is None or not re.fullmatch(EXT_NAME, column.name):
                self._remarks.append(f'ext: {column.name} "{column.label}" is of a type that no mapping holds')
                continue
            yield column.name, *self._ext_entry(column)

    def _ext_entry(self, column: Column) -> tuple[dict[str, Any], str]:
        entry: dict[str, Any] = {"at": column.name}
        why = ""
        choices = self._instance.choices_of(self.entity, column.name)
        if column.type == "ref":
            table = next((each for each in self._instance.chain(column.reference or "") if each in self._refers), None)
            if table is None:
                why = f"points to {column.reference}, which is no kind"
            else:
                kind, key = self._refers[table]
                entry |= {"type": "ref", "ref": kind, **({"key": f"{column.name}.{key}"} if key else {})}
        elif choices and column.type in ("word", "int"):
            self._ext_tables[column.name] = own_table(choices)
            entry |= {"type": "enum", "codes": column.name}
        elif column.type != "word":
            entry["type"] = column.type
        return {**entry, "label": column.label}, why

    # --- codes ---------------------------------------------------------------------------

    def _codes(self) -> None:
        users: dict[str, list[FieldSpec]] = {}
        for spec in self._spec.fields.values():
            if spec.codes is not None and spec.field.type == "enum":
                users.setdefault(spec.codes.name, []).append(spec)
        lines: list[str] = []
        for table, specs in users.items():
            kept = [spec for spec in specs if spec.name not in self._removed]
            if not kept:
                lines.append(entry_line(table, None, "used by no field any more", depth=1))
                continue
            entries = list(self._table_entries(table, kept))
            if entries:
                lines += [f"  {table}:", *(entry_line(*entry, depth=2) for entry in entries)]
        lines += [entry_line(name, words, "", depth=1) for name, words in self._ext_tables.items()]
        if lines:
            self._lines += ["codes:", *lines]

    def _table_entries(self, table: str, specs: list[FieldSpec]) -> Iterator[tuple[str, Any, str]]:
        """Corrections of a table; fields that share it must agree, or a person decides."""
        said: dict[str, tuple[Any, str]] = {}
        remarks: dict[str, None] = {}
        for spec in specs:
            column = next((self._renamed.get(each, each) for each in _columns(spec)), None)
            choices = self._instance.choices_of(self.entity, column) if column else ()
            if not choices or spec.codes is None:
                continue
            written = spec.write is not None or spec.create is not None
            corrections, more = compare(spec.codes, spec.field.values, choices, written=written)
            remarks |= dict.fromkeys(f"codes.{table}: {remark}" for remark in more)
            for each in corrections:
                before = said.setdefault(each.word, (each.natives, each.why))
                if before[0] != each.natives:
                    remarks[
                        f"codes.{table}: {each.word} is {flow(each.natives)} in {column}: give it its own table"
                    ] = None
        self._remarks += remarks
        for word, (natives, why) in said.items():
            yield word, natives, why


def rules_without(data: Mapping[str, Any], removed: Collection[str]) -> list[str]:
    """Lines of an overlay that take fields which are gone out of the rules; what names them would not compile."""
    if not removed:
        return []
    lines: list[str] = []
    rules = [dict(rule) for rule in data.get("require", ())]
    kept = []
    for rule in rules:
        fields = [name for name in rule["fields"] if name not in removed]
        if fields and not set(removed) & set(rule["when"]):
            kept.append({**rule, "fields": fields})
    if kept != rules:
        lines.append(entry_line("require", kept, "without fields that are gone", depth=0))
    clears = data.get("write", {}).get("clear_also", {})
    left = {
        name: [each for each in others if each not in removed] for name, others in clears.items() if name not in removed
    }
    left = {name: others for name, others in left.items() if others}
    if left != clears:
        lines += ["write:", entry_line("clear_also", left or None, "without fields that are gone", depth=1)]
    return lines


def _held(table: Entity, whole: int, parent: str) -> str:
    return f"{table.name} extends {parent} and holds {table.rows} of its {whole} records"


def _columns(spec: FieldSpec) -> Iterator[str]:
    """The columns of the record's own table that a field is read from and written to."""
    for path in (spec.read, spec.write, spec.create):
        if path is not None:
            yield path.column.split(".", 1)[0]


def _renamed(entry: Any, column: str, other: str) -> Any:
    """An entry with another column: in all its places, and in what is followed from it."""
    if isinstance(entry, str):
        return other if entry == column else entry
    places = ("at", "read", "write", "create", "key", "name", "filter", "sort")

    def place(key: str, value: Any) -> Any:
        if key not in places or not isinstance(value, str):
            return value
        return other + value.removeprefix(column) if value == column or value.startswith(f"{column}.") else value

    return {key: place(key, value) for key, value in entry.items()}


def entry_line(name: str, value: Any, why: str, *, depth: int) -> str:
    """One entry of an overlay, with why behind it."""
    told = f"  # {' '.join(why.split())}" if why else ""
    return f"{'  ' * depth}{flow(name)}: {flow(value)}{told}"
