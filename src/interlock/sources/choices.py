"""Choice lists of a source: kept for ten minutes, asked for once at a time, and kept on when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from interlock.clock import Clock
from interlock.records import times
from interlock.records.problems import Problem
from interlock.records.taxonomy import Choice
from interlock.sources.flights import Flights
from interlock.telemetry import Log

FRESH_S = 600.0
AGAIN_S = 60.0
"""After a failure the source is asked again so much later: checks of every read need these lists."""

Ask = Callable[[], Awaitable[list[Choice]]]


@dataclass(slots=True)
class _Kept:
    observed_at: float
    ask_at: float
    choices: list[Choice] | None
    problem: Problem | None = None


class ChoiceLists:
    """The lists of one source, by kind and field: as many as it has fields with choices."""

    def __init__(self, source: str, clock: Clock, log: Log) -> None:
        self._source = source
        self._clock = clock
        self._log = log
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._flights: Flights[list[Choice]] = Flights(clock)

    async def get(self, kind: str, field: str, ask: Ask) -> list[Choice]:
        """The list; raises the source's Problem when there is none, not even an old one."""
        name = (kind, field)
        kept = self._kept.get(name)
        if kept is not None and self._clock.now() < kept.ask_at:
            return self._answer(kept)
        return await self._flights.join(name, 0.0, lambda: self._refresh(name, ask))

    async def _refresh(self, name: tuple[str, str], ask: Ask) -> list[Choice]:
        now = self._clock.now()
        try:
            kept = _Kept(now, now + FRESH_S, await ask())
        except Problem as problem:
            old = self._kept.get(name)
            again = self._clock.now() + AGAIN_S
            if old is None or old.choices is None:
                kept = _Kept(now, again, None, problem)
            else:
                kept = _Kept(old.observed_at, again, old.choices, problem)
                self._log.warning(
                    "old choices used",
                    source=self._source,
                    kind=name[0],
                    field=name[1],
                    observed_at=times.to_text(old.observed_at),
                    why=problem.detail,
                )
        self._kept[name] = kept
        return self._answer(kept)

    @staticmethod
    def _answer(kept: _Kept) -> list[Choice]:
        if kept.choices is None:
            assert kept.problem is not None
            raise kept.problem.with_traceback(None)
        return kept.choices

    def observed_at(self, kind: str, field: str) -> float:
        """When the list was read (epoch seconds); now when there is none."""
        kept = self._kept.get((kind, field))
        return self._clock.now() if kept is None else kept.observed_at

    def warnings(self) -> list[str]:
        """Lists that are older than they should be."""
        return [
            f"Choices of {kind}.{field} are as of {times.to_text(kept.observed_at)}: {kept.problem.detail}"
            for (kind, field), kept in sorted(self._kept.items())
            if kept.problem is not None and kept.choices is not None
        ]
