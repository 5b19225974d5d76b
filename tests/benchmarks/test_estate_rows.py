"""Rows made without HTTP are the rows that a harvest over HTTP would store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.estate_rows import Row, remedy_rows, servicenow_rows
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
from mock_servers.estate.servicenow import tables
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store as RemedyStore
from mock_servers.servicenow import MockServiceNow, Store

from interlock.cli.demo_gateway import config_for
from interlock.clock import SystemClock
from interlock.gateway.runtime import open_runtime
from interlock.quality.stored import TABLES, stored
from interlock.records import times
from interlock.records.filters import Query
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

ACCOUNTS = {f"here:person:{name}" for name in ("admin", "integration", "itil", "reader")}


async def harvested(source: Source, name: str, kind: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    cursor: Any = None
    while True:
        page = await source.search(kind, Query(limit=500), cursor=cursor)
        for record in page.records:
            if (
                kind == "ci" and source.product == "servicenow"
            ):  # a list shows only what all classes have; a harvest asks for the rest too
                record = (await source.get(kind, record["ref"].split(":", 2)[2])).record
            rows[record["ref"]] = named(Row(kind, stored(kind, record, "", name, DEFAULT_AS_OF)))
        if (cursor := page.cursor) is None:
            return rows


def named(row: Row) -> dict[str, Any]:
    """A row by column, without the handle, which a search does not tell."""
    columns = (column.name for column in TABLES[row.kind])
    return {name: value for name, value in zip(columns, row.row, strict=True) if name != "handle"}


@pytest.mark.parametrize("product", ["servicenow", "remedy"])
async def test_rows_are_those_of_a_harvest(product: str, tmp_path: Path) -> None:
    estate = generate(5, Size.of(200, incidents=100), DEFAULT_AS_OF)
    direct: dict[str, dict[str, dict[str, Any]]] = {}
    for row in (servicenow_rows if product == "servicenow" else remedy_rows)(estate, "here"):
        direct.setdefault(row.kind, {})[str(row.row[0])] = named(row)
    entry = {"adapter": product, "environment": "test"}
    store, remedy_store = Store(), RemedyStore()
    store.load(tables(estate))
    remedy_store.load(entries(estate))
    snow = MockServiceNow(store)
    with snow.in_thread():
        async with MockRemedy(remedy_store) as remedy:
            if product == "servicenow":
                entry |= {"base_url": snow.url, "auth": {"basic": {"username": "admin", "password": "admin"}}}  # type: ignore[dict-item]
            else:
                login = {"username": "integration", "password": "integration"}
                entry |= {"base_url": remedy.url, "auth": {"basic": login}, "settings": {"server": "arserver"}}  # type: ignore[dict-item]
            config = config_for({"here": entry}, tmp_path, times.to_text(estate.as_of), profile("here"))
            async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
                for kind, rows in direct.items():
                    found = await harvested(runtime.sources["here"], "here", kind)
                    own = {ref for ref in found if ref in ACCOUNTS}  # people that the mock lets in
                    assert {ref: row for ref, row in found.items() if ref not in own} == rows
    expected = {"ci", "relationship"} | (
        {"incident", "change", "problem", "person", "group"} if product == "servicenow" else set()
    )
    assert set(direct) == expected
