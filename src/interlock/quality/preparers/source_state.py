"""``source_state(source, kind, harvested_at, expected_by, rows, rows_before, skew_s)``: how fresh each kind is.

A function of the schedule and of what harvests left behind; nothing in it depends on now, so it is made once a
scan and judged again by the clock alone. A kind that was tried and never came has no ``harvested_at``; one
without a schedule no ``expected_by``. ``rows`` are those of the last harvest, also of one that was set aside;
``rows_before`` those it is to be held against. ``skew_s`` is by how much the source's clock was ahead when it
was last seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from interlock.config import Config
from interlock.jobs.job import Job
from interlock.jobs.plan import plan_of
from interlock.quality.harvest.history import Run, runs
from interlock.quality.harvest.snapshots import Snapshot, Snapshots


class SourceState(NamedTuple):
    """One row. Times are whole epoch seconds (UTC)."""

    source: str
    kind: str
    harvested_at: int | None
    expected_by: int | None
    rows: int | None
    rows_before: int | None
    skew_s: int | None

    @property
    def ref(self) -> str:
        """What flags on it are raised on."""
        return f"{self.source}:source:{self.kind}"


def source_states(snapshots: Snapshots, config: Config) -> list[SourceState]:
    """The rows of every kind that was harvested, or tried, so far."""
    plan = {job.name: job for job in plan_of(config)}
    found = []
    for source, kind in snapshots.kinds():
        jobs = [plan[name] for name in (f"harvest:{source}", f"reconcile:{source}") if name in plan]
        grace = config.sources[source].schedule.grace_s if source in config.sources else 0.0
        current, recorded = snapshots.current(source, kind), runs(snapshots, source, kind)
        if current is None and not recorded:
            continue
        rows, before = _rows(snapshots, source, kind, current)
        at = current.manifest.ended_at if current else recorded[0].began_at
        harvested = int(at) if current else None
        found.append(SourceState(source, kind, harvested, expected_by(jobs, at, grace), rows, before, _skew(recorded)))
    return found


def expected_by(jobs: Sequence[Job], harvested_at: float, grace_s: float) -> int | None:
    """By when the next harvest must have ended: its start, with jitter and windows, and the grace.

    None without a schedule.
    """
    starts = [start for job in jobs if (start := job.next_start(harvested_at)) is not None]
    return ceil(min(starts) + grace_s) if starts else None


def _rows(snapshots: Snapshots, source: str, kind: str, current: Snapshot | None) -> tuple[int | None, int | None]:
    aside = snapshots.suspect(source, kind)
    if aside is not None and (current is None or aside.generation > current.generation):
        return aside.manifest.rows, current.manifest.rows if current else None
    if current is None:
        return None, None
    if current.manifest.why:  # it was doubted, and a person took it: there is nothing left to hold it against
        return current.manifest.rows, None
    previous = snapshots.previous(source, kind)
    return current.manifest.rows, previous.manifest.rows if previous else None


def _skew(recorded: Sequence[Run]) -> int | None:
    seen = [run.skew_s for run in recorded if run.skew_s is not None]
    return round(seen[-1]) if seen else None
