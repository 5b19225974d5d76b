"""Time as a value: everything that asks what time it is gets a Clock passed in."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch, UTC."""

    def now(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class AsOfClock:
    """A clock that stands still: quality is judged as of one moment, as for an old export."""

    def __init__(self, as_of: float) -> None:
        self._as_of = as_of

    def now(self) -> float:
        return self._as_of
