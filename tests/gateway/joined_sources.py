"""Sources of a joined search in memory, each with its own idea of order, of what it can check, and of paging.

They page as real ones do: natively by offset, through ``interlock.sources.search.find``, so that cursors,
checks afterwards and bounds are those of the product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from interlock.adapterkit.native import Native, Page, Plan
from interlock.clock import SystemClock
from interlock.records.filters import Condition, Query, matches
from interlock.records.kinds import FIELDS
from interlock.records.order import lacks, places
from interlock.sources import search
from interlock.sources.answers import Found

CLOCK = SystemClock()


class SimSource:
    """Rows with handles. ``order``: ``contract`` (as we sort), ``low`` (missing values below all others),
    ``high`` (above), ``none`` (cannot sort). ``checks``: conditions it can be asked, else they are checked here."""

    product, environment = "sim", "test"

    def __init__(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        order: str = "low",
        checks: bool = True,
        scan_limit: int = 2000,
        timeout_s: float = 2.0,
        page: int = 1000,
    ) -> None:
        self.name = name
        self.native = [
            {"handle": f"{number:04d}", "record": {"ref": f"{name}:incident:{row.get('number', f'N{number}')}", **row}}
            for number, row in enumerate(rows)
        ]
        self.kinds = frozenset({"incident"})
        self.order, self.checks, self.scan_limit, self.timeout_s = order, checks, scan_limit, timeout_s
        self.most = page
        self.pages = 0
        self.asked = 0
        self.before: Callable[[], Awaitable[None]] | None = None

    def refs(self) -> set[str]:
        return {row["record"]["ref"] for row in self.native}

    def ext(self, kind: str) -> dict[str, Any]:
        return {}

    def fields(self, kind: str) -> frozenset[str]:
        return frozenset(FIELDS[kind]) if not self.native else frozenset().union(*(r["record"] for r in self.native))

    def plan(self, kind: str, query: Query) -> Plan:
        if self.order == "contract":
            return Plan((), (), query.filter, order=query.sort, contract_order=True, text=query.text)
        order = query.sort if self.order != "none" and all(s.field in self.fields(kind) for s in query.sort) else ()
        pushed = query.filter if self.checks else ()
        return Plan(pushed, (), () if self.checks else query.filter, order=order, text=query.text)

    def _sorted(self, plan: Plan) -> list[Native]:
        found = [row for row in self.native if all(self._holds(clause, row["record"]) for clause in plan.pushed)]
        for sort in reversed(plan.order):
            place = places((sort,), FIELDS["incident"])
            if self.order == "contract":
                found.sort(key=lambda row: place(row["record"]))
                continue
            blank = [row for row in found if lacks(row["record"].get(sort.field))]
            filled = [row for row in found if not lacks(row["record"].get(sort.field))]
            filled.sort(key=lambda row: place(row["record"]))
            first = (self.order == "low") is not sort.descending
            found = blank + filled if first else filled + blank
        return found

    @staticmethod
    def _holds(clause: Any, record: Mapping[str, Any]) -> bool:
        if isinstance(clause, Condition) and clause.op in ("empty", "not_empty"):  # its database knows no absence
            return lacks(record.get(clause.field)) is (clause.op == "empty")
        return matches((clause,), record)

    async def search(self, kind: str, query: Query, *, cursor: Any = None, max_age_s: float = 0.0) -> Found:
        self.asked += 1
        if self.before is not None:
            await self.before()
        plan = self.plan(kind, query)
        found = self._sorted(plan)

        async def page(plan: Plan, at: Any, limit: int) -> Page:
            self.pages += 1
            start = (at or {}).get("skip", 0)
            end = start + min(limit, self.most)
            return Page(found[start:end], {"skip": end} if end < len(found) else None, end - start)

        return await search.find(
            plan,
            query,
            cursor,
            search.Bounds(self.scan_limit, self.timeout_s),
            CLOCK,
            page,
            lambda row: (row["record"], row["handle"]),
            lambda text, record: text in str(record.get("title")),
        )

    def health(self) -> dict[str, Any]:
        return {"state": "closed", "last_error": None}


def waits(seconds: float) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait


def raises(problem: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise problem

    return fail
