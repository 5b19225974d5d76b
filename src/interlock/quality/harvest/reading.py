"""One kind of one source into a draft: page by page through its mapping, counted as it goes."""

from __future__ import annotations

from collections.abc import Callable
from operator import lt
from pathlib import Path
from typing import Any

from interlock.adapterkit.native import Plan
from interlock.quality.harvest.columnwise import ByRow, Swath, reader
from interlock.quality.harvest.draft import Draft
from interlock.quality.harvest.parts import handle_file, latest_in
from interlock.sources.sweep import Sweep

Progress = Callable[[int, int | None], None]
"""Told after every page: rows so far, and how many there will be where the source said so."""


async def read_all(sweep: Sweep, draft: Draft, plan: Plan, progress: Progress) -> None:
    """Read the pages of a plan into the draft, from its cursor on.

    Afterwards ``draft.state`` holds ``done``, ``latest`` (the latest ``updated_at``) and ``sorted`` (whether
    handles only ever rose, so that no row can have come twice). Raises what the source raises.
    """
    state: dict[str, Any] = {"done": False, "latest": None, "sorted": True, "last": "", "total": None} | draft.state
    if state["done"]:
        return
    read = reader(sweep.source.decoder(draft.kind), draft.kind, sweep.source.name)
    async for page in sweep.pages(draft.kind, plan, draft.cursor):
        swath = read(page.rows, page.observed_at)
        draft.take(swath.batch, len(swath.handles), swath.known)
        state = _noted(state, swath, page.total)
        draft.mark(page.cursor, **state)
        progress(draft.rows, state["total"])
    draft.mark(None, **{**state, "done": True})
    draft.save()


async def ids_of(sweep: Sweep, draft: Draft) -> tuple[Path, tuple[int, int | None]]:
    """Every handle that the source has now, as a Parquet file in the draft's folder.

    Gives the file, how many there are, and how many the source counts.
    """
    mapping = sweep.source.decoder(draft.kind)
    rows, path = ByRow(mapping, draft.kind, sweep.source.name), draft.folder / "ids.parquet"
    seen, total = 0, None
    with handle_file(path) as write:
        async for page in sweep.pages(draft.kind, sweep.plan(draft.kind, fields=())):
            write([rows.handle(row) for row in page.rows])
            seen += len(page.rows)
            total = page.total if total is None else total
    return path, (seen, total)


def _noted(state: dict[str, Any], swath: Swath, total: int | None) -> dict[str, Any]:
    handles = swath.handles
    rising = not handles or (state["last"] < handles[0] and all(map(lt, handles, handles[1:])))
    latest = (state["latest"], latest_in(swath.batch))
    return {
        **state,
        "latest": max((each for each in latest if each is not None), default=None),
        "sorted": state["sorted"] and rising,
        "last": handles[-1] if handles else state["last"],
        "total": state["total"] if total is None else total,
    }
