"""Gateways for tests: one over a source in memory, one whole over the mock ServiceNow with a small estate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
from mock_servers.estate.servicenow import tables
from mock_servers.estate.stories import stories
from mock_servers.servicenow import MockServiceNow, Store
from tests.gateway.gateway_bench import Bench, bench_in
from tests.gateway.gateway_house import House

from interlock.clock import SystemClock
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.records import times
from interlock.telemetry import silent_telemetry


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path / "state") as found:
        yield found


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    estate = generate(7, 300, DEFAULT_AS_OF)
    store = Store()
    store.load(tables(estate))
    mock = MockServiceNow(store)
    with mock.in_thread():
        mock.clock.set(estate.as_of)
        yield House(mock, stories(estate), times.to_text(estate.as_of), profile("snow"))


@pytest.fixture
async def runtime(house: House, tmp_path: Path) -> AsyncIterator[Runtime]:
    telemetry = silent_telemetry(SystemClock())
    async with open_runtime(house.config(tmp_path), telemetry) as found:
        yield found
