"""One page of a search: push down, decode, check the rest here, within a bound of rows and time.

Our cursor is the native cursor of the page to go on with, and the handle after which to go on when only
part of that page was used. When that row is gone meanwhile the page is given whole: a row may then come
twice, but none is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from interlock.adapterkit.native import Native, Page, Plan
from interlock.clock import Clock
from interlock.records.filters import Query, matches
from interlock.records.problems import Problem, Slug, invalid
from interlock.sources.answers import Found

CHECKED_PAGE = 100
"""Rows asked for at once when some of them may fail a check here."""

ReadPage = Callable[[Plan, Any, int], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one search may read: native rows, and seconds for further pages after the first."""

    rows: int
    seconds: float


async def find(
    plan: Plan,
    query: Query,
    cursor: Any,
    bounds: Bounds,
    clock: Clock,
    read: ReadPage,
    decode: Callable[[Native], tuple[dict[str, Any], str | None]],
    holds_text: Callable[[str, dict[str, Any]], bool],
) -> Found:
    """Up to ``query.limit`` records that satisfy the whole query. Raises what ``read`` raises."""
    limit = query.limit
    began = clock.now()
    if plan.empty:
        return Found([], None, began, "live", False, plan.why)
    at, after, size = _start(cursor)
    records: list[dict[str, Any]] = []
    warnings = [
        f"Not sorted by {each.field}: the source cannot."
        for each in query.sort
        if each.field not in {offered.field for offered in plan.order}
    ]
    seen = 0
    while True:
        ask = size or _page_size(plan, limit - len(records), bounds.rows - seen)
        size = None
        page = await read(plan, at, ask)
        warnings += [w for w in page.warnings if w not in warnings]
        rows = [decode(row) for row in page.rows]
        if after is not None:
            rows = _behind(rows, after)
            after = None
        for index, (record, handle) in enumerate(rows):
            if plan.post and not matches(plan.post, record):
                continue
            if plan.text is not None and not holds_text(plan.text, record):
                continue
            records.append(record)
            if len(records) == limit and index + 1 < len(rows):
                if handle is None:
                    raise Problem(Slug.SOURCE_FAULT, "the source gave rows without a handle", layer="source")
                go_on = {"at": at, "after": handle, "size": ask}
                return Found(records, go_on, began, "live", False, tuple(warnings))
        if page.cursor is None:
            return Found(records, None, began, "live", False, tuple(warnings))
        if page.cursor == at:
            raise Problem(Slug.SOURCE_FAULT, "the source gave the same page again instead of the next", layer="source")
        at = page.cursor
        seen += max(page.seen, len(page.rows), 1)
        if len(records) >= limit:
            return Found(records, {"at": at}, began, "live", False, tuple(warnings))
        stop = _bound(seen, clock.now() - began, bounds)
        if stop:
            why = f" ({'; '.join(plan.why)})" if plan.why else ""
            warnings.append(
                f"Stopped after {seen} rows: {stop}{why}. {len(records)} matched so far; "
                "more may follow: go on with the cursor, or narrow the filter."
            )
            return Found(records, {"at": at}, began, "live", True, tuple(warnings))


def _start(cursor: Any) -> tuple[Any, str | None, int | None]:
    if cursor is None:
        return None, None, None
    if not isinstance(cursor, dict) or "at" not in cursor:
        raise invalid("cursor", None, "is not a cursor of this search", "Take the cursor of the last answer.")
    return cursor["at"], cursor.get("after"), cursor.get("size")


def _page_size(plan: Plan, wanted: int, left: int) -> int:
    # Rows that were dropped by the source itself still count against the bound: never ask for none.
    return max(1, min(max(wanted, CHECKED_PAGE) if plan.post or plan.text is not None else wanted, left))


def _behind(rows: list[tuple[dict[str, Any], str | None]], handle: str) -> list[tuple[dict[str, Any], str | None]]:
    for index, row in enumerate(rows):
        if row[1] == handle:
            return rows[index + 1 :]
    return rows


def _bound(seen: int, elapsed: float, bounds: Bounds) -> str | None:
    if seen >= bounds.rows:
        return f"at most {bounds.rows} are read for one search"
    if elapsed > bounds.seconds:
        return f"a search may take {bounds.seconds:g} s"
    return None
