"""Joined search over two products on real sockets: ServiceNow sorts by itself, Remedy is read whole and sorted here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store as Forms
from mock_servers.servicenow import MockServiceNow, Store
from tests.gateway.gateway_bench import agent

from interlock.cli.demo_gateway import config_for
from interlock.clock import SystemClock
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.records.filters import read_sort
from interlock.records.kinds import FIELDS
from interlock.records.order import places
from interlock.telemetry import silent_telemetry

BOT = agent()


@pytest.fixture(scope="module")
def estate() -> Any:
    return generate(7, 200, DEFAULT_AS_OF)


@pytest.fixture
async def runtime(tmp_path: Path, estate: Any) -> AsyncIterator[Runtime]:
    store, forms = Store(), Forms()
    store.load(tables(estate))
    forms.load(entries(estate))
    async with AsyncExitStack() as stack:
        snow = await stack.enter_async_context(MockServiceNow(store))
        remedy = await stack.enter_async_context(MockRemedy(forms))
        account = {"basic": {"username": "integration", "password": "integration"}}
        common = {"environment": "test", "auth": account, "limits": {"per_second": None}}
        config = config_for(
            {
                "snow": {"adapter": "servicenow", "base_url": snow.url, **common},
                "rem": {
                    "adapter": "remedy", "base_url": remedy.url, "settings": {"server": "arserver"},
                    "scan_limit": 500, **common,
                },
            },
            tmp_path / "state",
        )  # fmt: skip
        yield await stack.enter_async_context(open_runtime(config, silent_telemetry(SystemClock())))


async def _all(runtime: Runtime, **asked: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    for _ in range(60):
        body = (await runtime.pipeline.handle(BOT, "incident_search", {**asked, "limit": 40, "cursor": cursor})).body
        assert [share["outcome"] for share in body["provenance"]["sources"]] == ["answered"] * 2, body["warnings"]
        rows += body["data"]
        if (cursor := body["page"]["cursor"]) is None:
            return rows
        assert len(cursor) <= 512
    raise AssertionError("the search does not end")


@pytest.mark.parametrize("sort", [["resolved_at"], ["-updated_at"], ["priority", "-opened_at"]])
async def test_both_in_one_order_and_every_incident_once(runtime: Runtime, sort: list[str]) -> None:
    names = [name.lstrip("-") for name in sort]
    rows = await _all(runtime, sort=sort, fields=names)
    alone: set[str] = set()
    for source in ("snow", "rem"):
        cursor = None
        while True:
            one = {"source": source, "limit": 100, "cursor": cursor}
            body = (await runtime.pipeline.handle(BOT, "incident_search", one)).body
            alone |= {row["ref"] for row in body["data"]}
            if (cursor := body["page"]["cursor"]) is None:
                break
    assert len(rows) == len({row["ref"] for row in rows})
    assert {row["ref"] for row in rows} == alone
    assert {row["ref"].split(":")[0] for row in rows} == {"snow", "rem"}
    place = places(read_sort(sort, FIELDS["incident"]), FIELDS["incident"])
    found = [place(row) for row in rows]
    assert found == sorted(found)


async def test_without_a_sort_both_in_turn(runtime: Runtime) -> None:
    body = (await runtime.pipeline.handle(BOT, "incident_search", {"limit": 10})).body
    assert [share["rows"] for share in body["provenance"]["sources"]] == [5, 5]
    assert any("rem cannot give" in word for word in body["warnings"])


async def test_people_are_found_in_both(runtime: Runtime) -> None:
    body = (await runtime.pipeline.handle(BOT, "directory_find", {"kind": "group", "text": "a", "limit": 50})).body
    assert {row["ref"].split(":")[0] for row in body["data"]} == {"snow", "rem"}
