"""One of three sources breaks, over real sockets: the others answer as ever, and the joined answer names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from benchmarks.isolation import BROKEN, FAULTS, OTHERS, Result, Seen, rows
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.faults import Rule
from mock_servers.servicenow import MockServiceNow, Store
from tests.gateway.gateway_bench import agent

from interlock.cli.demo_gateway import config_for
from interlock.clock import SystemClock
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.telemetry import silent_telemetry

Stand = tuple[Runtime, dict[str, MockServiceNow]]


@pytest.fixture(scope="module")
def estate() -> Any:
    return tables(generate(7, 200, DEFAULT_AS_OF))


@pytest.fixture
async def stand(tmp_path: Path, estate: Any) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        mocks, sources = {}, {}
        for name in (BROKEN, *OTHERS):
            store = Store()
            store.load(estate)
            mocks[name] = await stack.enter_async_context(MockServiceNow(store))
            sources[name] = {
                "adapter": "servicenow",
                "environment": "test",
                "base_url": mocks[name].url,
                "auth": {"basic": {"username": "admin", "password": "admin"}},
                "timeout_s": 1.0,
            }
        config = config_for(sources, tmp_path / "state")
        config = config.model_copy(update={"search": config.search.model_copy(update={"patience_s": 0.3})})
        telemetry = silent_telemetry(SystemClock())
        yield await stack.enter_async_context(open_runtime(config, telemetry)), mocks


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_broken_source_is_named_and_the_others_answer(stand: Stand, fault: str) -> None:
    runtime, mocks = stand
    bot = agent()

    async def search(**asked: Any) -> dict[str, Any]:
        return (await runtime.pipeline.handle(bot, "incident_search", {"limit": 9, **asked})).body

    whole = await search()
    assert [share["outcome"] for share in whole["provenance"]["sources"]] == ["answered"] * 3
    mocks[BROKEN].faults.set([Rule.read(FAULTS[fault])])
    joined, *alone = await asyncio.gather(search(), *(search(source=name) for name in OTHERS))
    outcomes = {share["source"]: share["outcome"] for share in joined["provenance"]["sources"]}
    assert outcomes.pop(BROKEN) in ("failed", "late")
    assert set(outcomes.values()) == {"answered"}
    assert any(BROKEN in word for word in joined["warnings"])
    assert len(joined["data"]) == 9
    assert [len(each["data"]) for each in alone] == [9, 9]
    further = await search(cursor=joined["page"]["cursor"])  # the next page is of the others, without waiting
    assert {row["ref"] for row in further["data"]}.isdisjoint(row["ref"] for row in joined["data"])
    assert {row["ref"].split(":")[0] for row in further["data"]} <= set(OTHERS)


def test_the_figures_are_held_against_their_budgets() -> None:
    quiet = Seen([10.0] * 99 + [20.0], [5.0] * 10, 0, 10)
    slow = Result("slow", [2.0], quiet, Seen([10.0] * 99 + [30.0], [5.0] * 10, 9, 0, 1))
    ok = {row["name"].split(": ")[1]: row["ok"] for row in rows([slow])}
    assert ok["p99 of the others, times undisturbed, median of pairs"] is False
    assert ok["errors of the others"] is False
    assert ok["joined answers that have the others' rows and name it, share"] is False
    assert ok["undisturbed joined answers that are whole, share"] is True
