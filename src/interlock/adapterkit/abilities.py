"""What a product can do through its adapter, read off the compiled mappings, the manifest and the adapter's class.

Nothing is called and nothing is declared twice: ``source_list`` and the page ``docs/capabilities.md`` show this.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import Literal

from interlock.adapterkit.manifest import Manifest, MatchProbe
from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.offers import offered
from interlock.adapterkit.product import Product

Proof = Literal["field", "adapter", "match", "fields", "marker", "unfindable"]
"""How a write whose answer was lost is found again.

``field``: a field of the record holds our key. ``adapter``: the source keeps our key elsewhere. ``match``: by what
makes the record what it is. ``fields``: what was written reads back. ``marker``: a word in the note. ``unfindable``:
not at all, so that it is never sent twice.
"""


@dataclass(frozen=True, slots=True)
class KindAbilities:
    """What can be done with one kind. Of a write: how it is found again, None where there is no such write."""

    read: int  # fields that can be read
    searched: int  # fields that the source itself can be asked by
    sorted: int  # fields that the source itself can sort by
    create: Proof | None = None
    update: Proof | None = None
    note: Proof | None = None
    version: bool = False  # whether a record has a version, so that a write can demand one


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a product can do. ``offers``: names of ``interlock.adapterkit.offers``."""

    kinds: MappingType[str, KindAbilities] = field(default_factory=dict)
    operators: tuple[str, ...] = ()  # those that the source itself can be asked with, of any kind
    offers: tuple[str, ...] = ()
    version: Literal["field", "etag"] | None = None
    correlate: str | None = None  # canonical field that holds our key after a create
    harvest: str | None = None  # canonical field by which changes are found
    journal: bool = False
    choices: bool = False


def abilities_of(product: Product, adapter: type[object]) -> Abilities:
    """What a compiled product can do with this class of adapter."""
    manifest, mappings = product.manifest, product.mappings
    said = manifest.capabilities
    uses = [use for mapping in mappings.values() for use in mapping.fields.values()]
    return Abilities(
        kinds={kind: _of_kind(manifest, mapping) for kind, mapping in sorted(mappings.items())},
        operators=tuple(sorted({operator for use in uses for operator in use.operators})),
        offers=offered(adapter),
        version=said.version,
        correlate=said.correlate,
        harvest=said.harvest,
        journal=said.journal,
        choices=said.choices,
    )


def _of_kind(manifest: Manifest, mapping: Mapping) -> KindAbilities:
    uses = tuple(mapping.fields.values())
    writes = manifest.capabilities.writes.get(mapping.kind, ())
    return KindAbilities(
        read=sum(use.readable for use in uses),
        searched=sum(use.filterable for use in uses),
        sorted=sum(use.sortable for use in uses),
        create=_create(manifest, mapping) if "create" in writes else None,
        # Of every source alike: the gateway reads back what it wrote, and puts a marker into its notes.
        update="fields" if "update" in writes else None,
        note="marker" if "note" in writes else None,
        version=mapping.version is not None,
    )


def _create(manifest: Manifest, mapping: Mapping) -> Proof:
    probes = manifest.write.probe
    if (own := probes.kinds.get(mapping.kind)) is not None:
        if isinstance(own.create, MatchProbe):
            return "match"
        return "unfindable" if own.create == "none" else "adapter"
    holder = mapping.fields.get(probes.create.field) if probes.create is not None else None
    return "field" if holder is not None and (holder.creatable or holder.writable) else "unfindable"
