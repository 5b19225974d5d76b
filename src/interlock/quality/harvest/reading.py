"""One kind of one source into a draft: page by page through its mapping, counted as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import lt
from pathlib import Path
from typing import Any

from interlock.adapterkit.native import Native, Plan
from interlock.quality.harvest.draft import Draft
from interlock.quality.harvest.parts import handle_file
from interlock.quality.stored import TABLES, Stored, stored
from interlock.records.problems import Problem, Slug
from interlock.sources.sweep import Sweep

Progress = Callable[[int, int | None], None]
"""Told after every page: rows so far, and how many there will be where the source said so."""


class Rows:
    """Native rows of a kind as stored rows. Raises Problem for a row without a handle."""

    def __init__(self, sweep: Sweep, kind: str) -> None:
        self.kind = kind
        self.source = sweep.source.name
        self._mapping = sweep.source.decoder(kind)
        names = [column.name for column in TABLES[kind]]
        self.updated_at = names.index("updated_at") if "updated_at" in names else None

    def handle(self, native: Native) -> str:
        """The handle of a row."""
        found = self._mapping.handle(native)
        if found is None:
            raise Problem(
                Slug.SOURCE_FAULT,
                f"{self.source} gave a {self.kind} without a handle",
                next_step="Give the account the right to read the column that the mapping names as id.",
                layer="source",
                source=self.source,
            )
        return found

    def stored(self, native: Sequence[Native], observed_at: float) -> list[Stored]:
        """The rows of a page."""
        decode, kind, source = self._mapping.decode, self.kind, self.source
        return [stored(kind, decode(row), self.handle(row), source, observed_at) for row in native]

    def latest(self, rows: Sequence[Stored]) -> int | None:
        """The latest ``updated_at`` among rows."""
        at = self.updated_at
        if at is None:
            return None
        return max((value for row in rows if isinstance(value := row[at], int)), default=None)


async def read_all(sweep: Sweep, draft: Draft, plan: Plan, progress: Progress) -> None:
    """Read the pages of a plan into the draft, from its cursor on.

    Afterwards ``draft.state`` holds ``done``, ``latest`` (the latest ``updated_at``) and ``sorted`` (whether
    handles only ever rose, so that no row can have come twice). Raises what the source raises.
    """
    state: dict[str, Any] = {"done": False, "latest": None, "sorted": True, "last": "", "total": None} | draft.state
    if state["done"]:
        return
    rows = Rows(sweep, draft.kind)
    async for page in sweep.pages(draft.kind, plan, draft.cursor):
        found = rows.stored(page.rows, page.observed_at)
        draft.write(found)
        state = _noted(state, found, rows.latest(found), page.total)
        draft.mark(page.cursor, **state)
        progress(draft.rows, state["total"])
    draft.mark(None, **{**state, "done": True})
    draft.save()


async def ids_of(sweep: Sweep, draft: Draft) -> tuple[Path, tuple[int, int | None]]:
    """Every handle that the source has now, as a Parquet file in the draft's folder.

    Gives the file, how many there are, and how many the source counts.
    """
    rows, path = Rows(sweep, draft.kind), draft.folder / "ids.parquet"
    seen, total = 0, None
    with handle_file(path) as write:
        async for page in sweep.pages(draft.kind, sweep.plan(draft.kind, fields=())):
            write([rows.handle(row) for row in page.rows])
            seen += len(page.rows)
            total = page.total if total is None else total
    return path, (seen, total)


def _noted(state: dict[str, Any], rows: Sequence[Stored], latest: int | None, total: int | None) -> dict[str, Any]:
    handles = [str(row[_HANDLE]) for row in rows]
    rising = not handles or (state["last"] < handles[0] and all(map(lt, handles, handles[1:])))
    return {
        **state,
        "latest": max((each for each in (state["latest"], latest) if each is not None), default=None),
        "sorted": state["sorted"] and rising,
        "last": handles[-1] if handles else state["last"],
        "total": state["total"] if total is None else total,
    }


_HANDLE = next(index for index, column in enumerate(TABLES["ci"]) if column.name == "handle")
