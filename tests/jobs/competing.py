"""A process that competes for one job: ``python competing.py FOLDER LOG START RUNS``, until so many runs are over.

Its clock runs six hundred times as fast as ours, from one start for all: a minute is a tenth of a second.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from random import Random

from interlock.jobs.cron import read_cron
from interlock.jobs.job import Job
from interlock.jobs.store import SqliteJobs

SPEED = 600.0


class FastClock:
    """All processes that are given the same start agree on the time."""

    def __init__(self, start: float) -> None:
        self._start = start

    def now(self) -> float:
        return self._start + (time.time() - self._start) * SPEED


JOB = Job("harvest:snow", (read_cron("* * * * *"),), (), "snow", 60.0)


COMPETITORS = 3


def compete(folder: Path, log: Path, start: float, count: int) -> None:
    jobs = SqliteJobs(folder, FastClock(start), lease_s=30 * SPEED)
    (log.parent / f"ready-{os.getpid()}").touch()
    while len(list(log.parent.glob("ready-*"))) < COMPETITORS:
        time.sleep(0.001)
    jobs.know([JOB])
    random = Random(os.getpid())
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while not (last := jobs.history(limit=1)) or last[0].id < count:
        lease = jobs.claim(JOB, str(os.getpid()))
        if lease is None:
            time.sleep(random.uniform(0.001, 0.01))
            continue
        os.write(descriptor, f"begin {lease.run}\n".encode())
        time.sleep(random.uniform(0.005, 0.02))
        os.write(descriptor, f"end {lease.run}\n".encode())
        assert jobs.finish(lease, "ok", 0)
    jobs.close()


if __name__ == "__main__":
    compete(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
