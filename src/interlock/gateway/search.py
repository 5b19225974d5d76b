"""Joined search: one answer from all sources that hold a kind, merged in one order, with one cursor.

All sources are asked at once. Once the first has answered the others are waited for a little longer; who is
later, fails, or cannot keep the order within its bound is named in the answer and costs the others nothing.

A source that is missing when a page begins stays out of the rest of that search: its rows would come out of
order. The cursor that was passed still holds its place: repeating that call asks it again. One that stops in
the middle of a page ends the page there, and is asked again with the next.

Rows of equal place come by the name of their source, then in the source's own order.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from interlock.gateway.runs import Outcome, Run, Share, Way, way
from interlock.records.fields import Field
from interlock.records.filters import Query
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Source

LATE_READS = 2
"""So many reads of a source may be unanswered before joined searches leave it alone until one ends."""

_REASON_CHARS = 240
_GONE: Mapping[str, tuple[Outcome, str]] = {
    "o": ("left_out", "was left out of this search on an earlier page"),
    "f": ("failed", "failed on an earlier page of this search"),
    "l": ("late", "was late on an earlier page of this search"),
    "c": ("partial", "has a place in this search that does not fit into a cursor"),
}
"""How a cursor says that a source is not asked any more."""
_CODES: Mapping[Outcome, str] = {"left_out": "o", "failed": "f", "late": "l"}


@dataclass(frozen=True, slots=True)
class Joint:
    """One page of a joined search: records with the time of their observation, and what each source gave.

    ``positions`` is JSON-able and None at the end.
    """

    rows: list[tuple[dict[str, Any], float]]
    shares: list[Share]
    positions: list[Any] | None
    truncated: bool
    warnings: list[str]


@dataclass(slots=True)
class Question:
    """A joined search before it is asked: the query in the order that will be kept, and each source's way to it."""

    kind: str
    query: Query
    fields: Mapping[str, Field]
    sources: Sequence[Source]
    ways: dict[str, Way]
    refused: dict[str, Problem] = field(default_factory=dict)
    in_turn: tuple[str, ...] = ()  # sources that do not have the usual order, so that it was given up

    @property
    def seal(self) -> bytes:
        """What its cursor is bound to besides the arguments: who is asked, and how."""
        shape = [[name, len(each.asks), each.sorted_here] for name, each in self.ways.items()]
        order = [[each.field, each.descending] for each in self.query.sort]
        return hashlib.sha256(orjson.dumps([[each.name for each in self.sources], order, shape])).digest()


def question(
    kind: str, query: Query, fields: Mapping[str, Field], sources: Sequence[Source], *, usual: bool
) -> Question:
    """How ``sources`` can be asked together. ``usual``: the order is ours, not asked for by the agent; where one of
    them does not have it, rows are taken from each in turn instead."""
    found = _ways(Question(kind, query, fields, sorted(sources, key=lambda each: each.name), {}))
    unable = tuple(name for name, each in found.ways.items() if each.sorted_here)
    if not (usual and unable):
        return found
    return _ways(replace(found, query=replace(query, sort=()), ways={}, refused={}, in_turn=unable))


def _ways(asked: Question) -> Question:
    for source in asked.sources:
        try:
            asked.ways[source.name] = way(source, asked.kind, asked.query, asked.fields)
        except Problem as problem:
            asked.refused[source.name] = problem
    return asked


