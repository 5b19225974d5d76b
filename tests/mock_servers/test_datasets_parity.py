"""The same data, through the mock's native rows and through the export adapter: equal canonical records.

One way: raw files, native tables, the mock's store, its answer with every column and display value, the
ServiceNow mapping. The other: raw files, the export adapter's rows, its mapping with the data set's overlay.
Only the name of the source in refs and the address for people may differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapters.export.adapter import ExportAdapter
from mock_servers.datasets import Found, find, load_found
from mock_servers.servicenow.shapes import Shapes, View
from mock_servers.servicenow.store import Store

from interlock.adapterkit.native import Plan
from interlock.adapterkit.product import compile_product
from interlock.places import place
from interlock.records.kinds import MODELS

OWN = Path(__file__).with_name("test_datasets_files")
SHARED = Path(os.environ.get("INTERLOCK_SHARED", "")) / "data"
KINDS = ("incident", "ci", "person", "group")

Record = dict[str, Any]


def through_the_mock(found: Found, source: str) -> dict[str, list[Record]]:
    dataset = load_found(found)
    store = Store()
    store.load(dataset.tables, dataset.omit)
    store.install_choices()
    shapes = Shapes(store)
    product = compile_product(place("adapters") / "servicenow", source=source, settings={"base_url": "https://x"})
    records = {}
    for kind in KINDS:
        mapping = product.mappings[kind]
        view = View("all", True, mapping.columns(), "https://x")
        rows = (shapes.show(row, mapping.entity, view) for row in store.rows(mapping.entity))
        records[kind] = [masked(mapping.decode(row)) for row in rows]
    return records


async def through_the_export(found: Found, source: str) -> dict[str, list[Record]]:
    settings = found.export_settings()
    product = compile_product(
        place("adapters") / "export", source=source, settings=settings, overlay=found.export_overlay()
    )
    adapter = ExportAdapter(settings, source=source, product=product)
    await adapter.open()
    records: dict[str, list[Record]] = {}
    for kind in KINDS:
        records[kind] = []
        cursor: Any = None
        while True:
            page = await adapter.page(kind, Plan(None, ()), cursor, 5_000)
            records[kind] += [masked(product.mappings[kind].decode(row)) for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
    return records


def masked(record: Record) -> Record:
    """The record without what may differ: the source's name in refs, and the address for people."""
    kept: Record = {}
    for name, value in record.items():
        if name == "ref":
            kept[name] = value.split(":", 1)[1]
        elif isinstance(value, dict) and "ref" in value:
            kept[name] = {**value, "ref": value["ref"].split(":", 1)[1]}
        elif name != "url":
            kept[name] = value
    return kept


def by_ref(records: list[Record]) -> dict[str, Record]:
    found = {record["ref"]: record for record in records}
    assert len(found) == len(records), "refs are unique"
    return found


def differences(left: dict[str, Record], right: dict[str, Record]) -> Iterator[str]:
    yield from (f"only one side has {ref}" for ref in sorted(set(left) ^ set(right)))
    for ref in sorted(set(left) & set(right)):
        for name in sorted({*left[ref], *right[ref]}):
            one, other = left[ref].get(name, "absent"), right[ref].get(name, "absent")
            if one != other:
                yield f"{ref} {name}: mock {one!r}, export {other!r}"


async def equal_both_ways(found: Found) -> dict[str, dict[str, Record]]:
    mock, export = through_the_mock(found, "snow"), await through_the_export(found, "files")
    for kind in KINDS:
        one, other = by_ref(mock[kind]), by_ref(export[kind])
        assert list(differences(one, other))[:10] == [], kind
    return {kind: by_ref(mock[kind]) for kind in KINDS}


@pytest.mark.parametrize("name", ["events", "demo"])
async def test_synthetic_files_are_equal_both_ways(name: str) -> None:
    (found,) = find(OWN / name)
    records = await equal_both_ways(found)
    for kind, held in records.items():
        for ref, record in held.items():
            MODELS[kind].model_validate({**record, "ref": f"x:{ref}"})
    unmapped = [r for r in records["incident"].values() if r["state"] == "unmapped"]
    if name == "events":
        assert len(records["incident"]) == 13
        assert [r["native"]["state"] for r in unmapped] == ["-100"]
        holds = {r["hold_reason"] for r in records["incident"].values()}
        assert holds == {None, "vendor", "evidence", "caller"}
    else:
        assert len(records["ci"]) == 11
        assert unmapped == []
        assert {r["cls"] for r in records["ci"].values()} >= {"server", "location", "other"}
    assert all("close_notes" not in r and "external_id" not in r for r in records["incident"].values())


async def test_a_difference_is_found() -> None:
    (found,) = find(OWN / "events")
    records = by_ref((await through_the_export(found, "files"))["incident"])
    changed = {ref: {**record, "priority": "p9"} for ref, record in records.items()}
    assert len(list(differences(records, changed))) == 13
    (first, *_) = records
    assert list(differences(records, {k: v for k, v in records.items() if k != first})) == [
        f"only one side has {first}"
    ]


@pytest.mark.shared
@pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no folder of real exports")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("servicenow_demo", {"incident": 67, "ci": 2_784, "group": 6}),
        ("uci_incident_event_log", {"incident": 24_918, "ci": 47, "group": 70}),
    ],
)
async def test_real_files_are_equal_both_ways(name: str, counts: dict[str, int]) -> None:
    (found,) = [entry for entry in find(SHARED) if entry.name == name]
    records = await equal_both_ways(found)
    assert {kind: len(records[kind]) for kind in counts} == counts
    assert all(r["cls"] != "unmapped" for r in records["ci"].values() if "cls" in r)
