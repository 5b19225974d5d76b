"""The same data over the wire: a source on the loaded mock, and a source on the raw files, agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mock_servers.datasets import find, load_found
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.settings import DEFAULT_USERS
from mock_servers.servicenow.store import Store

from interlock.clock import SystemClock
from interlock.config.model import SourceConfig
from interlock.places import place
from interlock.records.filters import Query, read_filter
from interlock.records.kinds import FIELDS
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

OWN = Path(__file__).with_name("test_datasets_files")
ACCOUNTS = {user.name for user in DEFAULT_USERS}


async def all_of(source: Source, kind: str, clauses: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor: Any = None
    query = Query(read_filter(clauses, FIELDS[kind]), limit=4)
    while True:
        page = await source.search(kind, query, cursor=cursor)
        for record in page.records:
            kept = {name: value for name, value in record.items() if name != "url"}
            kept = json.loads(json.dumps(kept).replace(f'"{source.name}:', '"'))
            if kept.get("user_name") not in ACCOUNTS:
                found[kept["ref"]] = kept
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("name", ["events", "demo"])
async def test_both_sources_agree(name: str) -> None:
    (found,) = find(OWN / name)
    dataset = load_found(found)
    store = Store()
    store.load(dataset.tables, dataset.omit)
    clock = SystemClock()
    folder, telemetry = place("adapters"), silent_telemetry(clock)
    user = DEFAULT_USERS[0]
    async with MockServiceNow(store) as mock:
        auth = {"basic": {"username": user.name, "password": user.password}}
        live = SourceConfig(adapter="servicenow", environment="test", base_url=mock.url, auth=auth)
        files = SourceConfig(adapter="export", settings=found.export_settings(), mapping=found.export_overlay())
        snow = build_source("snow", live, folder / "servicenow", clock, telemetry)
        export = build_source("files", files, folder / "export", clock, telemetry)
        queries: list[tuple[str, list[dict[str, Any]]]] = [
            ("incident", []),
            ("incident", [{"field": "state", "op": "in", "value": ["closed", "on_hold"]}]),
            ("incident", [{"field": "category", "op": "empty"}]),
            ("incident", [{"field": "priority", "op": "ne", "value": "p3"}]),
            ("ci", []),
            ("person", []),
            ("group", []),
        ]
        for kind, clauses in queries:
            one, other = await all_of(snow, kind, clauses), await all_of(export, kind, clauses)
            assert one == other, (kind, clauses)
            assert one, (kind, clauses)
        for ref in await all_of(export, "ci", []):
            key = ref.split(":", 1)[1]
            got, held = (await snow.get("ci", key)).record, (await export.get("ci", key)).record
            assert got.keys() - {"url"} == held.keys()
        await snow.close()
        await export.close()
