"""One harvest of one kind, from the decision what to read to the snapshot that everybody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from interlock.config import Harvest, SourceConfig
from interlock.quality.harvest.draft import Draft
from interlock.quality.harvest.guard import doubts, lost_fields
from interlock.quality.harvest.history import Outcome, Run, add_run, add_schema
from interlock.quality.harvest.increments import Merged, added, keep_last_of_twins, merge, missing
from interlock.quality.harvest.reading import Progress, ids_of, read_all
from interlock.quality.harvest.snapshots import Mode, Snapshot, Snapshots
from interlock.quality.stored import stored
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Source
from interlock.sources.sweep import Sweep

MOST_SINGLE = 500
"""So many rows that only the pass over ids found are read one by one; with more, everything is read again."""


@dataclass(slots=True)
class _Job:
    """What one harvest works with."""

    sweep: Sweep
    snapshots: Snapshots
    kind: str
    settings: Harvest
    progress: Progress
    last: Snapshot | None
    calls: int

    @property
    def source(self) -> str:
        return self.sweep.source.name


class _Taken(NamedTuple):
    """What a harvest came to: the snapshot, what changed, and the fields that no row read knew any more."""

    snapshot: Snapshot
    merged: Merged | None
    lost: list[str]


class Watch(Protocol):
    """Told how harvests go, as they go."""

    def began(self, source: str, kind: str, expected: int | None) -> None:
        """A kind is being read; so many rows the last snapshot had."""

    def read(self, source: str, kind: str, rows: int, total: int | None) -> None:
        """A page is in: rows so far, and how many there will be where the source said so."""

    def ended(self, run: Run) -> None:
        """A kind is done."""


async def harvest_source(
    source: Source,
    config: SourceConfig,
    snapshots: Snapshots,
    *,
    kinds: Collection[str] = (),
    full: bool = False,
    watch: Watch | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Run]:
    """Harvest the kinds of a source one after the other: these, else those of its settings, else all it has."""
    sweep = Sweep(source, config, snapshots.clock, sleep=sleep)
    done: list[Run] = []
    for kind in sorted(kinds or config.harvest.kinds or source.kinds):
        last = snapshots.current(source.name, kind)
        if watch is not None:
            watch.began(source.name, kind, last.manifest.rows if last else None)
        progress = partial(watch.read, source.name, kind) if watch is not None else _unseen
        run = await harvest_kind(sweep, snapshots, kind, config.harvest, full=full, progress=progress)
        done.append(run)
        if watch is not None:
            watch.ended(run)
    return done


def _unseen(rows: int, total: int | None) -> None:
    """Nobody watches."""


async def harvest_kind(
    sweep: Sweep, snapshots: Snapshots, kind: str, settings: Harvest, *, full: bool = False, progress: Progress
) -> Run:
    """Harvest a kind and say how it went; what a source refuses is in the answer, not raised.

    An incremental harvest where the source can be asked for what changed and there is a last one; else, or with
    ``full``, everything. A harvest that a kill cut short goes on.
    """
    job = _Job(sweep, snapshots, kind, settings, progress, snapshots.current(sweep.source.name, kind), sweep.calls)
    began = snapshots.clock.now()
    mode = _mode(job, full)
    draft: Draft | None = None
    try:
        draft = _begin(job, mode)
        taken, merged, lost = await (_whole if mode == "full" else _increment)(job, draft)
    except Problem as problem:
        if draft is not None:
            draft.leave()
        outcome: Outcome = "not offered" if problem.slug is Slug.UNSUPPORTED else "failed"
        if outcome == "not offered" and draft is not None and not draft.parts:
            draft.abandon()
        run = _run(job, began, mode, outcome, draft, detail=problem.detail)
    except BaseException:
        if draft is not None:
            draft.leave()
        raise
    else:
        add_schema(snapshots, taken, lost)
        ended: Outcome = "suspect" if taken.suspect else "published"
        run = _run(job, began, mode, ended, draft, taken, merged, "; ".join(taken.manifest.why))
    if run.outcome != "not offered":
        add_run(snapshots, run)
    return run


def _mode(job: _Job, full: bool) -> Mode:
    unfinished = job.snapshots.unfinished(job.source, job.kind)
    begun = unfinished is not None and unfinished.get("mode") == "full"
    last = job.last is None or job.last.manifest.watermark is None
    return "full" if full or begun or last or not job.sweep.can_ask_since(job.kind) else "incremental"


def _begin(job: _Job, mode: Mode) -> Draft:
    purpose: dict[str, object] = {"mode": mode, "asked": list(job.sweep.plan(job.kind).columns)}
    if mode == "incremental":
        assert job.last is not None
        purpose["over"] = job.last.generation
    draft = job.snapshots.begin(job.source, job.kind, purpose=purpose)
    draft.checkpoint_s = job.settings.checkpoint_s
    return draft


async def _whole(job: _Job, draft: Draft) -> _Taken:
    await read_all(job.sweep, draft, job.sweep.plan(job.kind), job.progress)
    if not draft.state["sorted"]:
        keep_last_of_twins(draft)
    total = draft.state["total"]
    rows = draft.rows
    last = job.last.manifest if job.last else None
    lost = lost_fields(last, rows, draft.known) if last else []
    why = doubts(last, rows, rows, draft.known, job.settings)
    snapshot = draft.publish(
        mode="full",
        watermark=_watermark(job, draft, None),
        calls=job.sweep.calls - job.calls,
        hidden=max(0, total - rows) if total is not None else 0,
        why=why,
    )
    return _Taken(snapshot, None, lost)


async def _increment(job: _Job, draft: Draft) -> _Taken:
    assert job.last is not None
    last = job.last.manifest
    since = max(0, (last.watermark or 0) - int(job.settings.overlap_s))
    await read_all(job.sweep, draft, job.sweep.plan(job.kind, since=since), job.progress)
    ids, hidden = None, last.hidden
    if await _sweep_due(job, draft):
        ids, told = await ids_of(job.sweep, draft)
        seen, total = told
        hidden = max(0, total - seen) if total is not None else 0
        unread = missing(draft, job.last, ids, MOST_SINGLE + 1)
        if len(unread) > MOST_SINGLE:
            draft.abandon()
            again = _begin(job, "full")
            try:
                return await _whole(job, again)
            except BaseException:
                again.leave()
                raise
        await _read_single(job, draft, unread)
    read, known = draft.rows, dict(draft.known)
    merged = merge(draft, job.last, ids)
    if ids is not None:
        ids.unlink()
    why = doubts(last, draft.rows, read, known, job.settings)
    snapshot = draft.publish(
        mode="incremental",
        watermark=_watermark(job, draft, last.watermark),
        swept_at=None if ids is not None else last.swept_at,
        calls=job.sweep.calls - job.calls,
        since_sweep=0 if ids is not None else last.since_sweep + 1,
        hidden=hidden,
        why=why,
    )
    return _Taken(snapshot, merged, lost_fields(last, read, known))


async def _sweep_due(job: _Job, draft: Draft) -> bool:
    """Every n-th time, and when the source counts fewer rows than there should be."""
    assert job.last is not None
    last = job.last.manifest
    if last.since_sweep + 1 >= job.settings.sweep_every:
        return True
    total = await job.sweep.count(job.kind)
    return total is not None and total < last.rows + added(draft, job.last) + last.hidden


async def _read_single(job: _Job, draft: Draft, handles: list[str]) -> None:
    found = []
    for handle in handles:
        fetched = await job.sweep.read(job.kind, handle)
        if fetched is not None:
            found.append(stored(job.kind, fetched.record, fetched.handle, job.source, fetched.observed_at))
    if found:
        draft.write(found)
        draft.flush()


def _watermark(job: _Job, draft: Draft, before: int | None) -> int | None:
    """Up to when everything changed is in: not later than the pass began, by the source's clock."""
    found = [value for value in (before, draft.state["latest"]) if value is not None]
    if not found:
        return None
    skew = job.sweep.source.skew_s() or 0.0
    return min(max(found), int(draft.began_at + skew))


def _skew(job: _Job, draft: Draft | None) -> float | None:
    """How far the source's clock is ahead: as its answers say, else as its records show that changed in our future."""
    told = job.sweep.source.skew_s()
    latest = draft.state.get("latest") if draft is not None else None
    if told is not None or latest is None:
        return told
    ahead = latest - job.snapshots.clock.now()
    return ahead if ahead > 0 else None


def _run(
    job: _Job,
    began: float,
    mode: Mode,
    outcome: Outcome,
    draft: Draft | None,
    taken: Snapshot | None = None,
    merged: Merged | None = None,
    detail: str = "",
) -> Run:
    now = job.snapshots.current(job.source, job.kind)
    return Run(
        source=job.source,
        kind=job.kind,
        began_at=began,
        ended_at=job.snapshots.clock.now(),
        outcome=outcome,
        mode=taken.manifest.mode if taken else mode,
        generation=taken.generation if taken else None,
        rows=now.manifest.rows if now else 0,
        read=draft.read if draft else 0,
        calls=job.sweep.calls - job.calls,
        skew_s=_skew(job, draft),
        resumed=draft.resumed if draft else False,
        changed=merged.changed if merged else None,
        gone=merged.gone if merged else None,
        detail=detail,
    )