class Joined:
    """Asks several sources as one."""

    def __init__(self, patience_s: float = 3.0) -> None:
        self._patience_s = patience_s
        self._late: dict[str, set[asyncio.Task[None]]] = {}

    async def close(self) -> None:
        """End the reads that nobody waits for any more."""
        tasks = [task for late in self._late.values() for task in late]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def page(
        self, asked: Question, positions: list[Any] | None, max_age_s: float, admits: Callable[[dict[str, Any]], bool]
    ) -> Joint:
        """The next page: up to the query's limit of rows that ``admits`` takes. Raises Problem when no source can."""
        limit = asked.query.limit
        runs, gone = _runs(asked, positions, max_age_s)
        await self._read([run for run in runs if not run.ended], first=True)
        _some_answered(runs, gone)
        rows: list[tuple[dict[str, Any], float]] = []
        while len(rows) < limit:
            live = [run for run in runs if not run.ended and not run.dropped]
            dry = [run for run in live if not run.rows]
            if halted := [run for run in dry if run.bounded]:
                for run in halted:
                    _missing(run, "partial", _bound(run), first=False)
                break
            if dry:
                await self._read(dry, first=not rows)
                if any(run.problem is not None and not run.dropped for run in dry):
                    break
                continue
            if not live:
                break
            run = min(live, key=lambda each: (each.head, each.name))
            record, observed = run.take()
            if admits(record):
                run.given += 1
                rows.append((record, observed))
        return _joint(asked, runs, gone, rows)

    async def _read(self, runs: Sequence[Run], *, first: bool) -> None:
        """A page for each run, at once. Who cannot is dropped at the beginning of a page, else marked."""
        loop = asyncio.get_running_loop()
        tasks: dict[asyncio.Task[None], Run] = {}
        for run in runs:
            if len(self._late.get(run.name, ())) >= LATE_READS:
                _missing(run, "late", _late(run.name, "has not answered earlier searches yet"), first)
            else:
                tasks[loop.create_task(run.read())] = run
        pending = set(tasks)
        until = loop.time() + max((run.source.timeout_s for run in runs), default=0.0)
        if not first:
            until = min(until, loop.time() + self._patience_s)
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=max(0.0, until - loop.time()), return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in done:
                    problem = task.exception()
                    if problem is None:
                        until = min(until, loop.time() + self._patience_s)
                    elif isinstance(problem, Problem):
                        _missing(tasks[task], _outcome(problem), problem, first)
                    else:
                        raise problem
        except BaseException:
            for task in pending:
                task.cancel()
            raise
        for task in pending:
            run = tasks[task]
            self._leave(run.name, task)
            _missing(run, "late", _late(run.name, "did not answer in time"), first)

    def _leave(self, name: str, task: asyncio.Task[None]) -> None:
        """Let a late read end by itself: its line learns from it how the source does."""
        late = self._late.setdefault(name, set())
        late.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            late.discard(task)
            if not task.cancelled():
                task.exception()  # told where it happened, by the source's line

        task.add_done_callback(ended)


def _missing(run: Run, outcome: Outcome, problem: Problem, first: bool) -> None:
    if first:
        run.drop(outcome, problem)
    else:
        run.outcome, run.problem = "partial", problem


def _bound(run: Run) -> Problem:
    detail = f"{run.name} was read as far as its bounds of rows and time allow for one page"
    return Problem(Slug.UNSUPPORTED, detail, next_step="Go on with the cursor, or narrow the filter.", source=run.name)


def _outcome(problem: Problem) -> Outcome:
    return "left_out" if problem.slug in (Slug.UNSUPPORTED, Slug.INVALID_ARGUMENT) else "failed"


def _late(name: str, what: str) -> Problem:
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"{name} {what}",
        next_step="Name the source to wait for it, or try again later.",
        layer="transport",
        source=name,
    )


def _runs(asked: Question, positions: list[Any] | None, max_age_s: float) -> tuple[list[Run], dict[str, Share]]:
    """Runs at their positions, and the shares of the sources that are not asked any more."""
    runs: list[Run] = []
    gone: dict[str, Share] = {}
    for at, source in enumerate(asked.sources):
        name = source.name
        packed: Any = () if positions is None else positions[at]
        if name in asked.refused:
            gone[name] = Share(name, "left_out", 0, _reason(asked.refused[name]))
        elif isinstance(packed, str):
            outcome, reason = _GONE[packed]
            gone[name] = Share(name, outcome, 0, f"{name} {reason}")
        else:
            query = asked.query
            run = Run(source, asked.kind, asked.ways[name], query.sort, asked.fields, query.limit, max_age_s, packed)
            runs.append(run)
    if not runs:
        raise _nobody([*asked.refused.values()])
    return runs, gone


