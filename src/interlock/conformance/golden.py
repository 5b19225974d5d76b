"""Golden records: native rows as the product gives them, each with the record it must become.

``golden/*.json`` is ``{"kind": ..., "settings": {...}, "rows": [{"native": {...}, "record": {...}}]}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from interlock.adapterkit.product import compile_product
from interlock.conformance.bench import Bench
from interlock.conformance.rules import Book, DoesNotApply, Failed, Skipped
from interlock.records.kinds import FIELDS, MODELS

BOOK = Book()
FOLDER = "golden"
SOURCE = "golden"
"""The source's name in golden records."""


def golden(folder: Path, kind: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """File, native row and expected record of every golden record of a kind. Raises Failed for a broken file."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            body = orjson.loads(path.read_bytes())
            if body["kind"] == kind:
                found += [(path.name, row["native"], row["record"]) for row in body["rows"]]
        except (orjson.JSONDecodeError, KeyError, TypeError) as failure:
            raise Failed(f"{path.name} cannot be read: {type(failure).__name__}: {failure}") from None
    return found


@BOOK.rule("GOLDEN-DECODE", "reads", needs="folder", per_kind=True)
async def decodes(bench: Bench, kind: str) -> str | None:
    """Each golden row becomes exactly the record that stands beside it, and that fits the contract.

    To do: Correct the mapping, or the expected record where the mapping is right; `interlock adapter try` shows both.
    """
    if kind not in bench.compiled.mappings:
        raise DoesNotApply("the source's overlay takes this kind away")
    rows = golden(bench.folder, kind)
    if not rows:
        raise Skipped(f"there is no golden record of this kind in {FOLDER}/")
    settings = {"base_url": "https://golden.example", "time_zone": "UTC"}
    mapping = compile_product(bench.folder, source=SOURCE, settings=settings).mappings[kind]
    for name, native, expected in rows:
        record = mapping.decode(native)
        if record != expected:
            different = sorted(n for n in {*record, *expected} if record.get(n, "absent") != expected.get(n, "absent"))
            first = different[0]
            raise Failed(
                f"{name}: {first} is {record.get(first, 'absent')!r}, expected {expected.get(first, 'absent')!r}"
                + (f"; also {', '.join(different[1:])}" if different[1:] else "")
            )
        MODELS[kind].model_validate(record)
    return f"{len(rows)} rows"


@BOOK.rule("GOLDEN-COVERS", "reads", needs="folder", per_kind=True)
async def covers(bench: Bench, kind: str) -> str | None:
    """Golden records show every field that the mapping reads, so that no line of it is untried.

    To do: Add rows to golden/ that hold a value for the fields named.
    """
    rows = golden(bench.folder, kind)
    if not rows:
        raise Skipped(f"there is no golden record of this kind in {FOLDER}/")
    seen = {name for _, _, record in rows for name, value in record.items() if value not in (None, "")}
    if kind not in bench.compiled.mappings:
        raise DoesNotApply("the source's overlay takes this kind away")
    readable = {name for name, use in bench.mapping(kind).fields.items() if use.readable and name in FIELDS[kind]}
    missing = sorted(readable - seen)
    if missing:
        raise Failed(f"no golden record shows {', '.join(missing)}")
    return f"{len(readable)} fields"
