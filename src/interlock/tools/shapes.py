"""A JSON Schema read as alternatives: each one JSON type, and the schemas that must all hold of it.

So ``anyOf``, ``allOf``, ``$ref``, lists of types, nullable values, enums and constants all become one thing, which
``inclusion`` compares pair by pair. ``accepts`` says whether one value is taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

TYPES = ("null", "boolean", "number", "string", "array", "object")
SIZES = {"string": "Length", "array": "Items", "object": "Properties"}
"""Types that have a size, and the end of its keywords."""


@dataclass(frozen=True, slots=True)
class Node:
    """A schema, the pointer to it, and the document that its references are of, with the pointer to that."""

    schema: Any
    at: str
    root: Mapping[str, Any]
    root_at: str = ""

    def below(self, *steps: str | int) -> Node:
        """The schema at the end of these steps."""
        schema, at = self.schema, self.at
        for step in steps:
            schema, at = schema[step], f"{at}/{escaped(str(step))}"
        return Node(schema, at, self.root, self.root_at)

    def target(self) -> Node:
        """What ``$ref`` points to, in this document."""
        node = Node(self.root, self.root_at, self.root, self.root_at)
        for step in str(self.schema["$ref"]).removeprefix("#").split("/")[1:]:
            node = node.below(step.replace("~1", "/").replace("~0", "~"))
        return node


Nodes = tuple[Node, ...]  # all of them hold


@dataclass(frozen=True, slots=True)
class Shape:
    """Values of one type for which all parts hold; ``values``: only these.

    ``unsure``: where a ``oneOf`` stands whose alternatives are not shown to exclude each other, so that not all
    of these values may be taken.
    """

    type: str
    parts: Nodes = ()
    values: tuple[Any, ...] | None = None
    unsure: str | None = None

    def all(self, keyword: str) -> list[Any]:
        """What the parts say under a keyword."""
        return [part.schema[keyword] for part in self.parts if keyword in part.schema]

    def at(self, keyword: str) -> str | None:
        """Where a keyword stands, else where the shape does."""
        for part in self.parts:
            if keyword in part.schema:
                return f"{part.at}/{keyword}"
        return self.parts[0].at if self.parts else None

    @property
    def whole(self) -> bool:
        """Numbers without a fraction only."""
        kinds = [{kind} if isinstance(kind, str) else set(kind) for kind in self.all("type")]
        return any("integer" in kind and "number" not in kind for kind in kinds)

    @property
    def required(self) -> set[str]:
        return {name for names in self.all("required") for name in names}

    @property
    def names(self) -> list[str]:
        """Members that are declared, in order."""
        return list(dict.fromkeys(name for members in self.all("properties") for name in members))

    def member(self, name: str | None, open_: bool) -> Nodes:
        """What must hold for a member; None: for one that nothing declares. ``open_``: see ``Inclusion``."""
        found = []
        for part in self.parts:
            if name is not None and name in part.schema.get("properties", ()):
                found.append(part.below("properties", name))
            elif "additionalProperties" in part.schema and not (open_ and part.schema["additionalProperties"] is False):
                found.append(part.below("additionalProperties"))
        return tuple(found)


def escaped(step: str) -> str:
    """A step of a JSON pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, of in (("number", int | float), ("string", str), ("array", list)):
        if isinstance(value, of):
            return kind
    return "object"


def shapes(nodes: Nodes) -> list[Shape]:
    """The alternatives of schemas that must all hold."""
    found = [Shape(kind) for kind in TYPES]
    for node in nodes:
        found = _meet(found, _alternatives(node))
    return found


