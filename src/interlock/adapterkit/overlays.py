"""Overlays: a site's changes to an adapter's files, entry by entry, each with the file and line it came from.

A source names a folder with a file for each kind it changes (``incident.yaml``) and, where a habit of the
product differs there, ``adapter.yaml``. Each file says which built-in one it ``extends``; entries replace
entries, ``null`` removes. What a source says inline under ``mapping`` is laid over that, last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.adapterkit.yamlfile import Document, MappingError, Place, nearest, read_yaml

MANIFEST = "adapter"
ADDRESSABLE: tuple[Place, ...] = (
    ("limits",), ("errors",), ("capabilities",),
    ("wire", "instant"), ("wire", "unset"),
    ("query", "operators"), ("query", "text"), ("paging", "size"),
    ("soap", "address"), ("soap", "fault_code"),
    ("write", "settle_s"), ("write", "probe_timeout_s"),
)  # fmt: skip
"""What an overlay of the manifest may say: habits of an instance. How values are quoted, where calls go and
how a lost write is found are the adapter's alone."""

_ENTRIES = ("fields", "ext", "write", "always", "transitions")
_TABLES = ("codes", "soap")


def read_overlays(folder: Path, adapter: str, kinds: frozenset[str]) -> dict[str, Document]:
    """The overlays of a folder, by kind (``adapter`` for the manifest), without their ``extends``.

    Raises MappingError with file and line: no such folder, a kind that the adapter has not, an ``extends``
    that names another file, a part of the manifest that an overlay may not change.
    """
    if not folder.is_dir():
        raise MappingError(str(folder), (), "is no folder of overlays", "Correct overlays of the source.")
    found: dict[str, Document] = {}
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        document = read_yaml(path)
        known = (*sorted(kinds), MANIFEST)
        if path.stem not in known or path.suffix != ".yaml":
            files = [f"{name}.yaml" for name in known]
            raise MappingError(document.file, (), f"changes nothing that {adapter} has", nearest(path.name, files))
        if not isinstance(document.data, dict):
            raise MappingError(document.file, (), "must hold keys and values")
        wanted = f"{adapter}/{path.stem}"
        if document.data.get("extends") != wanted:
            said = document.data.get("extends")
            raise document.fault(("extends",), f"must be {wanted}", f"Write extends: {wanted}.", said)
        changes = {key: value for key, value in document.data.items() if key != "extends"}
        if path.stem == MANIFEST:
            _only_habits(document, changes)
        elif changes.get("kind", path.stem) != path.stem:
            raise document.fault(("kind",), f"must be {path.stem}, as the file is called")
        lines = {place: line for place, line in document.lines.items() if place[:1] != ("extends",)}
        found[path.stem] = Document(changes, document.file, lines)
    return found


def _only_habits(document: Document, changes: Mapping[str, Any]) -> None:
    allowed = ", ".join(".".join(map(str, place)) for place in ADDRESSABLE)
    for key, value in changes.items():
        if (key,) in ADDRESSABLE:
            continue
        inner = [(key, name) for name in value] if isinstance(value, dict) else [(key,)]
        for place in inner:
            if place not in ADDRESSABLE:
                raise document.fault(place, "cannot be changed by an overlay", f"An overlay may change {allowed}.")


def lay(base: Document, over: Document) -> Document:
    """The document of a kind with an overlay's changes, every entry with its own file and line."""
    return _laid(base, over, merge(base.data, over.data))


def lay_manifest(base: Document, over: Document) -> Document:
    """The same of a manifest. Rules of errors are added in front: the first that matches wins."""
    more = len(over.data.get("errors") or ())
    return _laid(_moved(base, "errors", more), over, merge_manifest(base.data, over.data))


def _laid(base: Document, over: Document, merged: Any) -> Document:
    lines, files = dict(base.lines), dict(base.files)
    for place in sorted(over.lines, key=len):
        value = at(over.data, place)
        taken = value is at(merged, place) or value is None
        if not taken and place in lines:
            continue  # both say something here, and it was merged entry by entry
        if taken:
            for old in [each for each in lines if each[: len(place)] == place]:
                del lines[old]
                files.pop(old, None)
        lines[place], files[place] = over.lines[place], over.file_of(place)
    return Document(merged, base.file, lines, files)


