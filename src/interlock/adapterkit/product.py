"""One product, compiled for one source: its manifest and a mapping for each kind."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.adapterkit.manifest import Manifest, load_manifest
from interlock.adapterkit.mapping import Mapping, build_mapping
from interlock.adapterkit.mappingspec import merge, read_mapping
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
    specs = {kind: read_mapping(document, manifest, by_handle) for kind, document in documents.items()}
    mappings = {kind: build_mapping(spec, manifest, source, settings) for kind, spec in specs.items()}
    return Product(manifest, mappings, source)
