"""Budgets: how many calls a minute and writes an hour an agent may make, counted in this process."""

from __future__ import annotations

from interlock.principals.models import Agent


class Budgets:
    """Fixed windows per agent: cheap, bounded by the number of agents, exact enough for a brake."""

    def __init__(self) -> None:
        self._calls: dict[str, list[float]] = {}
        self._writes: dict[str, list[float]] = {}

    def call(self, agent: Agent, now: float) -> float | None:
        """Count a call; seconds to wait when the minute's budget is spent, else None."""
        return _count(self._calls, agent.id, agent.budgets.calls_per_minute, 60.0, now)

    def write(self, agent: Agent, now: float) -> bool:
        """Count a write; False when the hour's budget is spent."""
        return _count(self._writes, agent.id, agent.budgets.writes_per_hour, 3600.0, now) is None


def _count(windows: dict[str, list[float]], id: str, limit: int | None, span: float, now: float) -> float | None:  # noqa: A002
    if limit is None:
        return None
    window = windows.get(id)
    if window is None or now - window[0] >= span:
        windows[id] = [now, 1.0]
        return None
    if window[1] >= limit:
        return max(0.0, window[0] + span - now)
    window[1] += 1
    return None
