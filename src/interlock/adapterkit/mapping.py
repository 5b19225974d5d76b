"""A compiled mapping: how one kind of record and one source's rows correspond, in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import Any

from interlock.adapterkit.decodegen import Decoder, compile_decoder, template_parts
from interlock.adapterkit.encode import (
    WriteOp,
    encode,
    field_of,
    native_value,
    needs_handle,
    part_and_handle,
    ref_of,
    turn,
    writes_key,
)
from interlock.adapterkit.manifest import Manifest
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Native, Plan
from interlock.adapterkit.plan import SEARCHED, Planner
from interlock.records.fields import EXT, UNMAPPED, Field, FieldType
from interlock.records.filters import Query, fold
from interlock.records.kinds import FIELDS
from interlock.records.problems import invalid
from interlock.records.refs import Ref

_NO_HANDLES: MappingType[str, str] = {}
_REMEMBERED = 256
_PLANS = 256
_SHORT = 3000


@dataclass(frozen=True, slots=True)
class FieldUse:
    """What one source does with a canonical field. ``operators`` are those it can be asked itself."""

    name: str
    type: FieldType
    native: str | None
    readable: bool
    writable: bool  # of an existing record
    creatable: bool
    sortable: bool
    operators: tuple[str, ...]
    by_key: bool = False  # a reference that is written by the readable key, not by the handle

    @property
    def filterable(self) -> bool:
        return bool(self.operators)


@dataclass(frozen=True, slots=True)
class Mapping:
    """One kind in one source. Immutable but for its caches; safe to share."""

    spec: MappingSpec
    manifest: Manifest
    source: str
    fields: MappingType[str, FieldUse]
    decoder: Decoder
    planner: Planner
    version: str | None  # native column of the record's version
    _columns: MappingType[str, tuple[str, ...]]
    _asked: dict[tuple[str, ...] | None, tuple[str, ...]] = field(default_factory=dict)
    _plans: dict[Query, Plan] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.spec.kind

    @property
    def entity(self) -> str:
        """The native table, type or resource."""
        return self.spec.entity

    @property
    def key(self) -> str:
        """Native column of the readable key."""
        return self.spec.key.column

    @property
    def id(self) -> str:
        """Native column of the handle."""
        return self.spec.id.column

    @property
    def note_columns(self) -> dict[str, str]:
        """Native columns a note is written to, by visibility; empty when the adapter does it."""
        return {name: path.column for name, path in self.spec.notes.items()}

    @property
    def clears(self) -> MappingType[str, tuple[str, ...]]:
        """Fields that the source empties by itself when another one changes."""
        return self.spec.clears

    @property
    def ext(self) -> dict[str, Field]:
        """Fields that the contract does not know, by name."""
        return {name: each.field for name, each in self.spec.fields.items() if name.startswith(EXT)}

    def columns(self, fields: Iterable[str] | None = None) -> tuple[str, ...]:
        """Native columns to ask for: those of the fields (all when None), of the ref and the version.

        Raises invalid-argument for a name that is no field of the kind; fields that this source does not
        have add nothing.
        """
        wanted = None if fields is None else tuple(dict.fromkeys(fields))
        found = self._asked.get(wanted)
        if found is None:
            found = self._find_columns(wanted)
            if len(self._asked) < _REMEMBERED:
                self._asked[wanted] = found
        return found

    def _find_columns(self, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
        names = dict.fromkeys((self.id, self.key))
        if self.version:
            names[self.version] = None
        inverse = self.spec.inverse
        asked = list(self._columns if wanted is None else wanted)
        for name in asked:
            if name == "ext":
                asked += [each for each in self._columns if each.startswith(EXT) and each not in asked]
            elif name not in FIELDS[self.kind] and name not in ("ref", "native") and not name.startswith(EXT):
                raise invalid(
                    "fields", name, f"is not a field of {self.kind}", f"Known: {', '.join(FIELDS[self.kind])}."
                )
            if inverse and name in inverse.swap:
                asked += [each for each in (inverse.field, *inverse.swap) if each not in asked]
            names |= dict.fromkeys(self._columns.get(name, ()))
        return tuple(names)

    def decode(self, native: Native) -> dict[str, Any]:
        """The canonical record of a row, JSON-ready. Columns that are missing stay absent.

        Raises source-fault for a row without key and handle, or with values of another form than declared.
        """
        return self.decoder.decode(native)

    def handle(self, native: Native) -> str | None:
        """The native handle of a row, None when it is missing."""
        return self.decoder.handle(native)

    def encode(
        self,
        changes: MappingType[str, Any],
        op: WriteOp,
        handles: MappingType[str, str] = _NO_HANDLES,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """The native payload of changes; None clears. ``handles`` gives the handle of each ref to resolve,
        ``key`` is that of the record's ref: of a kind in several places it tells which.

        Raises Problem unmapped-value or invalid-argument, naming the field and the way out.
        """
        return encode(self.spec, self.manifest.wire, self.source, changes, op, handles)

    def encode_note(self, visibility: str, text: str) -> dict[str, Any]:
        """The native payload that adds a note. Raises invalid-argument."""
        if visibility not in self.spec.notes:
            able = ", ".join(self.spec.notes) or "none here"
            raise invalid("visibility", visibility, "is not offered by this source", f"Visibilities: {able}.")
        payload: dict[str, Any] = {}
        self.spec.notes[visibility].put(payload, text)
        return payload

    def to_resolve(self, changes: MappingType[str, Any]) -> dict[str, Ref]:
        """Refs among changes that must be looked up before ``encode``: field to ref. Raises invalid-argument."""
        found = {}
        for name, value in changes.items():
            each = self.spec.fields.get(name)
            if each is not None and each.field.type == "ref" and value is not None:
                ref = ref_of(each, value)
                if ref.source == self.source and needs_handle(each, ref):
                    found[name] = ref
        return found

    def norm(
        self,
        changes: MappingType[str, Any],
        handles: MappingType[str, str] = _NO_HANDLES,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """What this source will hold after the changes: encoded, then decoded; receipts compare with it.

        Fields that cannot be read back are left out. A ref given by its readable key keeps that key.
        """
        row: dict[str, Any] = {}
        for name, value in changes.items():
            each = field_of(self.spec, name, value)
            if each.read is None:
                continue
            native = native_value(each, self.manifest.wire, self.source, value, handles)
            if each.by is not None and value is not None:
                told, native = part_and_handle(each, native)
                each.by.put(row, told)
            each.read.put(row, native)
            if each.field.type == "ref" and value is not None and each.key is not None and each.key != each.read:
                ref = ref_of(each, value)
                if ref.handle is None:
                    each.key.put(row, ref.key)
        turn(self.spec, row, "read")
        record: dict[str, Any] = {}
        self.decoder.fields(row, record)
        return {name: record[name] for name in changes if name in record}

    def require(self, changes_after: MappingType[str, Any]) -> list[str]:
        """Fields that the record would lack, by the mapping's rules, if it were as given."""
        missing: dict[str, None] = {}
        for rule in self.spec.require:
            if all(changes_after.get(name) == value for name, value in rule.when.items()):
                missing |= dict.fromkeys(n for n in rule.fields if changes_after.get(n) in (None, "", UNMAPPED))
        return list(missing)

    def plan(self, query: Query) -> Plan:
        """A canonical query in this source's terms; see interlock.adapterkit.plan."""
        found = self._plans.get(query)
        if found is None:
            found = self.planner.plan(query)
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            if len(repr(query)) <= _SHORT:  # what agents ask is repeated; what is huge is not kept
                self._plans[query] = found
        return found

    def holds_text(self, text: str, record: MappingType[str, Any]) -> bool:
        """The check of a text search afterwards: every word occurs in some text of the record."""
        values = [record.get(n) for n, each in self.spec.fields.items() if each.field.type in SEARCHED]
        hay = "\n".join(fold(value) for value in values if isinstance(value, str))
        return all(word in hay for word in fold(text).split())

    def describe(self) -> list[dict[str, Any]]:
        """A row for each field, for documentation and ``interlock adapter try``."""
        rows = []
        for name, use in self.fields.items():
            spec = self.spec.fields[name]
            rows.append(
                {
                    "field": name,
                    "type": use.type,
                    "native": use.native,
                    "read": use.readable,
                    "write": use.writable,
                    "create": use.creatable,
                    "asked": list(use.operators),
                    "sort": use.sortable,
                    "codes": _codes(spec),
                    "ref": spec.ref,
                }
            )
        return rows


