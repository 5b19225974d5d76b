"""Whether one JSON Schema takes all that another takes, and if not, what it leaves out and where.

It never says yes where the answer is no: what it cannot prove (two different patterns, a keyword it does not know) is
a gap. That several alternatives together cover one is not tried either, but for values: one must do.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from interlock.tools.shapes import (
    SIZES,
    Node,
    Nodes,
    Shape,
    among,
    high_of,
    holds,
    items_of,
    low_of,
    shapes,
    size_of,
)

Rule = Literal["value", "type", "bound", "pattern", "format", "required", "member", "free", "closed", "other"]

_ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator")
)
_UNDERSTOOD = frozenset(
    (
        *("type", "enum", "const", "allOf", "anyOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "pattern", "format"),
        *("items", "minItems", "maxItems"),
        *("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    )
)
_ONLY_OF = {"multipleOf": "number", "uniqueItems": "array"}
_SIZED = {
    "string": ("texts of {} characters than {}", "shorter", "longer"),
    "array": ("lists {} than {}", "shorter", "longer"),
    "object": ("objects with {} members than {}", "fewer", "more"),
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the smaller schema takes and the larger does not."""

    rule: Rule
    what: str
    smaller: str | None  # pointers: where it stands on either side, None where it does not
    larger: str | None


class Inclusion:
    """Finds what a smaller schema takes that a larger one does not.

    ``reading``: the larger schema is a reader's, who passes over members it does not know
    (``additionalProperties: false`` does not count there), and the smaller one is a writer's, who gives no members
    that it does not declare.
    """

    def __init__(self, *, reading: bool = False) -> None:
        self._reading = reading
        self._referring: dict[int, bool] = {}
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Gap]] = {}

    def gaps(self, smaller: Nodes, larger: Nodes) -> list[Gap]:
        """Every gap; empty when all that ``smaller`` takes is taken by ``larger``."""
        key = (tuple(id(node.schema) for node in smaller), tuple(id(node.schema) for node in larger))
        if self._same(smaller, larger):
            return []
        if key not in self._known:
            self._known[key] = []  # a schema that comes back to itself: it holds unless something else does not
            self._known[key] = self._between(shapes(smaller), larger)
        return self._known[key]

    def _same(self, smaller: Nodes, larger: Nodes) -> bool:
        """Word for word, and without references, which may lead to something else on either side."""
        if [node.schema for node in smaller] != [node.schema for node in larger]:
            return False
        return not any(self._refers(node.schema) for node in smaller)

    def _refers(self, schema: Any) -> bool:
        if not isinstance(schema, dict | list):
            return False
        known = self._referring.get(id(schema))
        if known is None:
            inner = schema.values() if isinstance(schema, dict) else schema
            known = "$ref" in schema or any(self._refers(entry) for entry in inner)
            self._referring[id(schema)] = known
        return known

    def _between(self, smaller: list[Shape], larger_nodes: Nodes) -> list[Gap]:
        found: list[Gap] = []
        larger = shapes(larger_nodes)
        where = larger_nodes[0].at if larger_nodes else None
        for shape in smaller:
            if self._nothing(shape):
                continue
            if shape.values is not None:
                lost = [value for value in shape.values if holds(shape, value) and not self._taken(larger, value)]
                if lost:
                    told = ", ".join(json.dumps(value, ensure_ascii=False) for value in lost)
                    found.append(Gap("value", told, shape.at("enum"), _first(larger, "enum") or where))
                continue
            same = [other for other in larger if other.type == shape.type]
            if not same:
                found.append(Gap("type", _kind_words(shape), shape.at("type"), _first(larger, "type") or where))
                continue
            found += self._nearest(shape, same)
        return found

    def _nearest(self, shape: Shape, same: list[Shape]) -> list[Gap]:
        """None if one alternative takes it all, else the gaps to the one that is most like it."""
        best: tuple[tuple[int, int], list[Gap]] | None = None
        for other in same:
            gaps = self._gaps_of(shape, other)
            if not gaps:
                return []
            likeness = (-len(set(shape.names) & set(other.names)), len(gaps))
            if best is None or likeness < best[0]:
                best = (likeness, gaps)
        return [] if best is None else best[1]

    def _taken(self, larger: list[Shape], value: Any) -> bool:
        return any(holds(other, value) for other in larger if other.unsure is None)

    def _nothing(self, shape: Shape) -> bool:
        """Whether no value can be of this shape, because a member that it requires cannot be."""
        return shape.type == "object" and any(not shapes(self._written(shape, name)) for name in shape.required)

    def _written(self, shape: Shape, name: str | None) -> Nodes:
        """What the smaller side says of a member."""
        found = shape.member(name, False)
        if not self._reading or found or (name is not None and name in shape.names):
            return found
        nowhere = not shape.names  # a free object: it declares nothing
        return found if nowhere else (Node(False, shape.parts[0].at, {}),)

    def _gaps_of(self, shape: Shape, other: Shape) -> list[Gap]:
        if other.values is not None:
            return [Gap("type", f"any other {_kind_words(shape)}", shape.at("type"), other.at("enum"))]
        found = self._others(shape, other)
        if other.unsure is not None:
            found.append(Gap("other", "what more than one alternative of `oneOf` takes", None, other.unsure))
        if shape.type == "number":
            found += _numbers(shape, other)
        elif shape.type in SIZES:
            found += _sizes(shape, other)
        if shape.type == "string":
            found += _texts(shape, other)
        elif shape.type == "array" and size_of(shape)[1] > 0:
            found += self.gaps(items_of(shape), items_of(other))
        elif shape.type == "object":
            found += self._members(shape, other)
        return found

    def _members(self, shape: Shape, other: Shape) -> list[Gap]:
        found = []
        for name in sorted(other.required - shape.required):
            at, there = _declared(shape, name), _declared(other, name)
            found.append(Gap("required", f"objects without `{name}`", at, there))
        for name in dict.fromkeys((*shape.names, *other.names)):
            here, there_nodes = self._written(shape, name), other.member(name, self._reading)
            inner = self.gaps(here, there_nodes)
            if inner and name not in other.names and not shapes(there_nodes):
                found.append(Gap("member", f"`{name}`", _declared(shape, name), None))
            elif inner and name not in shape.names:
                found.append(Gap("free", f"`{name}` as anything", None, _declared(other, name)))
            else:
                found += inner
        rest = self.gaps(self._written(shape, None), other.member(None, self._reading))
        if rest and not shapes(other.member(None, self._reading)):
            at = shape.at("additionalProperties")
            return [*found, Gap("closed", "members that it does not name", at, other.at("additionalProperties"))]
        return found + rest

    def _others(self, shape: Shape, other: Shape) -> list[Gap]:
        """Keywords that can only be compared word by word."""
        found = []
        for part in other.parts:
            for keyword, value in part.schema.items():
                if keyword in _UNDERSTOOD or keyword in _ANNOTATIONS or keyword[:1] == "$" or keyword[:2] == "x-":
                    continue
                if keyword == "oneOf" or _ONLY_OF.get(keyword, shape.type) != shape.type or value is False:
                    continue
                if not among(value, shape.all(keyword)):
                    found.append(Gap("other", f"what `{keyword}` excludes", shape.at(keyword), f"{part.at}/{keyword}"))
        return found


