"""A pass through all CIs with the columns of their classes, which the parent table does not show.

Which tables have such columns is read from the dictionary once; each of them is then asked once for a page of CIs,
never once for a CI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interlock.adapterkit.native import Native, Page, Plan
from interlock.adapterkit.rest import plain
from interlock.records.problems import Problem, Slug

from .dictionary import TABLE

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_IDS = 100  # so many fit in an address
_CLOSED = (Slug.NOT_FOUND, Slug.SOURCE_DENIED, Slug.SOURCE_FAULT)


class Sweeping:
    """Pages of one instance, made whole."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter
        self._told: dict[tuple[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]] = {}

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """As the adapter's ``page``, with the columns of child tables."""
        page = await self._adapter.page(kind, plan, cursor, limit)
        if not page.rows or "sys_class_name" not in page.rows[0]:
            return page
        absent = tuple(name for name in plan.columns if "." not in name and name not in page.rows[0])
        entity = self._adapter.spec(kind).entity
        classes = {str(plain(row.get("sys_class_name"))) for row in page.rows} - {entity}
        rows = {_handle(row): row if isinstance(row, dict) else dict(row) for row in page.rows}
        calls = page.calls
        for table, columns in (await self._tables(entity, absent, classes)).items():
            found, asked = await self._rows(table, columns, list(rows), ranged=not plan.pushed)
            calls += asked
            for more in found:
                whole = rows.get(_handle(more))
                if whole is not None:
                    whole.update((name, more[name]) for name in columns if name in more)
        return Page(list(rows.values()), page.cursor, page.seen, page.warnings, page.total, calls)

    async def _tables(self, entity: str, absent: tuple[str, ...], classes: set[str]) -> dict[str, tuple[str, ...]]:
        """The tables that have absent columns of rows of these classes."""
        if not absent or not classes:
            return {}
        told = self._told.get((entity, absent))
        if told is None:
            told = self._told[entity, absent] = await self._defined(absent)
        chain = self._adapter.dictionary.chain
        above = {table for each in sorted(classes) if TABLE.fullmatch(each) for table in await chain(each)}
        if not told:  # the dictionary is closed to our account: each class is asked for all of them
            return dict.fromkeys(sorted(each for each in classes if TABLE.fullmatch(each)), absent)
        return {table: columns for table, columns in told.items() if table in above and table != entity}

    async def _defined(self, absent: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        try:
            rows = await self._adapter.list_rows(
                "sys_dictionary", f"elementIN{','.join(absent)}^ORDERBYsys_id", ("name", "element"), 1000
            )
        except Problem as problem:
            if problem.slug not in _CLOSED:
                raise
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for row in rows:
            table, name = str(row.get("name")), str(row.get("element"))
            if name in absent and TABLE.fullmatch(table):
                found[table] = (*found.get(table, ()), name)
        return found

    async def _rows(
        self, table: str, columns: tuple[str, ...], handles: Sequence[str], *, ranged: bool
    ) -> tuple[list[Native], int]:
        queries = [f"sys_id>={handles[0]}^sys_id<={handles[-1]}"]
        if not ranged or len(handles) <= _IDS:
            queries = [f"sys_idIN{','.join(handles[at : at + _IDS])}" for at in range(0, len(handles), _IDS)]
        found: list[Native] = []
        for query in queries:
            try:
                found += await self._adapter.list_rows(
                    table, f"{query}^ORDERBYsys_id", ("sys_id", *columns), len(handles), display_value="all"
                )
            except Problem as problem:
                if problem.slug not in _CLOSED:
                    raise
                break  # the class is closed to our account: its columns stay unknown
        return found, len(queries)


def _handle(row: Native) -> str:
    return str(plain(row.get("sys_id")))
