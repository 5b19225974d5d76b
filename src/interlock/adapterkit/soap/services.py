"""A source's operations, ready to be called: services of its WSDLs, templates, and the check against the mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from interlock.adapterkit.mappingspec import MappingSpec
from interlock.adapterkit.soap.compiled import load_service
from interlock.adapterkit.soap.declaration import ListPart, OperationPart, SoapHabits, SoapKind, WritePart
from interlock.adapterkit.soap.model import Node, Operation, Service
from interlock.adapterkit.soap.templates import Template, template
from interlock.adapterkit.yamlfile import MappingError, nearest
from interlock.records.problems import Problem, invalid

_TELLING = ("get", "list", "details")
_HOLE = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")


@dataclass(frozen=True, slots=True)
class Ready:
    """One operation of one kind. ``columns`` is what a row of its answer can hold."""

    part: OperationPart
    operation: Operation
    template: Template
    path: str
    columns: frozenset[str]

    @property
    def answer(self) -> str | None:
        """The element that its answer must be."""
        return self.operation.output.name if self.operation.output is not None else None


@dataclass(frozen=True, slots=True)
class Services:
    """Operations by kind and word (get, list, ...)."""

    ready: Mapping[str, Mapping[str, Ready]]

    def get(self, kind: str, word: str) -> Ready | None:
        return self.ready.get(kind, {}).get(word)


class _Site:
    """What differs from source to source: files, settings, account."""

    def __init__(
        self, folder: Path, cache: Path | None, habits: SoapHabits, settings: Mapping[str, Any], login: Any, source: str
    ) -> None:
        own = settings.get("wsdl_folder")
        self.folders = [Path(str(own)).expanduser()] if own else []
        self.folders.append(folder / "wsdl")
        self.cache = cache
        self.habits = habits
        self.settings = settings
        self.source = source
        self._services: dict[str, Service] = {}
        self.header = {
            name: self._header(text, login) for name, text in (habits.header.fields if habits.header else {}).items()
        }

    def service(self, name: str, kind: str) -> Service:
        if name not in self._services:
            files = [folder / name for folder in self.folders]
            found = next((file for file in files if file.is_file()), None)
            if found is None:
                known = [path.name for folder in self.folders if folder.is_dir() for path in folder.glob("*.wsdl")]
                raise MappingError(
                    self.source, (kind, "soap", "wsdl"), f"{name} is not there", nearest(name, known), name
                )
            self._services[name] = load_service(found, self.habits.version, self.cache)
        return self._services[name]

    def path(self, service: Service) -> str:
        if self.habits.address is None:
            return service.address

        def value(hole: re.Match[str]) -> str:
            return quote(service.label if hole.group(1) == "service" else self._setting(hole.group(1)), safe="")

        return _HOLE.sub(value, self.habits.address)

    def _setting(self, hole: str) -> str:
        name = hole.removeprefix("setting.")
        given = self.settings.get(name)
        if given is None or given == "":
            raise invalid(f"settings.{name}", None, "is needed by this source", f"Write settings: {{{name}: …}}.")
        return str(given)

    def _header(self, text: str, login: Any) -> str:
        """A header's value; empty when the setting it names is not set."""
        if not text.startswith("{"):
            return text
        where, _, name = text.strip("{}").partition(".")
        if where == "login":
            given = getattr(login, name, None)
            return given.get_secret_value() if isinstance(given, SecretStr) else str(given or "")
        return str(self.settings.get(name) or "")


def open_services(
    folder: Path,
    specs: Mapping[str, MappingSpec],
    habits: SoapHabits,
    settings: Mapping[str, Any],
    login: Any,
    source: str,
    cache: Path | None,
) -> Services:
    """Compile what the mappings name, and compare: every operation, element, written field and code.

    Raises Problem naming kind, operation and field, and the nearest name that there is.
    """
    site = _Site(folder, cache, habits, settings, login, source)
    ready: dict[str, dict[str, Ready]] = {}
    for kind, spec in specs.items():
        if spec.soap is None:
            raise MappingError(f"mapping of {source}", (kind,), "has no soap: its operations", "Name them under soap.")
        ready[kind] = {word: _ready(site, kind, spec.soap, word, part) for word, part in spec.soap.operations().items()}
        _Check(source, kind, spec, spec.soap, ready[kind]).all()
    for kind, spec in specs.items():
        _beside(source, kind, spec, ready)
    return Services(ready)


def _ready(site: _Site, kind: str, soap: SoapKind, word: str, part: OperationPart) -> Ready:
    service = site.service(part.wsdl or soap.wsdl, kind)
    operation = service.operations.get(part.operation)
    if operation is None:
        raise MappingError(
            f"{site.source}, {service.file}", (kind, "soap", word, "operation"), f"{part.operation} is not offered",
            nearest(part.operation, service.operations), part.operation,
        )  # fmt: skip
    header = site.habits.header
    try:
        filled = template(operation, site.habits.version, site.header, header.element if header else None)
    except Problem as problem:
        problem.source = site.source
        raise
    output = operation.output
    found = output.find(part.rows) if output is not None and isinstance(part, ListPart) else output
    return Ready(part, operation, filled, site.path(service), frozenset(found.names() if found else ()))