def _codes(spec: FieldSpec) -> dict[str, list[str]] | None:
    table = spec.codes
    if table is None:
        return None
    return {
        str(word): [*table.asks.get(word, ()), *(glob.text for glob in table.globs_of(word))] for word in table.words()
    }


def build_mapping(spec: MappingSpec, manifest: Manifest, source: str, settings: MappingType[str, Any]) -> Mapping:
    """Compile a checked mapping for one source."""
    columns = {name: _columns_of(each, manifest, settings) for name, each in spec.fields.items()}
    version = spec.fields.get("version")
    fields: dict[str, FieldUse] = {}

    def ask(names: Iterable[str] | None) -> tuple[str, ...]:
        return mapping.columns(names)

    planner = Planner.of(spec, manifest.query, source, ask)
    for name, each in spec.fields.items():
        place = each.read or each.write or each.create
        fields[name] = FieldUse(
            name=name,
            type=each.field.type,
            native=place.text if place else each.template or str(each.const),
            readable=each.read is not None or each.const is not None or bool(columns[name]),
            writable=each.write is not None,
            creatable=each.create is not None,
            sortable=name in planner.order or (manifest.query.style == "rows" and each.field.sortable),
            operators=planner.pushes(each),
            by_key=each.field.type == "ref" and writes_key(each),
        )
    mapping = Mapping(
        spec=spec,
        manifest=manifest,
        source=source,
        fields=fields,
        decoder=compile_decoder(spec, manifest.wire, source, settings),
        planner=planner,
        version=version.read.column if version and version.read else None,
        _columns=columns,
    )
    return mapping


def _columns_of(each: FieldSpec, manifest: Manifest, settings: MappingType[str, Any]) -> tuple[str, ...]:
    if each.template is not None:
        parts = template_parts(each.template, settings)
        return tuple(column for _, column in parts or () if column)
    return tuple(dict.fromkeys(path.column for path in (each.read, each.key, each.label, each.by) if path))