def _some_answered(runs: Sequence[Run], gone: Mapping[str, Share]) -> None:
    problems = [run.problem for run in runs if run.dropped and run.problem is not None]
    if len(problems) == len(runs):
        raise _nobody(problems)


def _nobody(problems: Sequence[Problem]) -> Problem:
    """All sources fail: the problem of the only one, else one that names each."""
    if len(problems) == 1:
        return problems[0]
    slugs = {problem.slug for problem in problems}
    return Problem(
        slugs.pop() if len(slugs) == 1 else Slug.SOURCE_UNAVAILABLE,
        "no source can answer: " + "; ".join(_reason(problem) for problem in problems),
        field=next((problem.field for problem in problems if problem.field), None),
        next_step=next((problem.next_step for problem in problems if problem.next_step), None),
        retry_after_s=max((problem.retry_after_s or 0.0 for problem in problems), default=0.0) or None,
        layer=problems[0].layer if problems else "gateway",
    )


def _reason(problem: Problem) -> str:
    text = problem.detail
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 1] + "…"


def _joint(
    asked: Question, runs: Sequence[Run], gone: Mapping[str, Share], rows: list[tuple[dict[str, Any], float]]
) -> Joint:
    shares = dict(gone)
    for run in runs:
        reason = None if run.problem is None else _reason(run.problem)
        shares[run.name] = Share(run.name, run.outcome, run.given, reason, run.observed_at, run.origin)
    ordered = [shares[source.name] for source in asked.sources]
    at = {run.name: _CODES[run.outcome] if run.dropped else run.packed for run in runs}
    at |= {name: next(code for code, (outcome, _) in _GONE.items() if outcome == gone[name].outcome) for name in gone}
    warnings = [
        f"Rows of {share.source} are missing: {share.reason}" for share in ordered if share.outcome != "answered"
    ]
    warnings += [f"{run.name}: {word}" for run in runs for word in run.warnings]
    if asked.in_turn:
        order = ", ".join(asked.in_turn)
        warnings.append(f"Not in the usual order, which {order} cannot give: rows come from each source in turn.")
    more = any(not run.ended and not run.dropped for run in runs)
    return Joint(
        rows,
        ordered,
        [at[source.name] for source in asked.sources] if more else None,
        any(share.outcome != "answered" for share in ordered) or any(run.bounded and not run.ended for run in runs),
        warnings,
    )


def sorts(source: Source, kind: str, query: Query) -> bool:
    """Whether a source gives the whole order that is asked for."""
    plan = source.plan(kind, query)
    return plan.empty or plan.order == query.sort


def fitted(joint: Joint, sign: Callable[[list[Any]], str | None]) -> tuple[Joint, str | None]:
    """The page with its cursor. Where not all positions fit into one, the longest is given up, and that is told."""
    while joint.positions is not None:
        cursor = sign(joint.positions)
        if cursor is not None:
            return joint, cursor
        joint = _without_longest(joint, joint.positions)
    return joint, None


def _without_longest(joint: Joint, positions: list[Any]) -> Joint:
    longest = max(range(len(positions)), key=lambda at: len(orjson.dumps(positions[at])))
    outcome, words = _GONE["c"]
    share = joint.shares[longest]
    reason = f"{share.source} {words}"
    kept = [*positions[:longest], "c", *positions[longest + 1 :]]
    return replace(
        joint,
        shares=[*joint.shares[:longest], replace(share, outcome=outcome, reason=reason), *joint.shares[longest + 1 :]],
        positions=kept if any(isinstance(each, list) for each in kept) else None,
        truncated=True,
        warnings=[*joint.warnings, f"Rows of {share.source} are missing: {reason}"],
    )
