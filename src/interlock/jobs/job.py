"""A job, and whether it is due: pure functions of its schedule, of what ran, and of the time."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from interlock.jobs.cron import Cron
from interlock.jobs.windows import Window, first_outside

Outcome = Literal["ok", "failed", "timed_out", "stopped", "lost"]
"""How a run ended: ``stopped`` made way for maintenance or was ended with the worker, ``lost`` had a holder that
died or could not renew its lease."""

ATTEMPTS = 3
"""How often one firing is tried before its job waits for the next."""
RETRY_S = 60.0
"""Pause after a first failed attempt; five times as long after each further one."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something that runs by the clock: ``interlock`` with these arguments.

    Jobs of one ``lane`` never run at the same time, whichever process runs them.
    """

    name: str
    schedule: tuple[Cron, ...]
    command: tuple[str, ...]
    lane: str
    timeout_s: float
    jitter_s: float = 0.0
    quiet: tuple[Window, ...] = ()
    maintenance: tuple[Window, ...] = ()

    def jitter(self, firing: float) -> float:
        """Seconds by which this firing is put off: the same in every process, another for every firing."""
        digest = blake2b(f"{self.name} {firing:.0f}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64 * self.jitter_s

    def next_start(self, after: float, now: float = 0.0) -> float | None:
        """When the first firing later than ``after`` is to start: put off by jitter and windows, not before ``now``."""
        firing = min((cron.after(after) for cron in self.schedule), default=None)
        if firing is None:
            return None
        return first_outside(max(now, firing + self.jitter(firing)), self.quiet + self.maintenance)

    def latest(self, now: float, since: float) -> float | None:
        """The last firing later than ``since`` that should have started, jitter included, by ``now``."""
        until = now
        while True:
            found = [firing for cron in self.schedule if (firing := cron.latest(until, since)) is not None]
            if not found or max(found) + self.jitter(max(found)) <= now:
                return max(found, default=None)
            until = max(found) - 1  # one before it may have had less jitter


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a job: its last firing that was taken up, and what became of it.

    Times in seconds since the epoch. ``outcome`` None with a ``due``: it is running.
    """

    since: float
    """Firings before this do not count: the schedule was not known yet."""
    due: float | None = None
    attempts: int = 0
    outcome: Outcome | None = None
    ended_at: float | None = None


def due(job: Job, standing: Standing, now: float) -> float | None:
    """The firing to take up now, or None.

    However many were missed while nothing ran, it is one: the last. A newer firing replaces the attempts that an
    older one has left.
    """
    if first_outside(now, job.quiet + job.maintenance) > now:
        return None
    served = max(standing.since, standing.due or 0.0)
    if standing.due is not None and standing.outcome is None:
        return None
    newer = job.latest(now, served)
    if newer is not None:
        return newer
    if standing.due is None or standing.ended_at is None or standing.outcome == "ok":
        return None
    if standing.outcome == "stopped":
        return standing.due
    pause = RETRY_S * 5 ** (standing.attempts - 1)
    return standing.due if standing.attempts < ATTEMPTS and now >= standing.ended_at + pause else None
