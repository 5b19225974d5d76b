"""A pass through every row of a kind, at the back of the source's line and within a budget of its own.

Rows come undecoded, page by page, each with the cursor to go on from after it: a pass that ended anywhere
goes on there in another process. A source that asks for silence, or is away for a while, is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.adapterkit.native import Native, Plan
from interlock.adapterkit.paging import stuck
from interlock.clock import Clock
from interlock.config import SourceConfig
from interlock.records import times
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Fetched
from interlock.sources.pacing import Pacer
from interlock.sources.source import Source

SHARE_PER_SECOND = 0.2
SHARE_PER_HOUR = 0.5
TRIES = 6
"""So often in a row a page may fail before the pass gives up."""
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 120.0
LONGEST_SILENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class SweptPage:
    """Native rows, where to go on after them (None: the end), and since when they hold (epoch seconds)."""

    rows: Sequence[Native]
    cursor: Any
    observed_at: float
    total: int | None
    warnings: tuple[str, ...]


def budget(name: str, config: SourceConfig, clock: Clock, sleep: Callable[[float], Awaitable[None]]) -> Pacer:
    """The pace of all passes of one source together: what ``harvest`` says, or its share of ``limits``."""
    limits, own = config.limits, config.harvest
    a_second = limits.per_second and limits.per_second * SHARE_PER_SECOND
    an_hour = limits.per_hour and limits.per_hour * SHARE_PER_HOUR
    return Pacer(name, clock, per_second=own.per_second or a_second, per_hour=own.per_hour or an_hour, sleep=sleep)


class Sweep:
    """Passes through the kinds of one source."""

    def __init__(
        self,
        source: Source,
        config: SourceConfig,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.source = source
        self.calls = 0
        self._size = config.harvest.page
        self._pacer = budget(source.name, config, clock, sleep)
        self._sleep = sleep

    def can_ask_since(self, kind: str) -> bool:
        """Whether the source itself finds what changed since a moment."""
        return "updated_at" in self.source.asked_by(kind, "ge")

    def plan(self, kind: str, *, since: int | None = None, fields: tuple[str, ...] | None = None) -> Plan:
        """All rows, or those changed since (epoch seconds); more of them where the source asks loosely."""
        held = () if since is None else (Condition("updated_at", "ge", times.to_text(since)),)
        return self.source.plan(kind, Query(held, fields=fields))

    async def pages(self, kind: str, plan: Plan, cursor: Any = None) -> AsyncIterator[SweptPage]:
        """The pages from a cursor on. Raises what the source raises, once waiting does not help."""
        if plan.empty:
            return
        while True:
            page = await self._page(kind, plan, cursor)
            yield page
            if page.cursor is None:
                return
            if page.cursor == cursor:
                raise stuck(cursor)
            cursor = page.cursor

    async def count(self, kind: str) -> int | None:
        """How many rows there are, where the source tells that with a page."""
        return (await self._page(kind, self.plan(kind, fields=()), None, 1)).total

    async def read(self, kind: str, handle: str) -> Fetched | None:
        """One record by its handle; None when it is gone."""
        await self._turn()
        self.calls += 1
        try:
            return await self.source.get(kind, f"~{handle}")
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                raise
            return None

    async def _page(self, kind: str, plan: Plan, cursor: Any, size: int | None = None) -> SweptPage:
        for failed in range(1, TRIES + 1):
            await self._turn()
            self.calls += 1
            try:
                page, observed = await self.source.swept(kind, plan, cursor, size or self._size)
            except Problem as problem:
                if not problem.retryable or failed == TRIES:
                    raise
                wait = min(FIRST_WAIT_S * 2 ** (failed - 1), LONGEST_WAIT_S)
                await self._sleep(min(problem.retry_after_s or wait, LONGEST_SILENCE_S))
                continue
            for _ in range(page.calls - 1):  # they were made already: what follows waits for them
                self.calls += 1
                self._pacer.delay(float("inf"))
            return SweptPage(page.rows, page.cursor, observed, page.total, page.warnings)
        raise AssertionError

    async def _turn(self) -> None:
        delay = self._pacer.delay(float("inf"))
        if delay > 0:
            await self._sleep(delay)
