"""One product, compiled for one source: its manifest and a mapping for each kind."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.adapterkit.manifest import Manifest, read_manifest
from interlock.adapterkit.mapping import Mapping, build_mapping
from interlock.adapterkit.mappingspec import read_mapping
from interlock.adapterkit.overlays import MANIFEST, inline, lay, lay_manifest, merge, read_overlays
from interlock.adapterkit.parted import join_parts
from interlock.adapterkit.yamlfile import Document, MappingError, nearest, read_yaml

_NOTHING: MappingType[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Product:
    """A manifest, and its compiled mappings by kind.

    ``documents``: what they were compiled from, overlays laid over, by kind; the manifest's is ``adapter``.
    """

    manifest: Manifest
    mappings: MappingType[str, Mapping]
    source: str
    documents: MappingType[str, Document] = field(default_factory=dict)


def compile_product(
    folder: Path,
    *,
    source: str,
    settings: MappingType[str, Any] = _NOTHING,
    overlay: MappingType[str, Any] = _NOTHING,
    overlays: Path | None = None,
) -> Product:
    """Compile an adapter's folder for a source.

    ``settings`` fill ``{setting.name}`` in templates. ``overlays`` is a folder of a site's changes;
    ``overlay`` are changes by kind that stand in the configuration, laid over last
    (``{incident: {fields: ..., codes: ..., entity: ...}}``); None removes. Raises MappingError naming
    file, line, entry and the nearest valid key.
    """
    documents = read_documents(folder, source=source, overlay=overlay, overlays=overlays)
    manifest = Manifest.load(documents[MANIFEST])
    kinds = {kind: document for kind, document in documents.items() if kind != MANIFEST}
    by_handle = frozenset(
        kind for kind, document in kinds.items() if document.data.get("id") in (None, document.data.get("key"))
    )
    mappings: dict[str, Mapping] = {}
    for kind, document in kinds.items():
        parts = _parts(document)
        specs = {name: read_mapping(part, manifest, by_handle, name) for name, part in parts.items()}
        built = {name: build_mapping(spec, manifest, source, settings) for name, spec in specs.items()}
        mappings[kind] = join_parts(built) if document.data.get("parts") else built[""]
    return Product(manifest, mappings, source, documents)


def read_documents(
    folder: Path,
    *,
    source: str,
    overlay: MappingType[str, Any] = _NOTHING,
    overlays: Path | None = None,
) -> dict[str, Document]:
    """The files of an adapter with a source's changes, unchecked; the manifest's is ``adapter``."""
    documents = {MANIFEST: read_manifest(folder)}
    for path in sorted((folder / "mapping").glob("*.yaml")):
        document = read_yaml(path)
        if not isinstance(document.data, dict):
            raise MappingError(document.file, (), "must hold keys and values")
        if document.data.get("kind") != path.stem:
            raise document.fault(
                ("kind",), f"must be {path.stem}, as the file is called", value=document.data.get("kind")
            )
        documents[path.stem] = document
    kinds = frozenset(documents) - {MANIFEST}
    for name, over in (read_overlays(overlays, folder.name, kinds) if overlays else {}).items():
        documents[name] = (lay_manifest if name == MANIFEST else lay)(documents[name], over)
    for kind, changes in overlay.items():
        said = f"overlay of {source}"
        if kind not in kinds:
            title = documents[MANIFEST].data.get("title", folder.name)
            raise MappingError(said, (kind,), f"is not a kind that {title} has", nearest(kind, kinds))
        if changes is None:
            del documents[kind]
        elif not isinstance(changes, MappingType):
            raise MappingError(said, (kind,), "must hold keys and values")
        else:
            documents[kind] = lay(documents[kind], inline(changes, said))
    return documents


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
        files = {place[2:]: file for place, file in document.files.items() if place[:2] == ("parts", name)}
        own_files = {place: f"{files.get(place, document.file)} (part {name})" for place in own}
        found[name] = Document(
            merge(shared, part),
            f"{document.file} (part {name})",
            {**document.lines, **own},
            {**document.files, **own_files},
        )
    return found
