"""A Remedy source over the mock, as tests need it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.model import Estate
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store

from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.places import place
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

ADAPTER = place("adapters") / "remedy"
NUMBER = "INC000000009004"
"""An incident in progress with group, assignee, CI and customer."""


@cache
def estate() -> Estate:
    return generate(1, Size.of(200), DEFAULT_AS_OF)


@asynccontextmanager
async def remedy(wsdls: Path, **changes: Any) -> AsyncIterator[tuple[Source, MockRemedy]]:
    """A source and the mock behind it. ``wsdls`` is where compiled WSDLs are kept."""
    services = changes.pop("services", None)
    store = Store()
    store.load(entries(estate()))
    async with MockRemedy(store, services=services) as mock:
        mock.clock.set(estate().as_of)
        account = {"username": "integration", "password": changes.pop("password", "integration")}
        config = {
            "adapter": "remedy",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": account},
            "settings": {"server": "arserver", **changes.pop("settings", {})},
            "limits": {"per_second": None},
            "timeout_s": 3,
            **changes,
        }
        clock = SystemClock()
        source = build_source(
            "rem", SourceConfig.model_validate(config), ADAPTER, clock, silent_telemetry(clock), cache=wsdls
        )
        try:
            yield source, mock
        finally:
            await source.close()
