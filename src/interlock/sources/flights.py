"""Single flight: callers that ask for the same thing at the same time share one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from interlock.clock import Clock

T = TypeVar("T")


@dataclass(slots=True)
class _Landing(Generic[T]):
    """How a call ended: with an answer, with what it raised, or (neither) without its caller."""

    answer: T | None = None
    raised: Exception | None = None


@dataclass(slots=True)
class _Flight(Generic[T]):
    began: float
    landed: asyncio.Future[_Landing[T]] | None = None  # made when the first follower comes


class Flights(Generic[T]):
    """Calls under way, by what they ask for. The first caller makes the call itself; the others wait for it.

    When the first caller is cancelled, one of the others makes the call.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def join(self, what: Hashable, not_before: float, work: Callable[[], Awaitable[T]]) -> T:
        """The answer of a call for ``what`` that began at ``not_before`` (epoch seconds) or later.

        What the call raises is raised to everyone who waits.
        """
        while True:
            flight = self._flights.get(what)
            if flight is None or flight.began < not_before:
                return await self._lead(what, work)
            if flight.landed is None:
                flight.landed = asyncio.get_running_loop().create_future()
            landing = await asyncio.shield(flight.landed)
            if landing.raised is not None:
                raise landing.raised
            if landing.answer is not None:
                return landing.answer

    async def _lead(self, what: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        flight: _Flight[T] = _Flight(self._clock.now())
        self._flights[what] = flight
        landing: _Landing[T] = _Landing()
        try:
            landing.answer = await work()
            return landing.answer
        except Exception as error:
            landing.raised = error
            raise
        finally:
            if self._flights.get(what) is flight:
                del self._flights[what]
            if flight.landed is not None:
                flight.landed.set_result(landing)
