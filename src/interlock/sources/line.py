"""The line to one source: every call to it passes its breaker, bulkhead and pace here, and is measured."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from interlock.clock import Clock
from interlock.config import Limits
from interlock.records import times
from interlock.records.problems import Problem, Slug
from interlock.sources.breaker import Breaker, State, is_outage
from interlock.sources.bulkhead import Bulkhead
from interlock.sources.pacing import Pacer
from interlock.telemetry import Telemetry

T = TypeVar("T")

OPERATION_TIMEOUTS = 3
"""One operation may be several requests (a key looked up, then the row), each within its own time-out."""
_UP: dict[State, float] = {"closed": 1.0, "half-open": 0.5, "open": 0.0}


class Line:
    """Runs calls within a source's limits. When nothing has to be waited for, no lock or task is made."""

    def __init__(
        self,
        source: str,
        limits: Limits,
        timeout_s: float,
        clock: Clock,
        telemetry: Telemetry,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._limits = limits
        self._wait_s = timeout_s
        self._operation_s = timeout_s * OPERATION_TIMEOUTS
        self._clock = clock
        self._telemetry = telemetry
        self.breaker = Breaker(source, clock)
        self.bulkhead = Bulkhead(source, concurrency=limits.concurrency, queue=limits.queue)
        self.pacer = Pacer(source, clock, per_second=limits.per_second, per_hour=limits.per_hour, sleep=sleep)
        self._latencies: deque[float] = deque(maxlen=512)
        self._calls = 0
        self._last_ok: float | None = None
        self._last_error: dict[str, Any] | None = None
        self._meters: dict[str, tuple[Any, Any]] = {}
        telemetry.metrics.source_in_flight.labels(source).set_function(lambda: self.bulkhead.in_flight)
        telemetry.metrics.source_up.labels(source).set_function(lambda: _UP[self.breaker.state])

    async def call(
        self,
        operation: str,
        work: Callable[[], Awaitable[T]],
        *,
        priority: bool = False,
        not_after: float | None = None,
        timeout_s: float | None = None,
    ) -> T:
        """Run ``work`` once its turn has come.

        Waits at most one time-out of the source, and not beyond ``not_after`` (epoch seconds). Raises
        what ``work`` raises, and Problem source-unavailable or rate-limited with ``reached="no"`` when it
        was not run at all.
        """
        trial = await self._turn(priority, not_after)
        most_s = timeout_s or self._operation_s
        began = time.perf_counter()
        try:
            async with asyncio.timeout(most_s):
                answer = await work()
        except Problem as problem:
            self._failed(operation, problem, trial)
            raise
        except TimeoutError:
            late = Problem(
                Slug.SOURCE_UNAVAILABLE,
                f"{self._source} did not finish within {most_s:g} s",
                next_step="Try again later; after a write, read the record first.",
                layer="transport",
                reached="maybe",
                source=self._source,
            )
            self._failed(operation, late, trial)
            raise late from None
        except BaseException:  # the caller went away, or a fault of ours: nothing is known of the source
            self.breaker.abandoned(trial)
            raise
        finally:
            self.bulkhead.leave()
        self._answered(operation, time.perf_counter() - began, trial)
        return answer

    async def _turn(self, priority: bool, not_after: float | None) -> bool:
        """Wait for a slot and for the pace; the slot is then ours. True when the call is a breaker's trial."""
        try:
            self.breaker.check()
            most_s = self._wait_s
            if not_after is not None:
                most_s = min(most_s, max(0.0, not_after - self._clock.now()))
            if not self.bulkhead.enter(priority):
                began = self._clock.now()
                await self.bulkhead.queue_up(priority, most_s)
                most_s = max(0.0, most_s - (self._clock.now() - began))
            try:
                delay = self.pacer.delay(most_s)
                if delay > 0:
                    await self.pacer.wait(delay, most_s)
                return self.breaker.admit()
            except BaseException:
                self.bulkhead.leave()
                raise
        except Problem as problem:
            self._telemetry.metrics.source_refused.labels(self._source, str(problem.slug)).inc()
            raise

    def _meter(self, operation: str) -> tuple[Any, Any]:
        metrics = self._telemetry.metrics
        found = (
            metrics.source_calls.labels(self._source, operation, "ok"),
            metrics.source_seconds.labels(self._source, operation),
        )
        self._meters[operation] = found
        return found

    def _answered(self, operation: str, seconds: float, trial: bool) -> None:
        if trial:
            self._telemetry.log.warning("source answers again", source=self._source)
        self.breaker.answered(trial)
        self.pacer.accepted()
        self._calls += 1
        self._last_ok = self._clock.now()
        self._latencies.append(seconds)
        counter, histogram = self._meters.get(operation) or self._meter(operation)
        counter.inc()
        histogram.observe(seconds)

    def _failed(self, operation: str, problem: Problem, trial: bool) -> None:
        problem.source = problem.source or self._source
        self._calls += 1
        log = self._telemetry.log
        if is_outage(problem):
            closed = self.breaker.state == "closed"
            self.breaker.failed(trial)
            if closed and self.breaker.state != "closed":
                log.warning("source left alone", source=self._source, why=problem.detail)
        elif problem.slug is Slug.RATE_LIMITED:
            self.breaker.answered(trial)
            self.pacer.refused(problem.retry_after_s)
        else:
            self.breaker.answered(trial)
            self.pacer.accepted()
        self._last_error = {
            "at": times.to_text(self._clock.now()),
            "operation": operation,
            "slug": str(problem.slug),
            "detail": log.scrubber.clean(problem.detail),
        }
        self._telemetry.metrics.source_calls.labels(self._source, operation, str(problem.slug)).inc()
        if problem.slug is not Slug.NOT_FOUND:
            log.info(
                "source call failed",
                source=self._source,
                operation=operation,
                slug=str(problem.slug),
                native_code=problem.native_code,
                detail=problem.detail,
            )

    def health(self) -> dict[str, Any]:
        """The state of the line, JSON-ready; times as instants, latencies in milliseconds."""
        ordered = sorted(self._latencies)
        silent = self.pacer.silent_until
        return {
            "state": self.breaker.state,
            "last_ok": None if self._last_ok is None else times.to_text(self._last_ok),
            "last_error": self._last_error,
            "latency_ms": {"p50": _percentile(ordered, 0.5), "p95": _percentile(ordered, 0.95)},
            "calls": self._calls,
            "in_flight": self.bulkhead.in_flight,
            "waiting": self.bulkhead.waiting,
            "silent_until": times.to_text(silent) if silent > self._clock.now() else None,
            "limits": self._limits.model_dump(),
        }


def _percentile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)
