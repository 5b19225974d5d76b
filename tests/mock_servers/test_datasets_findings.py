"""The checks find in the data sets what was counted from their files, no more and no less."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from adapters.export.adapter import ExportAdapter
from mock_servers.datasets import Found, find
from mock_servers.datasets.expected import expectations

from interlock.adapterkit.native import Plan
from interlock.adapterkit.product import compile_product
from interlock.places import place
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records import times

OWN = Path(__file__).with_name("test_datasets_files")
SHARED = Path(os.environ.get("INTERLOCK_SHARED", "")) / "data"
NAMES = ("servicenow_demo", "uci_incident_event_log")


async def records_of(found: Found) -> dict[str, list[dict[str, Any]]]:
    settings = found.export_settings()
    folder = place("adapters") / "export"
    product = compile_product(folder, source="files", settings=settings, overlay=found.export_overlay())
    adapter = ExportAdapter(settings, source="files", product=product)
    pages = {kind: await adapter.page(kind, Plan(None, ()), None, 10**6) for kind in ("incident", "ci")}
    return {kind: [product.mappings[kind].decode(row) for row in page.rows] for kind, page in pages.items()}


def findings(found: Found, records: dict[str, list[dict[str, Any]]], own_matrix: bool) -> dict[tuple[str, str], int]:
    judge = Judge(Profile.default().merge(found.profile_changes("files", own_matrix)))
    as_of = times.to_epoch(max(r["updated_at"] for held in records.values() for r in held if r.get("updated_at")))
    counts: Counter[tuple[str, str]] = Counter()
    for kind, held in records.items():
        counts.update((flag.code, reason) for flag in judge.findings(held, kind, as_of) for reason in flag.reasons)
    judge.close()
    return dict(counts)


def wanted(found: Found, own_matrix: bool) -> dict[tuple[str, str], int]:
    expected = {(e.code, e.reason): e.records for e in expectations(found, own_matrix=own_matrix) if e.records}
    assert expected, "a data set in which nothing is to be found proves nothing"
    return expected


@pytest.mark.parametrize("own_matrix", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_found_is_expected_in_the_synthetic_files(name: str, own_matrix: bool) -> None:
    (found,) = [entry for entry in find(OWN) if entry.name == name]
    assert findings(found, await records_of(found), own_matrix) == wanted(found, own_matrix)


@pytest.mark.shared
@pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no folder of real exports")
@pytest.mark.parametrize("name", NAMES)
async def test_found_is_expected_in_the_real_files(name: str) -> None:
    (found,) = [entry for entry in find(SHARED) if entry.name == name]
    records = await records_of(found)
    assert findings(found, records, own_matrix=False) == wanted(found, own_matrix=False)
    if found.description.matrix:
        assert ("TKT-PRIO", "differs") not in findings(found, records, own_matrix=True)
