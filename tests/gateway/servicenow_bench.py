"""A whole gateway over one small mock ServiceNow of its own, and an agent that may everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_servers.faults import Rule
from mock_servers.servicenow import MockServiceNow, Store
from tests.gateway.gateway_bench import agent, person

from interlock.clock import SystemClock
from interlock.config.load import read_config
from interlock.gateway.context import Reply
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.principals.models import Agent
from interlock.records import times
from interlock.state.journal import WriteRow
from interlock.telemetry import silent_telemetry

AS_OF = "2026-03-01T09:15:00Z"


@dataclass
class SnowBench:
    """``call`` as an agent; ``row`` looks into the instance."""

    mock: MockServiceNow
    runtime: Runtime
    bot: Agent

    async def call(self, tool: str, **arguments: Any) -> Reply:
        return await self.runtime.pipeline.handle(self.bot, tool, arguments)

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The problem that a call ends with."""
        reply = await self.call(tool, **arguments)
        assert reply.status >= 400, reply.body
        return reply.body

    def row(self, table: str, sys_id: str) -> dict[str, str]:
        found = self.mock.store.get(table, sys_id)
        assert found is not None
        return found

    def named(self, table: str, column: str, value: str) -> list[dict[str, str]]:
        return list(self.mock.store.where(table, column, value))

    async def decide(self, reply: Reply) -> WriteRow:
        """A person approves a held call; its row when it has ended."""
        assert reply.status == 202, reply.body
        id = reply.body["receipt"]["approval"]["ref"]  # noqa: A001
        row = await self.runtime.journal.get(id)
        assert row is not None
        await self.runtime.approvals.decide(person(), id, row.digest, True, "looked at it")
        return await self.ended(id)

    async def ended(self, id: str) -> WriteRow:  # noqa: A002
        for _ in range(300):
            row = await self.runtime.journal.get(id)
            if row is not None and row.ended:
                return row
            await asyncio.sleep(0.02)
        raise AssertionError(row)

    def fail(self, kind: str, path: str, **more: Any) -> None:
        """The next POST to an address suffers a fault."""
        rule = Rule.read({"fault": kind, "methods": ["POST"], "path": path, "count": 1, **more})
        self.mock.faults.set([rule])


@asynccontextmanager
async def servicenow(store: Store, folder: Path, **source: Any) -> AsyncIterator[SnowBench]:
    """A gateway over a mock of this store; ``source`` adds to the source's configuration."""
    async with MockServiceNow(store) as mock:
        mock.clock.set(times.to_epoch(AS_OF))
        entry = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "integration", "password": "integration"}},
            **source,
        }
        body = {"state": str(folder / "state"), "as_of": AS_OF, "sources": {"snow": entry}}
        config = read_config(body, folder, environ={}, name="test")
        async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
            bot = agent()
            runtime.store.add_agent(bot, by="test")
            yield SnowBench(mock, runtime, bot)
