"""Leases and history, by one process and by several real ones."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.jobs.competing import COMPETITORS, JOB, FastClock

from interlock.clock import ManualClock
from interlock.jobs.cron import read_cron
from interlock.jobs.job import Job
from interlock.jobs.store import SqliteJobs

HOUR = 3600.0
NOON = 1_772_366_400.0  # 2026-03-01 12:00 UTC
NIGHTLY = Job("harvest:snow", (read_cron("0 2 * * *"),), ("harvest", "snow"), "snow", HOUR)
SWEEP = Job("reconcile:snow", (read_cron("0 2 * * *"),), ("harvest", "snow", "--full"), "snow", HOUR)


def test_one_firing_is_taken_up_once(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    one, two = SqliteJobs(tmp_path, clock), SqliteJobs(tmp_path, clock)
    one.know([NIGHTLY])
    assert one.claim(NIGHTLY, "one") is None
    clock.advance(14 * HOUR)
    lease = one.claim(NIGHTLY, "one")
    assert lease is not None
    assert two.claim(NIGHTLY, "two") is None
    assert two.claim(NIGHTLY, "two", asked=True) is None
    clock.advance(20)
    assert one.renew(lease)
    assert one.finish(lease, "ok", 0, "12 records")
    assert two.claim(NIGHTLY, "two") is None
    (run,) = two.history("harvest:snow")
    assert (run.due, run.began_at, run.ended_at) == (NOON + 14 * HOUR, NOON + 14 * HOUR, NOON + 14 * HOUR + 20)
    assert (run.outcome, run.exit_code, run.detail, run.holder) == ("ok", 0, "12 records", "one")


def test_jobs_of_one_lane_wait_for_each_other(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    jobs = SqliteJobs(tmp_path, clock)
    jobs.know([NIGHTLY, SWEEP])
    clock.advance(14 * HOUR)
    lease = jobs.claim(NIGHTLY, "one")
    assert lease is not None
    assert jobs.claim(SWEEP, "one") is None
    jobs.finish(lease, "ok", 0)
    assert jobs.claim(SWEEP, "one") is not None


def test_a_lease_that_was_lost_can_do_nothing_more(tmp_path: Path) -> None:
    """The fence: a holder that slept through its lease neither renews nor finishes, and harms no later one."""
    clock = ManualClock(NOON)
    sleeper, other = SqliteJobs(tmp_path, clock), SqliteJobs(tmp_path, clock)
    sleeper.know([NIGHTLY])
    clock.advance(14 * HOUR)
    old = sleeper.claim(NIGHTLY, "sleeper")
    assert old is not None
    clock.advance(31)
    assert [run.outcome for run in other.expire()] == ["lost"]
    clock.advance(60)  # a lost run is an attempt that failed
    new = other.claim(NIGHTLY, "other")
    assert new is not None
    assert new.run > old.run
    assert not sleeper.renew(old)
    assert not sleeper.finish(old, "ok", 0)
    assert other.renew(new)
    assert other.finish(new, "ok", 0)
    assert [(run.outcome, run.holder) for run in other.history()] == [("ok", "other"), ("lost", "sleeper")]


def test_a_lease_that_ran_out_is_not_renewed_even_if_nobody_took_it(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    jobs = SqliteJobs(tmp_path, clock)
    lease = jobs.claim(NIGHTLY, "one", asked=True)
    assert lease is not None
    clock.advance(30)
    assert not jobs.renew(lease)


def test_another_schedule_counts_from_now_on(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    jobs = SqliteJobs(tmp_path, clock)
    jobs.know([NIGHTLY])
    clock.advance(240 * HOUR)
    changed = Job("harvest:snow", (read_cron("0 4 * * *"),), ("harvest", "snow"), "snow", HOUR)
    jobs.know([changed])
    assert jobs.claim(changed, "one") is None
    jobs.know([changed])  # a restart is no change
    clock.advance(16 * HOUR)
    assert jobs.claim(changed, "one") is not None


def test_old_runs_are_forgotten_but_for_the_last(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    jobs = SqliteJobs(tmp_path, clock)
    jobs.know([NIGHTLY])
    for _ in range(5):
        clock.advance(24 * HOUR)
        lease = jobs.claim(NIGHTLY, "one")
        assert lease is not None
        jobs.finish(lease, "ok", 0)
    clock.advance(240 * HOUR)
    assert jobs.forget(clock.now() - HOUR) == 4
    assert len(jobs.history()) == 1


def test_processes_that_compete_take_every_firing_once_and_never_two_at_a_time(tmp_path: Path) -> None:
    folder, log, start, count = tmp_path / "state", tmp_path / "log", time.time(), 15
    jobs = SqliteJobs(folder, FastClock(start))
    jobs.know([JOB])
    command = [sys.executable, str(Path(__file__).with_name("competing.py")), str(folder), str(log)]
    processes = [subprocess.Popen([*command, str(start), str(count)]) for _ in range(COMPETITORS)]
    assert [process.wait(60) for process in processes] == [0] * COMPETITORS
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [word for word, _ in lines] == ["begin", "end"] * (len(lines) // 2)
    assert all(first == second for (_, first), (_, second) in zip(lines[::2], lines[1::2], strict=True))
    runs = jobs.history(limit=1000)
    firings = [run.due for run in runs]
    assert len(firings) == len(set(firings)) == len(lines) // 2 >= count
    assert all(run.began_at >= (run.due or 0) for run in runs)
    assert len({run.holder for run in runs}) > 1, "only one process ever got a lease: nothing was tried"