def _moved(base: Document, key: str, by: int) -> Document:
    """The lines of a list whose entries stand ``by`` places later."""
    if not by:
        return base

    def moved(place: Place) -> Place:
        inside = len(place) > 1 and place[0] == key and isinstance(place[1], int)
        return (key, int(place[1]) + by, *place[2:]) if inside else place

    lines = {moved(place): line for place, line in base.lines.items()}
    return Document(base.data, base.file, lines, {moved(place): file for place, file in base.files.items()})


def inline(changes: Mapping[str, Any], said: str) -> Document:
    """What stands in the configuration itself as a document: without lines, told by its path."""
    return Document(changes, said, dict.fromkeys(_places(changes, ()), 0))


def _places(data: Any, at_: Place) -> Iterator[Place]:
    yield at_
    entries = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield from _places(value, (*at_, key if isinstance(data, list) else word(key)))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document as it is printed: the entries it holds, and the file and line they came from."""

    place: str
    text: str
    origin: str


def written(document: Document) -> list[Line]:
    """A document as YAML, with an origin for each line: what stood on one line of one file is one line."""
    return list(_written(document, document.data, ()))


def _written(document: Document, data: Any, place: Place) -> Iterator[Line]:
    entries = data.items() if isinstance(data, Mapping) else enumerate(data)
    for key, value in entries:
        here = (*place, key if isinstance(data, list) else word(key))
        lead = "  " * len(place) + ("- " if isinstance(data, list) else f"{flow(key)}: ")
        origin = document.origin(here)
        nested = value and isinstance(value, Mapping | list)
        if nested and {document.origin(each) for each in _places(value, here)} != {origin}:
            yield Line(_dotted(here), lead.rstrip(), origin)
            yield from _written(document, value, here)
        else:
            yield Line(_dotted(here), lead + flow(value), origin)


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


_PLAIN = re.compile(r"[A-Za-z0-9_./%][A-Za-z0-9_ ./%+()*-]*(?<! )")


def flow(value: Any) -> str:
    """A value on one line, as our strict YAML reads it back."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if value is None or isinstance(value, bool | int):
        return "null" if value is None else word(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and not re.fullmatch(r"true|false|null|-?(?:0|[1-9][0-9]{0,17})", text):
        return text
    return json.dumps(text, ensure_ascii=False)


def word(key: object) -> str:
    """A key as it stands in the file."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def at(data: Any, place: Place) -> Any:
    """What a document says at a place; None where it says nothing."""
    for step in place:
        if isinstance(data, Mapping):
            data = next((value for key, value in data.items() if key == step or word(key) == step), None)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def merge(base: Any, changes: Mapping[str, Any]) -> Any:
    """A file with changes: fields and code words replaced one by one, the rest key by key; ``None`` removes."""
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif key in _ENTRIES and isinstance(value, Mapping):
            merged[key] = _entries(merged.get(key), value)
        elif key == "parts" and isinstance(value, Mapping):
            parts = dict(merged.get(key) or {})
            changed = {name: None if part is None else merge(parts.get(name), part) for name, part in value.items()}
            merged[key] = _entries(parts, changed)
        elif key in _TABLES and isinstance(value, Mapping):
            tables = dict(merged.get(key) or {})
            for table, words in value.items():
                if words is None:
                    tables.pop(table, None)
                else:
                    tables[table] = _entries(tables.get(table), words) if isinstance(words, Mapping) else words
            merged[key] = tables
        else:
            merged[key] = value
    return merged


def merge_manifest(base: Any, changes: Mapping[str, Any]) -> Any:
    """A manifest with an overlay's habits: two levels of keys, entry by entry."""
    merged = dict(base)
    for key, value in changes.items():
        if key == "errors" and isinstance(value, list):
            merged[key] = [*value, *merged.get(key, ())]
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            inner = dict(merged[key])
            for name, entry in value.items():
                both = isinstance(entry, Mapping) and isinstance(inner.get(name), Mapping)
                inner[name] = _entries(inner.get(name), entry) if both else entry
            merged[key] = {name: entry for name, entry in inner.items() if entry is not None}
        else:
            merged[key] = value
    return merged


def _entries(base: Any, changes: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = {**(base or {}), **changes}
    return {key: value for key, value in merged.items() if value is not None}
