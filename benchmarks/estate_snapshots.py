"""Estates as snapshots in a state folder, as if every source had just been harvested."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.estate_rows import Row
from interlock.clock import Clock
from interlock.quality.harvest.draft import Draft
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.stored import Stored

AT_ONCE = 10_000
"""Rows of a kind that are held before they are written."""


def harvested(rows: Iterable[Row], source: str, folder: Path, clock: Clock) -> dict[str, Snapshot]:
    """Publish all rows of a source as the next generation of ``folder`` (a state's ``snapshots``), by kind."""
    snapshots = Snapshots(folder, clock)
    drafts: dict[str, Draft] = {}
    waiting: dict[str, list[Stored]] = {}
    try:
        for each in rows:
            some = waiting.setdefault(each.kind, [])
            if each.kind not in drafts:
                drafts[each.kind] = snapshots.begin(source, each.kind)
            some.append(each.row)
            if len(some) >= AT_ONCE:
                drafts[each.kind].write(some)
                some.clear()
        published = {}
        for kind in list(drafts):
            drafts[kind].write(waiting[kind])
            published[kind] = drafts.pop(kind).publish()
        return published
    finally:
        for draft in drafts.values():
            draft.abandon()
