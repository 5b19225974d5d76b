"""A bulkhead: so many calls at once to a source, a bounded queue before it, and a share kept for settling."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from interlock.records.problems import Problem, Slug


class Bulkhead:
    """Slots of one source. Priority calls (the settling pass) go first and may use the reserved slots."""

    def __init__(self, source: str, *, concurrency: int, queue: int) -> None:
        self._source = source
        self._slots = concurrency
        # One slot in sixteen stays free for settling, so that a rush of calls cannot keep writes unknown.
        self._open_slots = concurrency - max(1, concurrency // 16) if concurrency > 1 else concurrency
        self._queue = queue
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        return len(self._first) + len(self._others)

    def enter(self, priority: bool) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if priority:
            free = self.in_flight < self._slots and not self._first
        else:
            free = self.in_flight < self._open_slots and not self._others
        if free:
            self.in_flight += 1
        return free

    async def queue_up(self, priority: bool, most_s: float) -> None:
        """Wait for a slot, at most ``most_s`` seconds. Raises Problem rate-limited when full or too late."""
        line = self._first if priority else self._others
        if len(line) >= self._queue:
            raise self._full(f"{len(line)} calls already wait for it")
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        line.append(mine)
        self._hand_on()  # a slot may have become free since the caller looked
        timer = loop.call_later(most_s, _time_out, mine)
        try:
            await mine
        except TimeoutError:
            _drop(line, mine)
            raise self._full(f"no place became free within {most_s:g} s") from None
        except asyncio.CancelledError:
            if mine.cancelled() or mine.exception() is not None:
                _drop(line, mine)
            else:
                self.leave()  # the slot was given in the moment in which we were cancelled
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give a slot back: to whoever may have it and waits longest."""
        self.in_flight -= 1
        self._hand_on()

    def _hand_on(self) -> None:
        while self._first and self.in_flight < self._slots:
            self._give(self._first)
        while self._others and self.in_flight < self._open_slots:
            self._give(self._others)

    def _give(self, line: deque[asyncio.Future[None]]) -> None:
        waiter = line.popleft()
        if not waiter.done():  # given up, but its task has not run since
            self.in_flight += 1
            waiter.set_result(None)

    def _full(self, why: str) -> Problem:
        return Problem(
            Slug.RATE_LIMITED,
            f"{self._source} is busy: {why}",
            next_step="Try again after retry_after_s.",
            retry_after_s=1.0,
            reached="no",
            source=self._source,
        )


def _drop(line: deque[asyncio.Future[None]], waiter: asyncio.Future[None]) -> None:
    with suppress(ValueError):
        line.remove(waiter)


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
