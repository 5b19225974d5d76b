"""Pacing: never more calls in any second, or any hour, than a source allows; silence while it asks for it.

A window of the last N send times is exact, where a bucket that is full at first lets almost twice its rate
pass in one window. Reservations are made in order of arrival, so nobody is overtaken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from interlock.clock import Clock
from interlock.records.problems import Problem, Slug

BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
LONGEST_SILENCE_S = 3600.0
HOUR_S = 3600.0


class Window:
    """At most ``rate`` calls per ``period_s``, in every such period; under one call, the period stretches."""

    def __init__(self, rate: float, period_s: float) -> None:
        self._most = max(1, int(rate))
        self._period_s = self._most / rate * period_s
        self._taken: deque[float] = deque(maxlen=self._most)

    def free_at(self, now: float) -> float:
        """When the next call may leave."""
        taken = self._taken
        if len(taken) < self._most:
            # Later than any reservation: times in the window stay in order.
            return taken[-1] if taken and taken[-1] > now else now
        return max(now, taken[0] + self._period_s, taken[-1])

    def take(self, at: float) -> None:
        self._taken.append(at)

    def forget(self) -> None:
        self._taken.clear()


class Pacer:
    """The pace of one source."""

    def __init__(
        self,
        source: str,
        clock: Clock,
        *,
        per_second: float | None,
        per_hour: float | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._clock = clock
        self._sleep = sleep
        self._windows = [
            Window(rate, period) for rate, period in ((per_second, 1.0), (per_hour, HOUR_S)) if rate is not None
        ]
        self._now = 0.0
        self._silent_until = 0.0
        self._refusals = 0

    @property
    def silent_until(self) -> float:
        """Epoch seconds until which the source asked to be left alone."""
        return self._silent_until

    def delay(self, most_s: float) -> float:
        """Reserve the next free moment and say how long to wait for it (seconds, 0 for none).

        Raises Problem rate-limited, and reserves nothing, when that is longer than ``most_s``.
        """
        now = self._clock.now()
        if now < self._now - 1.0:  # the machine's clock was set back: old times would block for as long
            for window in self._windows:
                window.forget()
        self._now = now
        at = max(now, self._silent_until)
        for window in self._windows:
            at = max(at, window.free_at(now))
        wait = at - now
        if wait > most_s:
            raise self._limited(wait)
        for window in self._windows:
            window.take(at)
        return wait

    async def wait(self, delay: float, most_s: float) -> None:
        """Sleep through a reservation; sleeps on when the source asked for silence meanwhile.

        Raises Problem rate-limited when that takes longer than ``most_s`` in all.
        """
        began = self._clock.now()
        await self._sleep(delay)
        while (left := self._silent_until - self._clock.now()) > 0:
            if self._clock.now() + left - began > most_s:
                raise self._limited(left)
            await self._sleep(left)

    def refused(self, retry_after_s: float | None) -> None:
        """The source said that we ask too often: be silent as long as it says, else longer each time."""
        if retry_after_s is None:
            retry_after_s = min(BACKOFF_S * 2.0 ** min(self._refusals, 10), LONGEST_BACKOFF_S)
        self._refusals += 1
        until = self._clock.now() + min(max(retry_after_s, 0.0), LONGEST_SILENCE_S)
        self._silent_until = max(self._silent_until, until)

    def accepted(self) -> None:
        """The source answered a call."""
        self._refusals = 0

    def _limited(self, wait: float) -> Problem:
        silent = self._clock.now() < self._silent_until
        why = "asked us to wait" if silent else "is asked as often as its limits allow"
        return Problem(
            Slug.RATE_LIMITED,
            f"{self._source} {why}",
            next_step="Try again after retry_after_s, or ask for less at once.",
            retry_after_s=round(max(wait, 0.1), 1),
            reached="no",
            source=self._source,
        )
