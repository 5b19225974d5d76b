"""What a customer's WSDLs offer in place of the operations that a mapping names, told by their shapes and elements."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interlock.adapterkit.choicewords import spoken
from interlock.adapterkit.mappingspec import MappingSpec
from interlock.adapterkit.soap.compiled import load_service
from interlock.adapterkit.soap.declaration import OperationPart, SoapKind
from interlock.adapterkit.soap.likeness import LEAST, alike
from interlock.adapterkit.soap.model import Node, Operation, Service

Shape = Literal["get", "list", "create", "modify"]
SHAPES: Mapping[str, Shape] = {
    "get": "get", "list": "list", "details": "list", "notes": "list", "create": "create", "update": "modify",
    "note": "modify",
}  # fmt: skip
GROUPS = (("get", "list", "details", "create", "update"), ("note",), ("notes",))
"""Roles whose elements are of one form, so that an element has one name in all of them."""

_FEW = 3
_SERVES = 0.4  # so much of what a role needs must an operation have
_ROLES = ("id", "text", "author", "created_at", "visibility")


def shape(operation: Operation) -> Shape:
    """What an operation does, judged by what it takes and gives."""
    given = operation.output.children if operation.output is not None else ()
    if not given:
        return "modify"
    if rows(operation) is not None:
        return "list"
    return "get" if len(operation.input.children) <= _FEW < len(given) else "create"


def rows(operation: Operation) -> Node | None:
    """The element of the answer that repeats and holds a record."""
    given = operation.output.children if operation.output is not None else ()
    return next((each for each in given if each.children and (each.most is None or each.most > 1)), None)


def elements(operation: Operation, role: str) -> tuple[Node, ...]:
    """Where the elements of a record stand: in the answer of what reads, else in what it takes."""
    if SHAPES[role] in ("create", "modify"):
        return operation.input.children
    held = rows(operation) or operation.output
    return held.children if held is not None else ()


@dataclass(frozen=True, slots=True)
class Offer:
    """An operation of a customer's service, and how well it serves (0 to 1)."""

    file: str
    operation: Operation
    score: float


@dataclass(slots=True)
class Found:
    """What serves one kind: operations by role, and per group of roles how the mapping's elements are called."""

    spec: MappingSpec
    soap: SoapKind
    offers: dict[str, Offer] = dataclasses.field(default_factory=dict)
    shipped: dict[str, Operation] = dataclasses.field(default_factory=dict)
    names: dict[str, dict[str, tuple[str, float]]] = dataclasses.field(default_factory=dict)

    def node(self, role: str, name: str) -> tuple[Node | None, Node | None]:
        """The element of a role as shipped and as offered."""
        ours = elements(self.shipped[role], role) if role in self.shipped else ()
        theirs = elements(self.offers[role].operation, role) if role in self.offers else ()
        other = self.names.get(role, {}).get(name, (name, 0.0))[0]
        return (
            next((each for each in ours if each.name == name), None),
            next((each for each in theirs if each.name == other), None),
        )


def services_in(folder: Path, version: str) -> dict[str, Service]:
    """All services of a folder by file name. Raises Problem for one that is not understood."""
    return {file.name: load_service(file, version) for file in sorted(folder.glob("*.wsdl"))}


def called(spec: MappingSpec, soap: SoapKind, role: str) -> dict[str, set[str]]:
    """The elements that a mapping names for a role, and what else each of them is called."""
    found: dict[str, set[str]] = {}

    def add(name: str | None, *labels: str) -> None:
        if name:
            found.setdefault(name, {name}).update(labels)

    part = soap.operations()[role]
    if role in ("note", "notes"):
        for word in _ROLES:
            add(getattr(part, word, None), word)
    else:
        _fields(spec, soap, role, add)
    if SHAPES[role] in ("create", "modify"):
        for name in _sent(part):
            add(name)
        if role == "create":
            for field, beside in soap.beside.items():
                for name, column in beside.items():
                    add(name, f"{field} {column}")
    return found


def _fields(spec: MappingSpec, soap: SoapKind, role: str, add: Callable[..., None]) -> None:
    wire = {column: name for name, each in soap.split.items() for column in each.into.values()}
    for field, each in spec.fields.items():
        said = (field, *spoken()["fields"].get(field, ()), *(name.strip("'") for name in each.filters.values()))
        place = {"create": each.create, "update": each.write}.get(role, each.read)
        if place is not None:
            first = str(place.steps[0])
            named = said if each.label is None else said[1 + len(spoken()["fields"].get(field, ())) :]
            for name in soap.made[first].of if first in soap.made else (wire.get(first, first),):
                add(name, *(() if first in wire or first in soap.made else named))
        if each.label is not None and role in ("get", "list"):  # what the field is called on screens is its name
            add(str(each.label.steps[0]), f"{field}_name", *said[: 1 + len(spoken()["fields"].get(field, ()))])
    if role in ("get", "list"):
        for path in (spec.key, spec.id):
            add(str(path.steps[0]))


def _sent(part: OperationPart) -> Iterator[str]:
    yield from part.always
    yield from getattr(part, "default", {})
    for more in getattr(part, "by", {}).values():
        yield from more
    if getattr(part, "key", None):
        yield part.key  # type: ignore[attr-defined]


def serving(
    role: str, labels: Mapping[str, set[str]], shipped: Operation | None, services: Iterable[Service]
) -> Offer | None:
    """The operation of the same shape that has most of what the role needs; None when none has enough."""
    ours = {node.name: node for node in elements(shipped, role)} if shipped is not None else {}
    best: Offer | None = None
    for service in services:
        for operation in service.operations.values():
            if shape(operation) != SHAPES[role]:
                continue
            nodes = elements(operation, role)
            found = renamed(labels, ours, nodes)
            score = sum(each for _, each in found.values()) / (len(labels) or 1)
            if score >= _SERVES and (best is None or score > best.score):
                best = Offer(service.file, operation, score)
    return best


def renamed(
    labels: Mapping[str, set[str]], shipped: Mapping[str, Node], nodes: Iterable[Node]
) -> dict[str, tuple[str, float]]:
    """For each element of the mapping the one that is most like it, each given once, the likest pair first."""
    nodes = list(nodes)
    found = {name: (name, 1.0) for name in labels if any(node.name == name for node in nodes)}
    used = set(found)
    pairs = [(alike(said, shipped.get(name), node), name, node.name) for name, said in labels.items() for node in nodes]
    for score, name, other in sorted(pairs, key=lambda pair: -pair[0]):
        if score >= LEAST and name not in found and other not in used:
            found[name] = (other, score)
            used.add(other)
    return found