def _kind_words(shape: Shape) -> str:
    words = {"number": "numbers", "string": "texts", "array": "lists", "object": "objects"}
    return "whole numbers" if shape.whole else words.get(shape.type, shape.type)


def _first(found: list[Shape], keyword: str) -> str | None:
    return next((shape.at(keyword) for shape in found if shape.all(keyword)), None)


def _declared(shape: Shape, name: str) -> str | None:
    found = [part for part in shape.parts if name in part.schema.get("properties", ())]
    return found[0].below("properties", name).at if found else None


def _numbers(shape: Shape, other: Shape) -> list[Gap]:
    found = []
    if other.whole and not shape.whole:
        found.append(Gap("type", "numbers with a fraction", shape.at("type"), other.at("type")))
    low, least = low_of(shape), low_of(other)
    if low < least:
        found.append(Gap("bound", f"numbers below {least[0]:g}", shape.at("minimum"), other.at("minimum")))
    high, most = high_of(shape), high_of(other)
    if (-high[0], high[1]) < (-most[0], most[1]):
        found.append(Gap("bound", f"numbers above {most[0]:g}", shape.at("maximum"), other.at("maximum")))
    return found


def _sizes(shape: Shape, other: Shape) -> list[Gap]:
    word, (told, less, more) = SIZES[shape.type], _SIZED[shape.type]
    (low, high), (least, most) = size_of(shape), size_of(other)
    if shape.type == "object":
        low = max(low, len(shape.required))
    found = []
    if low < least:
        found.append(Gap("bound", told.format(less, int(least)), shape.at(f"min{word}"), other.at(f"min{word}")))
    if high > most:
        found.append(Gap("bound", told.format(more, int(most)), shape.at(f"max{word}"), other.at(f"max{word}")))
    return found


def _texts(shape: Shape, other: Shape) -> list[Gap]:
    have = [_spelled(pattern) for pattern in shape.all("pattern")]
    patterns = [
        Gap("pattern", f"texts that do not match {pattern}", shape.at("pattern"), other.at("pattern"))
        for pattern in other.all("pattern")
        if not any(one <= _spelled(pattern) for one in have)
    ]
    forms = set(other.all("format")) - set(shape.all("format"))
    return patterns + [
        Gap("format", f"texts that are no {form}", shape.at("format"), other.at("format")) for form in sorted(forms)
    ]


_CHOICE = re.compile(r"(?<!\\)\(\?:([A-Za-z0-9_|-]+)\)(?![*+?{])")


def _spelled(pattern: str) -> frozenset[str]:
    """A pattern with its plain choices written out: ``a(?:b|c)`` is ``ab`` or ``ac``."""
    if "(?!" in pattern or "(?<" in pattern:  # there, more choices can mean fewer texts
        return frozenset((pattern,))
    pieces = _CHOICE.split(pattern)
    choices = [piece.split("|") if index % 2 else [piece] for index, piece in enumerate(pieces)]
    if math.prod(len(choice) for choice in choices) > 500:
        return frozenset((pattern,))
    return frozenset("".join(chosen) for chosen in product(*choices))
