"""A mapping file, read and checked: what each canonical field is in one source's terms.

Types come from the contract; the file says where a field is and what is unusual. A site's overlay is
merged over it first: entries replace entries, ``null`` removes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field as Described

from interlock.adapterkit.codes import CodeTable, compile_codes
from interlock.adapterkit.forms import InstantForm, instant_form
from interlock.adapterkit.manifest import Manifest, Words
from interlock.adapterkit.paths import Path, Step, parse_path
from interlock.adapterkit.soap.declaration import SoapKind
from interlock.adapterkit.yamlfile import Document, Part, Place, nearest
from interlock.records.fields import EXT, EXT_NAME, OPERATORS, Field
from interlock.records.kinds import FIELDS
from interlock.records.refs import KINDS

_FLAG = "true or false"
_UNTYPED = ("refs", "words", "duration", "object", "day")  # no field of the contract has them yet


class FieldPart(Part):
    """Keys of a field. ``at`` is read, written and asked; ``read``, ``write``, ``create`` set them apart."""

    at: str | None = None
    read: str | None = None
    write: str | None = None
    create: str | None = None
    codes: str | None = None
    ref: str | None = None
    key: str | None = None
    name: str | None = None
    filter: Literal[False] | str | dict[str, str] | None = None
    loose: bool = False
    sort: Literal[False] | str | None = None
    unset: Words = ()
    as_: str | None = Described(default=None, alias="as")
    zone: str | None = None
    template: str | None = None
    const: str | bool | int | None = None
    write_as: Any = None
    by: str | None = None
    choices: str | None = None


class ExtPart(Part):
    """A field of this instance that the contract does not know: typed, read and asked, never written."""

    at: str
    type: Literal["word", "text", "long_text", "int", "bool", "instant", "enum", "ref"] = "word"
    label: str = ""
    codes: str | None = None
    ref: str | None = None
    key: str | None = None
    name: str | None = None
    filter: Literal[False] | str | dict[str, str] | None = None
    unset: Words = ()
    as_: str | None = Described(default=None, alias="as")
    zone: str | None = None

    def field(self, name: str, tables: Mapping[str, CodeTable]) -> Field:
        """The field as filters and answers know it."""
        table = tables.get(self.codes or "")
        values = tuple(map(str, table.words())) if self.type == "enum" and table else ()
        refers = (self.ref,) if self.ref else ()
        return Field(f"{EXT}{name}", self.type, values, refers, writable=False, description=self.label)

    def keys(self) -> FieldPart:
        """The same as keys of a field."""
        said = self.model_dump(exclude={"at", "type", "label"}, exclude_unset=True, by_alias=True)
        return FieldPart.model_validate({"read": self.at, **said})


class NotesPart(Part):
    """Columns that a note is written to."""

    write: dict[Literal["internal", "public"], str]


class RequirePart(Part):
    """When all these values hold, these fields must be there."""

    when: dict[str, str | bool]
    fields: tuple[str, ...]


class WritePart(Part):
    """``clear_also``: the source empties these fields when that one changes. ``create``: native constants
    that every create carries besides."""

    clear_also: dict[str, tuple[str, ...]] = {}
    create: dict[str, Any] = {}


class InversePart(Part):
    """Native values of a field for which two other fields change places: the source tells it from the other end."""

    field: str
    natives: Words
    swap: tuple[str, str]


class MappingPart(Part):
    """A mapping file."""

    kind: str
    entity: str
    key: str
    id: str | None = None
    text: bool = True
    fields: dict[str, Any]
    ext: dict[str, Any] = {}
    codes: dict[str, Any] = {}
    require: tuple[RequirePart, ...] = ()
    write: WritePart = WritePart()
    inverse: InversePart | None = None
    always: dict[str, str | int] = {}
    by: str | None = None
    parts: dict[str, Any] = {}
    soap: SoapKind | None = None
    transitions: dict[str, Words] = {}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of one kind in one source. ``filters`` maps operators to native names."""

    name: str
    field: Field
    read: Path | None
    write: Path | None
    create: Path | None
    codes: CodeTable | None
    ref: str | None
    key: Path | None
    label: Path | None
    plain_key: bool  # the kind it refers to is known by its handle: no tilde
    filters: Mapping[str, str]
    sort: str | None
    unset: tuple[str, ...]
    form: InstantForm | None
    bound: InstantForm | None
    template: str | None
    const: Any
    write_as: Any = None
    by: Path | None = None
    choices: str | None = None
    loose: bool = False  # the source may find more by it than the records show


