"""What of an answer may stand in a recording, and pseudonyms for all else.

A value stays only where the mapping says that it is a code, a state, a number or an instant, or where it is a word of
the adapter's own files. What no mapping knows is replaced, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from interlock.adapterkit.mapping import Mapping as Compiled
from interlock.adapterkit.mappingspec import FieldSpec
from interlock.adapterkit.parted import PartedMapping
from interlock.adapterkit.product import Product
from interlock.conformance.pseudonyms import Pseudonyms

HOST = "https://recorded.invalid"
"""Stands for the source's address, and for every other."""
PRIVATE = frozenset(
    {
        "serial", "asset_tag", "fqdn", "ip", "mac", "cloud_id", "node", "resource", "message_key",
        "user_name", "email", "updated_by", "external_id",
    }
)  # fmt: skip
"""Words of the contract that tell a person or a machine; other words may be codes."""
_PLAIN = frozenset({"enum", "bool", "int", "duration", "instant", "day", "version", "ref", "refs"})
_HARMLESS = re.compile(
    r"-?\d{1,6}(\.\d{1,6})?|[0-9a-f]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
)
"""Small numbers, handles made by chance, and instants, in columns that no mapping knows."""


class Disguise:
    """Replaces what is private in answers, and knows the way back for requests."""

    def __init__(self, product: Product) -> None:
        self._private: set[str] = set()
        self._plain: set[str] = set()
        self._words: set[str] = {""}
        self._entities = frozenset(mapping.entity for mapping in _each(product))
        self._patterns = [re.compile(rule.message) for rule in product.manifest.errors if rule.message]
        self._words.update(rule.code for rule in product.manifest.errors if rule.code)
        leaf = product.manifest.wire.leaf
        self._value = leaf.value if leaf is not None else None
        for mapping in _each(product):
            self._learn(product, mapping)
        self._plain -= self._private
        self._words |= self._entities
        refuse = product.manifest.query.literal.refuse if product.manifest.query is not None else ()
        self.pseudonyms = Pseudonyms(self._words, refuse)

    def answer(self, body: Any, status: int, rows: str | None) -> Any:
        """An answer's JSON as it may be kept. ``rows`` names the member that holds its rows."""
        return self._hidden(body, (), rows, failed=status >= 400)

    def _hidden(self, value: Any, path: tuple[str, ...], rows: str | None, failed: bool) -> Any:
        if isinstance(value, dict):
            return {name: self._hidden(inner, (*path, *name.split(".")), rows, failed) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._hidden(inner, path, rows, failed) for inner in value]
        if isinstance(value, bool) or value is None:
            return value
        if path[:1] == (rows,):
            path = path[1:]
        if path[-1:] == (self._value,):
            path = path[:-1]
        column = ".".join(path)
        private = column not in self._plain and any(
            ".".join(path[start:]) in self._private for start in range(len(path))
        )
        if isinstance(value, int | float):
            return value if not private else int("9" + re.sub(r"\D", "", self.pseudonyms.of(str(value))))
        if private:
            return value if not value or value in self._entities else self.pseudonyms.of(value)
        if column in self._plain or value in self._words or _HARMLESS.fullmatch(value):
            return value
        if failed and (found := self._known(value)):
            return found
        return self._address(value) if "://" in value else self.pseudonyms.of(value)

    def _known(self, message: str) -> str:
        """The part of an error's message that the manifest knows it by."""
        return next((found[0] for pattern in self._patterns if (found := pattern.search(message))), "")

    def _address(self, value: str) -> str:
        found = urlsplit(value)
        if not found.scheme or not found.netloc or re.search(r"\s", value):
            return self.pseudonyms.of(value)
        steps = [
            s if s in self._words or _HARMLESS.fullmatch(s) else self.pseudonyms.of(s) for s in found.path.split("/")
        ]
        return HOST + "/".join(steps)

    def _learn(self, product: Product, mapping: Compiled) -> None:
        spec = mapping.spec
        self._plain.add(spec.id.column)
        for paths in spec.notes.values():
            self._words.add(paths.column)
        for field in spec.fields.values():
            self._words.update(place.column for place in (field.read, field.write, field.key) if place is not None)
            if field.codes is not None:
                self._words.update(field.codes.exact)
            self._place(product, field)

    def _place(self, product: Product, field: FieldSpec) -> None:
        kind = field.field.type
        plain = kind in _PLAIN or field.name == "number"
        private = kind in ("text", "long_text", "url", "words") or field.name in PRIVATE
        for place in (field.read, field.write, field.create):
            if place is not None and (plain or private):
                (self._private if private else self._plain).add(place.column)
        if field.label is not None:
            self._private.add(field.label.column)
        if field.key is not None:
            (self._plain if _numbered(product, field.ref) else self._private).add(field.key.column)


def _each(product: Product) -> Iterator[Compiled]:
    for mapping in product.mappings.values():
        yield from mapping.parts.values() if isinstance(mapping, PartedMapping) else (mapping,)


def _numbered(product: Product, kind: str | None) -> bool:
    """Whether records of a kind are known by a number, or by their handle: neither tells a person or a machine."""
    others = [mapping for mapping in _each(product) if mapping.kind == kind]
    return bool(others) and all(
        other.key == other.spec.id.column
        or any(
            f.read is not None and f.read.column == other.key and f.name == "number" for f in other.spec.fields.values()
        )
        for other in others
    )
