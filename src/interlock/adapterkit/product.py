"""One product, compiled for one source: its manifest and a mapping for each kind."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.adapterkit.manifest import Manifest, load_manifest
from interlock.adapterkit.mapping import Mapping, build_mapping
from interlock.adapterkit.mappingspec import merge, read_mapping
from interlock.adapterkit.parted import join_parts
from interlock.adapterkit.yamlfile import Document, MappingError, nearest, read_yaml

_NOTHING: MappingType[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Product:
    """A manifest, and its compiled mappings by kind."""

    manifest: Manifest
    mappings: MappingType[str, Mapping]
    source: str


def compile_product(
    folder: Path,
    *,
    source: str,
    settings: MappingType[str, Any] = _NOTHING,
    overlay: MappingType[str, Any] = _NOTHING,
) -> Product:
    """Compile an adapter's folder for a source.

    ``settings`` fill ``{setting.name}`` in templates. ``overlay`` is a site's changes by kind
    (``{incident: {fields: ..., codes: ..., entity: ...}}``); None removes. Raises MappingError naming
    file, line, entry and the nearest valid key.
    """
    manifest = load_manifest(folder)
    documents = {}
    for path in sorted((folder / "mapping").glob("*.yaml")):
        document = read_yaml(path)
        if not isinstance(document.data, dict):
            raise MappingError(document.file, (), "must hold keys and values")
        if document.data.get("kind") != path.stem:
            raise document.fault(
                ("kind",), f"must be {path.stem}, as the file is called", value=document.data.get("kind")
            )
        documents[path.stem] = document
    for kind, changes in overlay.items():
        if changes is None:
            documents.pop(kind, None)
            continue
        if not isinstance(changes, MappingType):
            raise MappingError(f"overlay of {source}", (kind,), "must hold keys and values")
        if kind not in documents:
            raise MappingError(
                f"overlay of {source}", (kind,), f"is not a kind that {manifest.title} has", nearest(kind, documents)
            )
        base = documents[kind]
        # Lines are those of the file; an entry of the overlay is told by its path.
        documents[kind] = Document(merge(base.data, changes), f"{base.file} with the overlay of {source}", base.lines)
    by_handle = frozenset(
        kind for kind, document in documents.items() if document.data.get("id") in (None, document.data.get("key"))
    )
    mappings: dict[str, Mapping] = {}
    for kind, document in documents.items():
        parts = _parts(document)
        specs = {name: read_mapping(part, manifest, by_handle, name) for name, part in parts.items()}
        built = {name: build_mapping(spec, manifest, source, settings) for name, spec in specs.items()}
        mappings[kind] = join_parts(built) if document.data.get("parts") else built[""]
    return Product(manifest, mappings, source)


def _parts(document: Document) -> dict[str, Document]:
    """A mapping file for each place of the kind: the file, and over it what is said of the part."""
    base, parts = document.data, document.data.get("parts")
    if not parts:
        return {"": document}
    if not isinstance(parts, MappingType) or not all(isinstance(part, MappingType) for part in parts.values()):
        raise document.fault(("parts",), "must hold a part by name, each with its changes")
    if not base.get("by"):
        raise document.fault(("parts",), "need by: the native place that tells which part a row is of")
    shared = {key: value for key, value in base.items() if key != "parts"}
    found = {}
    for name, part in parts.items():
        own = {place[2:]: line for place, line in document.lines.items() if place[:2] == ("parts", name)}
        found[name] = Document(merge(shared, part), f"{document.file} (part {name})", {**document.lines, **own})
    return found
