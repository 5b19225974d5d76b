"""A circuit breaker: a source that does not answer is left alone for a while, then tried with one call."""

from __future__ import annotations

from typing import Literal

from interlock.clock import Clock
from interlock.records.problems import Problem, Slug

State = Literal["closed", "open", "half-open"]

FAILURES = 5
"""So many transport failures in a row open the breaker."""
REST_S = 5.0
LONGEST_REST_S = 60.0


def is_outage(problem: Problem) -> bool:
    """Whether a problem says that the source cannot be talked to, rather than that it said no."""
    if problem.slug is Slug.SOURCE_UNAVAILABLE:
        return True
    return problem.slug is Slug.SOURCE_FAULT and problem.layer == "transport"


class Breaker:
    """Closed, open (calls fail at once), half-open (one trial call decides). Each rest doubles, up to a minute."""

    def __init__(self, source: str, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._rest_s = REST_S
        self._trial = False

    @property
    def state(self) -> State:
        if self._open_until is None:
            return "closed"
        return "open" if self._clock.now() < self._open_until else "half-open"

    def check(self) -> None:
        """Raises Problem source-unavailable when a call would not be let pass now."""
        if self._open_until is not None and (self._trial or self._clock.now() < self._open_until):
            raise self._resting()

    def admit(self) -> bool:
        """Let a call pass; True when it is the trial. Raises Problem source-unavailable."""
        if self._open_until is None:
            return False
        self.check()
        self._trial = True
        return True

    def _resting(self) -> Problem:
        wait = (self._open_until or 0.0) - self._clock.now()
        return Problem(
            Slug.SOURCE_UNAVAILABLE,
            f"{self._source} did not answer {self._failures} calls in a row and is left alone for a while",
            next_step="Try again after retry_after_s; other sources are not affected.",
            retry_after_s=round(max(wait, 1.0), 1),
            reached="no",
            source=self._source,
        )

    def answered(self, trial: bool) -> None:
        """The source answered, whatever it said."""
        if trial:
            self._trial = False
            self._open_until = None
            self._rest_s = REST_S
        if self._open_until is None:
            self._failures = 0

    def failed(self, trial: bool) -> None:
        """The source could not be talked to."""
        self._failures += 1
        if trial:
            self._trial = False
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
            self._open_until = self._clock.now() + self._rest_s
        elif self._open_until is None and self._failures >= FAILURES:
            self._open_until = self._clock.now() + self._rest_s

    def abandoned(self, trial: bool) -> None:
        """The call ended without telling anything of the source, as when its caller went away."""
        if trial:
            self._trial = False
