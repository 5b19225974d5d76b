"""What columns an instance has: it drops a condition on one that it does not know, and then finds every row.

Facts: c_EncodedQueryStrings; that hidden columns behave like missing ones is observed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock.adapterkit.native import Plan
from interlock.records.problems import Problem, Slug

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

TABLE = re.compile(r"[a-z][a-z0-9_]{0,79}")
_QUERIED = re.compile(r"(?:OR|NQ)?([a-z_][a-z0-9_.]*)")


class Dictionary:
    """Tables and columns of one instance, asked once for each."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter
        self._chains: dict[str, tuple[str, ...]] = {}  # table and its parents, nearest first
        self._columns: dict[str, frozenset[str]] = {}  # what sys_dictionary tells of a table
        self._trusted: set[tuple[str, str]] = set()  # columns that the instance is known to filter by
        self._learning = asyncio.Lock()

    async def know(self, kind: str, plan: Plan) -> None:
        """Every column of a query must be known: an instance drops a condition on one it does not know,
        and then finds every row. Asked once for each column."""
        spec = self._adapter.spec(kind)
        table = spec.entity
        asked = [found.group(1) for clause in str(plan.pushed or "").split("^") if (found := _QUERIED.match(clause))]
        asked += [column for each in plan.order if (column := spec.fields[each.field].sort)]
        unknown = [column for column in asked if (table, column) not in self._trusted]
        if unknown:
            async with self._learning:  # many first searches at once ask for the dictionary once
                await self._learn(kind, table, unknown)

    async def _learn(self, kind: str, table: str, columns: Sequence[str]) -> None:
        for column in columns:
            if (table, column) in self._trusted:
                continue
            if column not in await self._dictionary(table) and not await self._filters_by(table, column):
                name = next(
                    (n for n, f in self._adapter.spec(kind).fields.items() if column in f.filters.values()), column
                )
                raise Problem(
                    Slug.UNSUPPORTED,
                    f"the instance has no column {column} on {table}, so it cannot be asked by {name}",
                    field=name,
                    value=column,
                    next_step=f"Correct the mapping of {name} for this instance, or leave it out of the filter.",
                    layer="source",
                    reached="no",
                )
            self._trusted.add((table, column))

    async def _dictionary(self, table: str) -> frozenset[str]:
        """Columns of a table and its parents; none when the account may not read them."""
        known = self._columns.get(table)
        if known is None:
            chain = await self.chain(table)
            try:
                query = f"nameIN{','.join(chain)}^elementISNOTEMPTY^ORDERBYsys_id"
                rows = await self._adapter.list_rows("sys_dictionary", query, ("name", "element"), 10_000)
            except Problem as problem:
                if problem.retryable:
                    raise
                rows = []
            found = {str(row.get("element")) for row in rows if row.get("name") in chain}
            known = self._columns[table] = frozenset(found)
        return known

    async def chain(self, table: str) -> tuple[str, ...]:
        """The table and its parents, as far as the account may see them."""
        known = self._chains.get(table)
        if known is None:
            chain = [table]
            columns = ("name", "super_class.name")
            try:
                while len(chain) < 12:
                    rows = await self._adapter.list_rows("sys_db_object", f"name={chain[-1]}", columns, 2)
                    parent = next((r.get("super_class.name") for r in rows if r.get("name") == chain[-1]), None)
                    if not isinstance(parent, str) or not TABLE.fullmatch(parent) or parent in chain:
                        break
                    chain.append(parent)
            except Problem as problem:
                if problem.retryable:
                    raise
            if len(chain) == 1 and table in ("incident", "problem", "change_request", "sc_task", "sc_req_item"):
                chain.append("task")
            known = self._chains[table] = tuple(chain)
        return known

    async def _filters_by(self, table: str, column: str) -> bool:
        """Canary: does a condition that nothing meets find nothing, and one that all meet find something?"""

        async def finds(query: str) -> bool:
            return bool(await self._adapter.list_rows(table, query, ("sys_id",), 1))

        if await finds(f"{column}ISEMPTY^{column}ISNOTEMPTY"):
            return False  # both conditions were dropped
        if await finds(f"{column}ISEMPTY^OR{column}ISNOTEMPTY"):
            return True
        return not await finds("sys_idISNOTEMPTY")  # an empty table shows nothing either way
