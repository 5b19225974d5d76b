"""The page ``docs/capabilities.md``: what each adapter can do, generated from the adapters themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from interlock.adapterkit.abilities import Abilities, KindAbilities, abilities_of
from interlock.adapterkit.manifest import Manifest
from interlock.adapterkit.product import Product

HEAD = """\
# Capabilities

Generated from the adapters (their manifests, mappings and classes) by `interlock adapter docs`; do not edit. It says
what the adapters as delivered can do. A site's overlay may change it: `source_list` tells an agent what its own sources
can do.

A kind that has no row cannot be read. **read**, **search** and **sort** count fields: those that can be read, those
that the source itself searches by, and those that it sorts by. What it cannot be asked is checked by the gateway, row
by row, up to the source's `scan_limit`. **version** says whether a record has a version, so that a write can demand
the one that was read.

Below **create**, **update** and **note** stands how such a write is found again when its answer is lost; `-` means
that there is no such write.

| word | how a lost write is found again |
| --- | --- |
| `field` | a field of the record holds our key |
| `adapter` | the source keeps our key elsewhere, and the adapter knows where |
| `match` | by the fields that make the record what it is |
| `fields` | the record reads as it was written |
| `marker` | the note ends in a word of ours |
| `unfindable` | it cannot be found, so it is never sent twice; a person looks |

That a capability is listed does not prove it: `interlock adapter check` does.
"""
COLUMNS = ("kind", "read", "search", "sort", "create", "update", "note", "version")
_LOG_IN = {
    "none": "none",
    "basic": "user name and password",
    "oauth2": "OAuth 2",
    "api_key": "a key",
    "bearer": "a bearer token",
}


def page(products: Iterable[tuple[Product, type[object]]]) -> str:
    """The page for these products and the classes of their adapters, in their order."""
    return HEAD + "".join(
        f"\n{line}\n" for product, adapter in products for line in _section(product, abilities_of(product, adapter))
    )


def _section(product: Product, able: Abilities) -> Iterator[str]:
    manifest = product.manifest
    yield f"## {manifest.title}"
    yield " ".join(_sentences(manifest, able))
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, kind) for name, kind in able.kinds.items())]
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, kind: KindAbilities) -> tuple[str, ...]:
    writes = (f"`{way}`" if way else "-" for way in (kind.create, kind.update, kind.note))
    counts = (str(count) for count in (kind.read, kind.searched, kind.sorted))
    return (f"`{name}`", *counts, *writes, "yes" if kind.version else "-")


def _sentences(manifest: Manifest, able: Abilities) -> Iterator[str]:
    transport = manifest.transport
    yield f"Adapter `{manifest.adapter}`. Versions: {manifest.versions}. Protocol: `{transport.protocol}`."
    yield f"Log-in: {' or '.join(_LOG_IN[way] for way in manifest.auth)}."
    if able.operators:
        yield f"Operators that it is asked with: {_listed(able.operators)}."
    else:
        yield "It cannot be asked: every row is read and checked."
    if able.offers:
        yield f"It offers besides records: {_listed(able.offers)}."
    else:
        yield "It offers nothing besides records."
    read = [what for what, can in (("notes", able.journal), ("lists of values", able.choices)) if can]
    if read:
        yield f"{' and '.join(read).capitalize()} can be read."
    if able.harvest:
        yield f"Changes are found by `{able.harvest}`."
    if any(kind.create == "field" for kind in able.kinds.values()) and able.correlate:
        yield f"Our key stands in `{able.correlate}`."
    if manifest.capabilities.writes:
        yield f"A lost write is settled after {manifest.write.settle_s:g} seconds."
    else:
        yield "It is read only."
    limits = manifest.limits
    if limits.url_bytes:
        yield f"An address has at most {limits.url_bytes} bytes."
    size = manifest.paging.size
    yield f"A page has at most {size.max} rows."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
