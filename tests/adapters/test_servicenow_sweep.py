"""A pass through all CIs of the mock instance: every row as whole as a single read of it, in few calls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from mock_servers.servicenow import MockServiceNow, Store, Switches
from pydantic import SecretStr

from interlock.adapterkit.native import Native
from interlock.clock import SystemClock
from interlock.config import Auth, Basic, SourceConfig
from interlock.places import place
from interlock.records.filters import Query
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.sources.sweep import Sweep
from interlock.telemetry import silent_telemetry

CLASSES = {
    "cmdb_ci_linux_server": {"os": "Linux Debian", "os_version": "12"},
    "cmdb_ci_win_server": {"os": "Windows 2022"},
    "cmdb_ci_printer": {},
}

STAMPED = {"sys_updated_on": "2026-03-01 09:15:00"}


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    store = Store()
    rows = {
        table: [{"sys_id": f"{n * 3 + place:032x}", "name": f"{table}-{n}", **STAMPED, **columns} for n in range(70)]
        for place, (table, columns) in enumerate(CLASSES.items())
    }
    store.load(rows)
    async with MockServiceNow(store, switches=Switches()) as running:
        yield running


def opened(mock: MockServiceNow, user: str = "integration", **more: object) -> tuple[Source, SourceConfig]:
    auth = Auth(basic=Basic(username=user, password=SecretStr(user)))
    config = SourceConfig.model_validate(
        {"adapter": "servicenow", "environment": "test", "base_url": mock.url, "limits": {"per_second": None}, **more}
    ).model_copy(update={"auth": auth})
    clock = SystemClock()
    return build_source("snow", config, place("adapters") / "servicenow", clock, silent_telemetry(clock)), config


async def swept(source: Source, config: SourceConfig, since: int | None = None) -> tuple[list[Native], Sweep]:
    sweep = Sweep(source, config, SystemClock())
    found: list[Native] = []
    async for page in sweep.pages("ci", sweep.plan("ci", since=since)):
        found += page.rows
    return found, sweep


@pytest.mark.parametrize("since", [None, 0])
async def test_rows_have_the_columns_of_their_classes(mock: MockServiceNow, since: int | None) -> None:
    source, config = opened(mock, harvest={"page": 150})
    try:
        rows, sweep = await swept(source, config, since)
        decode = source.decoder("ci").decode
        records = [decode(row) for row in rows]
        assert len({record["ref"] for record in records}) == 210
        for record in records[::29]:
            single = (await source.get("ci", record["ref"].split(":")[2])).record
            assert record == single
        assert sum(record.get("os") == "Linux Debian" for record in records) == 70
        assert sum(record.get("os_version") == "12" for record in records) == 70
        assert sweep.calls < 12  # for 210 records
    finally:
        await source.close()


async def test_ids_alone_are_asked_for_nothing_else(mock: MockServiceNow) -> None:
    source, config = opened(mock, harvest={"page": 1000})
    try:
        sweep = Sweep(source, config, SystemClock())
        pages = [page async for page in sweep.pages("ci", sweep.plan("ci", fields=()))]
        assert [len(page.rows) for page in pages] == [210]
        assert pages[0].total == 210
        assert sweep.calls == 1
        assert set(pages[0].rows[0]) <= {"sys_id", "sys_class_name", "sys_mod_count"}
        assert await sweep.count("ci") == 210
    finally:
        await source.close()


async def test_how_far_the_clocks_differ(mock: MockServiceNow) -> None:
    source, _ = opened(mock)
    try:
        assert source.skew_s() is None
        await source.search("ci", Query(limit=1))
        skew = source.skew_s()
        assert skew is not None
        assert abs(skew) < 5
    finally:
        await source.close()