class _Check:
    """One kind's mapping against its operations."""

    def __init__(self, source: str, kind: str, spec: MappingSpec, soap: SoapKind, ready: Mapping[str, Ready]) -> None:
        self.source = source
        self.kind = kind
        self.spec = spec
        self.soap = soap
        self.ready = ready
        self.wire = {column: name for name, each in soap.split.items() for column in each.into.values()}

    def all(self) -> None:
        for word, ready in self.ready.items():
            self._elements(word, ready)
        self._reads()
        self._writes("create", [(n, f.create) for n, f in self.spec.fields.items() if f.create is not None])
        self._writes("update", [(n, f.write) for n, f in self.spec.fields.items() if f.write is not None])
        for word in ("update", "note"):
            self._merges(word)

    def fault(self, place: tuple[str, ...], why: str, next_step: str, value: object = None) -> MappingError:
        return MappingError(f"mapping of {self.source}", (self.kind, *place), why, next_step, value)

    def _element(self, place: tuple[str, ...], name: str, known: Iterable[str], operation: str) -> None:
        names = list(known)
        if name not in names:
            raise self.fault(place, f"{name} is no element of {operation}", nearest(name, names), name)

    def _elements(self, word: str, ready: Ready) -> None:
        part, takes = ready.part, ready.operation.input.names()
        name = ready.operation.name
        for key in ("key", "query", "start", "size", "text"):
            given = getattr(part, key, None)
            if given is not None and not (word == "notes" and key == "text"):
                self._element(("soap", word, key), given, takes, name)
        default = getattr(part, "default", {})
        for each in (*part.always, *default, *(each for more in getattr(part, "by", {}).values() for each in more)):
            self._element(("soap", word, each), each, takes, name)
        if isinstance(part, ListPart) and not ready.columns:
            tells = ready.operation.output.names() if ready.operation.output else ()
            raise self.fault(
                ("soap", word, "rows"), f"{part.rows} is no element of what {name} answers", nearest(part.rows, tells)
            )
        for key in ("id", "text", "author", "created_at", "visibility") if word == "notes" else ("answer",):
            given = getattr(part, key, None)
            if given is not None:
                self._element(("soap", word, key), given, ready.columns, name)

    def _reads(self) -> None:
        told = {column for word in _TELLING if word in self.ready for column in self.ready[word].columns}
        for name, made in self.soap.made.items():
            for part in made.of:
                self._element(("soap", "made", name), part, told, "what is read")
        told |= set(self.soap.made)
        names = " and ".join(self.ready[word].operation.name for word in ("get", "list") if word in self.ready)
        for field, each in self.spec.fields.items():
            only_sent = each.read is each.create and "create" in self.ready  # not told is not known
            for path in () if only_sent else (each.read, each.key, each.label):
                if path is not None:
                    first = str(path.steps[0])
                    self._element(("fields", field), self.wire.get(first, first), told, names or "no operation")
        for path in (self.spec.key, self.spec.id):
            self._element(("key",), str(path.steps[0]), told, names or "no operation")

    def _writes(self, word: str, places: list[tuple[str, Any]]) -> None:
        ready = self.ready.get(word)
        if ready is None:
            return
        for field, path in places:
            first = self.wire.get(str(path.steps[0]), str(path.steps[0]))
            node = ready.operation.input.child(first)
            if node is None:
                hint = nearest(first, ready.operation.input.names())
                raise self.fault(
                    ("fields", field), f"is written to {first}, which {ready.operation.name} does not take",
                    f"{hint} Or set it apart: read, create or write.", first,
                )  # fmt: skip
            self._codes(field, node)

    def _codes(self, field: str, node: Node) -> None:
        table = self.spec.fields[field].codes
        if table is None or not node.values:
            return
        for word, native in table.writes.items():
            if native not in node.values:
                raise self.fault(
                    ("codes", table.name, str(word)), f"{native!r} is no value of {node.name} in the WSDL",
                    nearest(native, node.values), native,
                )  # fmt: skip

    def _merges(self, word: str) -> None:
        """A merging write must be able to give back everything it would else empty."""
        ready, get = self.ready.get(word), self.ready.get("get")
        if ready is None or not isinstance(ready.part, WritePart) or not ready.part.merge:
            return
        part = ready.part
        if get is None:
            raise self.fault(("soap", word, "merge"), "needs get, to read the record first", "Name the operation get.")
        given = {*part.always, part.key, *self.wire.values()}
        for node in ready.operation.input.children:
            held = part.same.get(node.name, node.name)
            if held in get.columns or node.name in given or any(fnmatchcase(node.name, each) for each in part.unread):
                continue
            raise self.fault(
                ("soap", word),
                f"{ready.operation.name} would empty {node.name}, which {get.operation.name} does not tell",
                "Say under same which element holds it, or under unread that its emptiness changes nothing.", node.name,
            )  # fmt: skip


def _beside(source: str, kind: str, spec: MappingSpec, ready: Mapping[str, Mapping[str, Ready]]) -> None:
    assert spec.soap is not None
    for field, elements in spec.soap.beside.items():
        each = spec.fields.get(field)
        if each is None or each.ref is None or each.ref not in ready:
            raise MappingError(
                f"mapping of {source}",
                (kind, "soap", "beside", field),
                "is no mapped reference to a kind of this source",
                nearest(field, [name for name, other in spec.fields.items() if other.ref]), field,
            )  # fmt: skip
        told = {
            column for word in ("get", "list") if word in ready[each.ref] for column in ready[each.ref][word].columns
        }
        for element, column in elements.items():
            if column not in told:
                raise MappingError(
                    f"mapping of {source}",
                    (kind, "soap", "beside", field, element),
                    f"{column} is no element of {each.ref}",
                    nearest(column, told), column,
                )  # fmt: skip