def _alternatives(node: Node) -> list[Shape]:
    schema = node.schema
    if schema is True:
        return [Shape(kind) for kind in TYPES]
    if schema is False:
        return []
    kinds = schema.get("type", TYPES)
    kinds = [kinds] if isinstance(kinds, str) else kinds
    found = []
    for kind in dict.fromkeys("number" if kind == "integer" else kind for kind in kinds):
        values: tuple[Any, ...] | None = {"null": (None,), "boolean": (False, True)}.get(kind)
        if "enum" in schema:
            values = tuple(value for value in schema["enum"] if kind_of(value) == kind)
        if "const" in schema:
            values = (schema["const"],) if kind_of(schema["const"]) == kind else ()
        if values != ():
            found.append(Shape(kind, (node,), values))
    if "$ref" in schema:
        found = _meet(found, _alternatives(node.target()))
    for index in range(len(schema.get("allOf", ()))):
        found = _meet(found, _alternatives(node.below("allOf", index)))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            each = [_alternatives(node.below(keyword, index)) for index in range(len(schema[keyword]))]
            choices = [shape for shapes in each for shape in shapes]
            if keyword == "oneOf" and not all(_apart(one, other) for one, other in combinations(each, 2)):
                choices = [replace(shape, unsure=f"{node.at}/oneOf") for shape in choices]
            found = _meet(found, choices)
    return found


def _meet(ones: list[Shape], others: list[Shape]) -> list[Shape]:
    found = []
    for one, other in product(ones, others):
        if one.type != other.type:
            continue
        values = other.values if one.values is None else one.values
        if one.values is not None and other.values is not None:
            values = tuple(value for value in one.values if among(value, other.values))
        if values != ():
            found.append(Shape(one.type, (*one.parts, *other.parts), values, one.unsure or other.unsure))
    return found


def among(value: Any, values: Iterable[Any]) -> bool:
    return any(kind_of(value) == kind_of(other) and value == other for other in values)


def accepts(nodes: Nodes, value: Any) -> bool:
    """Whether one value is taken."""
    return any(holds(shape, value) for shape in shapes(nodes))


def holds(shape: Shape, value: Any) -> bool:
    if shape.type != kind_of(value) or (shape.values is not None and not among(value, shape.values)):
        return False
    if shape.type == "number":
        (low, above), (high, below) = low_of(shape), high_of(shape)
        fits = (low < value or (low == value and not above)) and (value < high or (value == high and not below))
        return fits and not (shape.whole and value != int(value))
    if shape.type in SIZES:
        least, most = size_of(shape)
        if not least <= len(value) <= most:
            return False
    if shape.type == "string":
        return all(re.search(pattern, value) for pattern in shape.all("pattern"))
    if shape.type == "array":
        return all(accepts(items_of(shape), entry) for entry in value)
    if shape.type == "object":
        members = all(accepts(shape.member(name, False), entry) for name, entry in value.items())
        return members and shape.required <= value.keys()
    return True


def items_of(shape: Shape) -> Nodes:
    return tuple(part.below("items") for part in shape.parts if "items" in part.schema)


def size_of(shape: Shape) -> tuple[float, float]:
    word = SIZES[shape.type]
    return max((0, *shape.all(f"min{word}"))), min((math.inf, *shape.all(f"max{word}")))


def low_of(shape: Shape) -> tuple[float, bool]:
    """The lowest number and whether it is excluded."""
    bounds = [(low, False) for low in shape.all("minimum")] + [(low, True) for low in shape.all("exclusiveMinimum")]
    low, excluded = max(bounds, default=(-math.inf, False))
    if shape.whole and low != -math.inf:
        return (math.floor(low) + 1, False) if excluded else (math.ceil(low), False)
    return low, excluded


def high_of(shape: Shape) -> tuple[float, bool]:
    bounds = [(-high, False) for high in shape.all("maximum")] + [
        (-high, True) for high in shape.all("exclusiveMaximum")
    ]
    high, excluded = max(bounds, default=(-math.inf, False))
    if shape.whole and high != -math.inf:
        return (-(math.floor(high) + 1), False) if excluded else (-math.ceil(high), False)
    return -high, excluded


def _apart(ones: list[Shape], others: list[Shape]) -> bool:
    """Whether no value is of both; by type, by values, or by those of a member that both require."""
    for one, other in product(ones, others):
        if not _meet([one], [other]):
            continue
        both = one.required & other.required if one.type == "object" else ()
        if not any(not shapes((*one.member(name, False), *other.member(name, False))) for name in both):
            return False
    return True
