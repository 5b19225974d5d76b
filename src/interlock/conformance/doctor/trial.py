"""What the first calls to a source gave: one small read of each kind, with every answer that came for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.adapterkit.wire import Answer, Call
from interlock.clock import Clock
from interlock.conformance.bench import Tap
from interlock.records.filters import Query, Sort
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Source

ROWS = 20
"""So many records of a kind are read."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer, and when it came by our clock (epoch seconds)."""

    answer: Answer
    at: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Records of a kind, or the problem that came instead. ``heard``: the answers to it, oldest first."""

    kind: str
    records: Sequence[Mapping[str, Any]]
    problem: Problem | None
    heard: Sequence[Heard]

    @property
    def status(self) -> int | None:
        """The last HTTP status; None without any answer."""
        return self.heard[-1].answer.status if self.heard else None

    @property
    def page(self) -> bool:
        """A web page, or a redirect to one, came instead of data."""
        code = (self.problem.native_code or "") if self.problem else ""
        return code.endswith("page") or (code.isdecimal() and 300 <= int(code) < 400)

    @property
    def forbidden(self) -> bool:
        """Denied to an account that the source knows."""
        problem = self.problem
        return problem is not None and problem.slug is Slug.SOURCE_DENIED and problem.reached == "yes"


async def try_kinds(
    source: Source, kinds: Sequence[str], tap: Tap | None, clock: Clock, clean: Callable[[str], str]
) -> list[Trial]:
    """Read each kind once, newest records first. It ends where going on is pointless, or would lock the account.

    ``clean`` removes secrets from what the source says.
    """
    trials: list[Trial] = []
    for kind in kinds:
        heard: list[Heard] = []
        if tap is not None:
            tap.listen = _listener(heard, clock)
        records: Sequence[Mapping[str, Any]] = ()
        problem: Problem | None = None
        try:
            records = (await source.search(kind, Query(sort=_newest(source, kind), limit=ROWS))).records
        except Problem as caught:
            problem = caught
            problem.detail = clean(problem.detail)
        trials.append(Trial(kind, records, problem, tuple(heard)))
        if _final(trials):
            break
    return trials


def _listener(heard: list[Heard], clock: Clock) -> Callable[[Call, Answer], None]:
    def listen(call: Call, answer: Answer) -> None:
        heard.append(Heard(answer, clock.now()))

    return listen


def _newest(source: Source, kind: str) -> tuple[Sort, ...]:
    readable: frozenset[str] = source.fields(kind)
    return (Sort("updated_at", descending=True),) if "updated_at" in readable else ()


def _final(trials: Sequence[Trial]) -> bool:
    last = trials[-1]
    if last.problem is None:
        return False
    if last.page or last.problem.slug in (Slug.SOURCE_UNAVAILABLE, Slug.RATE_LIMITED):
        return True
    # Every further attempt with a wrong password counts towards a lock-out.
    unread = all(trial.problem is not None for trial in trials)
    return unread and last.problem.slug is Slug.SOURCE_DENIED and not last.forbidden
