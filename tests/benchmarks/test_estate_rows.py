"""Rows made without HTTP are the rows that a harvest over HTTP stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from benchmarks.estate_rows import remedy_rows, servicenow_rows
from mock_servers.estate import Estate, Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store as RemedyStore
from mock_servers.servicenow import MockServiceNow, Store

from interlock.cli.demo_gateway import config_for
from interlock.clock import AsOfClock, SystemClock
from interlock.gateway.runtime import open_runtime
from interlock.quality.harvest.run import harvest_source
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.stored import TABLES
from interlock.telemetry import silent_telemetry

ACCOUNTS = {f"here:person:{name}" for name in ("admin", "integration", "itil", "reader")}
"""People that the mock lets in, beside those of the estate."""
Rows = dict[str, dict[str, Any]]


async def harvested(entry: dict[str, Any], folder: Path, kinds: set[str]) -> dict[str, Rows]:
    """The rows of each kind by ref, over HTTP."""
    limits = {"concurrency": 8, "per_second": None, "queue": 64}
    config = config_for({"here": {**entry, "environment": "test", "limits": limits}}, folder / "state")
    snapshots = Snapshots(folder / "snapshots", AsOfClock(DEFAULT_AS_OF))
    async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
        runs = await harvest_source(runtime.sources["here"], config.sources["here"], snapshots, kinds=kinds)
    assert {run.outcome for run in runs} == {"published"}, runs
    found: dict[str, Rows] = {}
    for snapshot in snapshots.all_current():
        rows = [row for file in snapshot.files for row in pq.read_table(file).to_pylist()]
        found[snapshot.kind] = {row["ref"]: row for row in rows if row["ref"] not in ACCOUNTS}
    return found


def direct(product: str, estate: Estate) -> dict[str, Rows]:
    """The same without."""
    found: dict[str, Rows] = {}
    for each in (servicenow_rows if product == "servicenow" else remedy_rows)(estate, "here"):
        row = dict(zip((column.name for column in TABLES[each.kind]), each.row, strict=True))
        found.setdefault(each.kind, {})[str(row["ref"])] = row
    return found


@pytest.mark.parametrize("product", ["servicenow", "remedy"])
async def test_rows_are_those_of_a_harvest(product: str, tmp_path: Path) -> None:
    estate = generate(5, Size.of(200, incidents=100), DEFAULT_AS_OF)
    made = direct(product, estate)
    if product == "remedy":
        assert set(made) == {"ci", "relationship"}
        there = RemedyStore()
        there.load(entries(estate))
        async with MockRemedy(there) as remedy:
            auth = {"basic": {"username": "integration", "password": "integration"}}
            entry = {"adapter": product, "base_url": remedy.url, "auth": auth, "settings": {"server": "arserver"}}
            found = await harvested(entry, tmp_path, set(made))
    else:
        assert set(made) == {"ci", "relationship", "incident", "change", "problem", "person", "group"}
        store = Store()
        store.load(tables(estate))
        snow = MockServiceNow(store)
        with snow.in_thread():
            auth = {"basic": {"username": "admin", "password": "admin"}}
            found = await harvested({"adapter": product, "base_url": snow.url, "auth": auth}, tmp_path, set(made))
    for kind, rows in made.items():
        assert without_reading(found[kind]) == without_reading(rows), kind


def without_reading(rows: Rows) -> Rows:
    """Rows without the moment they were read at."""
    return {ref: {name: value for name, value in row.items() if name != "observed_at"} for ref, row in rows.items()}