@dataclass(frozen=True, slots=True)
class MappingSpec:
    """A checked mapping. ``part``: the place it is of, for a kind kept in several; ``by`` where a row tells it."""

    kind: str
    entity: str
    key: Path
    id: Path
    searchable: bool
    fields: Mapping[str, FieldSpec]
    notes: Mapping[str, Path]
    require: tuple[RequirePart, ...]
    clears: Mapping[str, tuple[str, ...]]
    inverse: InversePart | None
    always: Mapping[str, str]
    beside: Mapping[str, Any]
    by: Path | None
    part: str
    transitions: Mapping[str, tuple[str, ...]]
    soap: SoapKind | None = None


def read_mapping(
    document: Document, manifest: Manifest, keyed_by_handle: frozenset[str], named: str = ""
) -> MappingSpec:
    """Check a mapping. ``keyed_by_handle``: kinds whose readable key is the handle; ``named``: the part of
    the kind that this is. Raises MappingError."""
    part = MappingPart.load(document)
    if part.kind not in FIELDS:
        raise document.unknown(("kind",), FIELDS, f"a kind with fields: {part.kind}")
    known = FIELDS[part.kind]
    flat = manifest.wire.paths == "flat"
    tables = {name: compile_codes(name, data, document, ("codes", name)) for name, data in part.codes.items()}
    entries = dict(part.fields)
    notes = _notes(entries, document, flat)
    specs = {}
    for name, entry in entries.items():
        place = ("fields", name)
        if name not in known:
            raise document.unknown(place, known, f"a field of {part.kind}")
        keys = FieldPart.load(document, place, {"at": entry} if isinstance(entry, str) else entry)
        specs[name] = _Reader(document, manifest, place, keys, known[name], tables, keyed_by_handle).spec()
    for name, entry in part.ext.items():
        place = ("ext", name)
        if not re.fullmatch(EXT_NAME, name):
            raise document.fault(place, "is no name of a field", "Use letters, digits and _, 63 at most.")
        own = ExtPart.load(document, place, {"at": entry} if isinstance(entry, str) else entry)
        if own.type == "bool" and own.codes is None:
            tables.setdefault(_FLAG, compile_codes(_FLAG, {True: "true", False: "false"}, document, place))
            own = own.model_copy(update={"codes": _FLAG})
        if own.type == "ref" and own.ref is None:
            raise document.fault(place, "needs ref: the kind it refers to", "Write ref: group.")
        typed = own.field(name, tables)
        specs[typed.name] = _Reader(document, manifest, place, own.keys(), typed, tables, keyed_by_handle).spec()
    _one_writer(specs, notes, document)
    for name in () if named else tables:  # parts share their tables, and not every part needs every one
        if not any(spec.codes is tables[name] for spec in specs.values()):
            used = {spec.codes.name for spec in specs.values() if spec.codes}
            raise document.fault(("codes", name), "is used by no field", f"Used: {', '.join(sorted(used)) or 'none'}.")
    _known_names(part, specs, document)
    key = _path(part.key, document, ("key",), flat)
    return MappingSpec(
        kind=part.kind,
        entity=part.entity,
        key=key,
        id=_path(part.id, document, ("id",), flat) if part.id else key,
        searchable=part.text,
        fields=specs,
        notes=notes,
        require=part.require,
        clears=part.write.clear_also,
        inverse=part.inverse,
        always={name: str(value) for name, value in part.always.items()},
        beside=part.write.create,
        by=_path(part.by, document, ("by",), flat) if part.by else None,
        part=named,
        soap=part.soap,
        transitions=part.transitions,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document
    manifest: Manifest
    place: Place
    keys: FieldPart
    field: Field
    tables: Mapping[str, CodeTable]
    keyed_by_handle: frozenset[str]

    def spec(self) -> FieldSpec:
        keys, field, wire = self.keys, self.field, self.manifest.wire
        read, write = self.path("read") or self.path("at"), self.path("write") or self.path("at")
        create = self.path("create") or write
        read = read or self.path("create")
        places = sum(thing is not None for thing in (read or create, keys.template, keys.const))
        if places != 1:
            raise self.fault((), "must say one of: where it is (at, read, write, create), template, or const")
        if field.type in _UNTYPED or (field.type == "url" and keys.template is None and read is None):
            raise self.fault((), f"has the type {field.type}, which a mapping cannot hold yet")
        if field.type in ("url", "version") and (keys.at or keys.write or keys.create):
            raise self.fault((), "can only be read", "Use read, or template for an address.")
        for way, place in (("write", write), ("create", create)):
            if place is not None and place.selects:
                raise self.fault(
                    (way if getattr(keys, way) else "at",), "goes through a list, which can only be read", "Use read."
                )
        self.wrapped()
        filters = self.filters(read)
        form, bound = self.instants()
        return FieldSpec(
            name=field.name,
            field=field,
            read=read,
            write=write,
            create=create,
            codes=self.codes(),
            ref=self.ref(),
            key=self.path("key"),
            label=self.path("name"),
            plain_key=keys.ref in self.keyed_by_handle,
            filters=filters,
            sort=self.sort(filters, read),
            unset=(*keys.unset, *wire.unset, *(wire.instant.unset if field.type == "instant" else ())),
            form=form,
            bound=bound,
            template=keys.template,
            const=keys.const,
            write_as=keys.write_as,
            by=self.path("by"),
            choices=keys.choices,
            loose=keys.loose,
        )

    def fault(self, at: Place, why: str, next_step: str | None = None) -> Exception:
        return self.document.fault((*self.place, *at), why, next_step)

    def path(self, key: str) -> Path | None:
        text = getattr(self.keys, key)
        flat = self.manifest.wire.paths == "flat"
        return None if text is None else _path(text, self.document, (*self.place, key), flat)

    def wrapped(self) -> None:
        """What a value is written in, and which kind of record it names."""
        keys = self.keys
        if keys.write_as is not None:
            if not (keys.at or keys.write or keys.create):
                raise self.fault(("write_as",), "does not apply: the field is never written")
            if _holes(keys.write_as) != 1:
                raise self.fault(("write_as",), "must hold {v}, the value, once", "Write {name: '{v}'} or 'x:{v}'.")
        if keys.by is not None and (keys.ref is None or self.manifest.wire.leaf is not None):
            raise self.fault(("by",), "tells of a reference by handle which part it names; this is none")

    def codes(self) -> CodeTable | None:
        name, field = self.keys.codes, self.field
        if field.type not in ("enum", "bool"):
            if name is not None:
                raise self.fault(("codes",), f"does not apply: {field.name} is a {field.type}")
            return None
        if self.keys.const is not None:
            if self.keys.const not in (field.values if field.type == "enum" else (True, False)):
                raise self.document.unknown((*self.place, "const"), field.values, f"a value of {field.name}")
            return None
        if name is None:
            raise self.fault((), f"is an {field.type} and needs codes", f"Tables: {', '.join(self.tables) or 'none'}.")
        if name not in self.tables:
            raise self.document.fault(
                (*self.place, "codes"), f"{name!r} is not a code table", nearest(name, self.tables), name
            )
        table = self.tables[name]
        allowed: tuple[str | bool, ...] = field.values if field.type == "enum" else (True, False)
        for word in table.words():
            if word not in allowed or type(word) is not type(allowed[0]):
                place = ("codes", name, str(word).lower() if isinstance(word, bool) else word)
                raise self.document.unknown(place, map(str, allowed), f"a value of {field.name}")
        return table

    def ref(self) -> str | None:
        kind, field = self.keys.ref, self.field
        if field.type != "ref":
            if kind is not None or self.keys.key or self.keys.name:
                raise self.fault((), f"is no reference but a {field.type}", "Leave ref, key and name out.")
            return None
        if kind is None:
            raise self.fault((), "needs ref: the kind it refers to", f"Write ref: {field.refers[0]}.")
        if kind not in KINDS or kind not in field.refers:
            raise self.document.fault(
                (*self.place, "ref"), f"{kind!r} is not a kind that {field.name} refers to",
                f"Kinds: {', '.join(field.refers)}.", kind,
            )  # fmt: skip
        return kind

    def filters(self, read: Path | None) -> dict[str, str]:
        given, offered = self.keys.filter, OPERATORS[self.field.type]
        if given in (False, "no") or self.manifest.query.style == "rows":
            return {}
        if isinstance(given, dict):
            for op, asked in given.items():
                if op not in offered:
                    raise self.document.unknown(
                        (*self.place, "filter", op), offered, f"an operator of {self.field.name}"
                    )
                self.native_name(asked, ("filter", op))
            return dict(given)
        name = given if isinstance(given, str) else read.column if read else None
        if name is None:
            return {}
        self.native_name(name, ("filter",) if given else ())
        return dict.fromkeys(offered, name)

    def native_name(self, name: str, at: Place) -> None:
        allowed = self.manifest.query.field
        if not re.fullmatch(allowed, name):
            raise self.fault(at, f"{name!r} cannot be asked for by that name", "Give filter: a native name, or no.")

    def sort(self, filters: Mapping[str, str], read: Path | None) -> str | None:
        given = self.keys.sort
        if given in (False, "no") or not self.field.sortable or self.manifest.query.order is None:
            return None
        name = given if isinstance(given, str) else next(iter(filters.values()), None)
        if name is not None:
            self.native_name(name, ("sort",))
        return name

    def instants(self) -> tuple[InstantForm | None, InstantForm | None]:
        if self.field.type != "instant":
            for key in ("as_", "zone"):
                if getattr(self.keys, key) is not None:
                    raise self.fault((key.rstrip("_"),), f"does not apply: {self.field.name} is a {self.field.type}")
            return None, None
        wire = self.manifest.wire.instant
        asked = self.manifest.query.instant
        form, zone = self.keys.as_ or wire.as_, self.keys.zone or wire.zone
        try:
            read = instant_form(form, zone)
            return read, instant_form(asked.as_, asked.zone) if asked else read
        except ValueError as failure:
            raise self.fault((), str(failure)) from None


def _holes(shape: Any) -> int:
    if isinstance(shape, str):
        return shape.count("{v}")
    if isinstance(shape, dict):
        return sum(map(_holes, shape.values()))
    return sum(map(_holes, shape)) if isinstance(shape, list) else 0


def _path(text: str, document: Document, place: Place, flat: bool) -> Path:
    try:
        return parse_path(text, flat=flat)
    except ValueError as failure:
        raise document.fault(place, str(failure), value=text) from None


def _notes(entries: dict[str, Any], document: Document, flat: bool) -> dict[str, Path]:
    given = entries.pop("notes", None)
    if given is None:
        return {}
    part = NotesPart.load(document, ("fields", "notes"), given)
    place = ("fields", "notes", "write")
    return {name: _path(text, document, (*place, name), flat) for name, text in part.write.items()}


def _one_writer(specs: Mapping[str, FieldSpec], notes: Mapping[str, Path], document: Document) -> None:
    taken: list[tuple[tuple[Step, ...], str]] = [(path.steps, f"notes.{name}") for name, path in notes.items()]
    for name, spec in specs.items():
        told = spec.by if spec.write or spec.create else None
        for path in {place.steps: place for place in (spec.write, spec.create, told) if place}.values():
            for steps, other in taken:
                shorter = min(len(steps), len(path.steps))
                if other != name and steps[:shorter] == path.steps[:shorter]:
                    raise document.fault(
                        ("fields", name),
                        f"writes {path.text}, which {other} writes too",
                        "Let one of them be read only.",
                    )
            taken.append((path.steps, name))


def _known_names(part: MappingPart, specs: Mapping[str, FieldSpec], document: Document) -> None:
    for index, rule in enumerate(part.require):
        for name in (*rule.when, *rule.fields):
            if name not in specs:
                raise document.unknown(("require", index, name), specs, "a mapped field")
        for name, value in rule.when.items():
            allowed = specs[name].field.values
            if allowed and value not in allowed:
                place = ("require", index, "when", name)
                raise document.fault(place, f"{value!r} is not a value of {name}", f"Values: {', '.join(allowed)}.")
    for name, others in part.write.clear_also.items():
        for each in (name, *others):
            if each not in specs:
                raise document.unknown(("write", "clear_also", each), specs, "a mapped field")
    if part.inverse:
        for each in (part.inverse.field, *part.inverse.swap):
            if each not in specs:
                raise document.unknown(("inverse", each), specs, "a mapped field")
        if any(specs[each].write for each in (part.inverse.field, *part.inverse.swap)):
            raise document.fault(("inverse",), "swaps fields that are changed", "Use create or read for them.")
