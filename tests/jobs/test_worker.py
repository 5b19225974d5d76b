"""The worker and the processes it starts: real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import orjson
import pytest

from interlock.clock import ManualClock, SystemClock
from interlock.jobs.cron import read_cron
from interlock.jobs.job import Job
from interlock.jobs.store import SqliteJobs
from interlock.jobs.windows import Once
from interlock.jobs.worker import Worker
from interlock.telemetry import Log

HOUR = 3600.0
NOON = 1_772_366_400.0  # 2026-03-01 12:00 UTC

PROGRAM = """
import os, sys, time
what, *rest = sys.argv[1:]
if what == "say":
    print("began"); print(*rest)
elif what == "fail":
    sys.exit("no such source: snow")
elif what == "sleep":
    print(os.getpid(), file=open(rest[0], "a"), flush=True)
    time.sleep(60)
"""

HOLDER = """
import asyncio, sys
from pathlib import Path
from interlock.clock import SystemClock
from interlock.jobs.cron import read_cron
from interlock.jobs.job import Job
from interlock.jobs.store import SqliteJobs
from interlock.jobs.worker import Worker
from interlock.telemetry import Log
folder, pids = Path(sys.argv[1]), sys.argv[2]
clock = SystemClock()
job = Job("harvest:snow", (read_cron("0 2 * * *"),), ("sleep", pids), "harvest:snow", 60.0)
jobs = SqliteJobs(folder, clock, lease_s=1.0)
worker = Worker(jobs, [job], clock, Log(len, clock), program=("scripted",), lease_s=1.0)
asyncio.run(worker.asked(job))
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scripted.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")]))))


class Bench:
    """A worker over one state folder, its clock and what it logged."""

    def __init__(self, folder: Path, *plan: Job, lease_s: float = 30.0) -> None:
        self.clock = ManualClock(NOON)
        self.jobs = SqliteJobs(folder / "state", self.clock, lease_s=lease_s)
        self.lines: list[bytes] = []
        self.plan = plan
        log = Log(self.lines.append, self.clock, hold_s=0)
        self.worker = Worker(self.jobs, plan, self.clock, log, program=("scripted",), lease_s=lease_s)
        self.jobs.know(plan)

    def logged(self, event: str) -> list[dict[str, object]]:
        lines = [orjson.loads(line) for line in b"".join(self.lines).splitlines()]
        return [line for line in lines if line["event"] == event]


def job(*command: str, name: str = "harvest:snow", timeout_s: float = 30.0, **more: object) -> Job:
    return Job(name, (read_cron("0 2 * * *"),), command, name, timeout_s, **more)  # type: ignore[arg-type]


async def test_what_is_due_is_run_and_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job("say", "12", "records"), job("fail", name="scan"))
    assert await bench.worker.once() == []
    bench.clock.advance(14 * HOUR)
    assert sorted(await bench.worker.once()) == ["failed", "ok"]
    runs = {run.job: (run.outcome, run.exit_code, run.detail) for run in bench.jobs.history()}
    assert runs == {"harvest:snow": ("ok", 0, "12 records"), "scan": ("failed", 1, "no such source: snow")}
    told = [line["text"] for line in bench.logged("job.line") if line["job"] == "harvest:snow"]
    assert told == ["began", "12 records"]
    assert await bench.worker.once() == []


async def test_a_week_off_is_caught_up_by_one_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job("say", "done"))
    bench.clock.advance(7 * 24 * HOUR)
    assert await bench.worker.once() == ["ok"]
    assert await bench.worker.once() == []


async def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job("sleep", str(tmp_path / "pids"), timeout_s=0.5))
    assert await bench.worker.asked(bench.plan[0]) == "timed_out"
    assert _gone(_pids(tmp_path / "pids")[0])


async def test_maintenance_ends_what_runs_and_it_is_taken_up_afterwards(tmp_path: Path) -> None:
    window = Once(NOON + 14 * HOUR + 5, NOON + 15 * HOUR)
    bench = Bench(tmp_path, job("sleep", str(tmp_path / "pids"), maintenance=(window,)))
    bench.clock.advance(14 * HOUR)
    pass_ = asyncio.create_task(bench.worker.once())
    await _written(tmp_path / "pids")
    bench.clock.advance(10)
    assert await pass_ == ["stopped"]
    assert await bench.worker.once() == []
    bench.clock.advance(HOUR)
    again = asyncio.create_task(bench.worker.once())
    await _written(tmp_path / "pids", 2)
    bench.worker.stop()
    assert await again == ["stopped"]
    assert all(_gone(pid) for pid in _pids(tmp_path / "pids"))


async def test_a_worker_that_loses_its_lease_ends_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, job("sleep", str(tmp_path / "pids")), lease_s=0.6)
    run = asyncio.create_task(bench.worker.asked(bench.plan[0]))
    await _written(tmp_path / "pids")
    bench.clock.advance(2)  # it slept: its lease ran out
    assert await run == "lost"
    assert _gone(_pids(tmp_path / "pids")[0])


async def test_a_job_ends_with_its_killed_worker_and_another_takes_it_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "state"), str(pids)]
    holder = await asyncio.create_subprocess_exec(*command)
    await _written(pids)
    holder.send_signal(signal.SIGKILL)
    await holder.wait()
    deadline = time.monotonic() + 20
    while not _gone(_pids(pids)[0]):
        assert time.monotonic() < deadline, "the job outlived its worker"
        await asyncio.sleep(0.01)
    jobs = SqliteJobs(tmp_path / "state", SystemClock(), lease_s=1.0)
    lease, again = None, job("say", "again")
    while lease is None:
        assert time.monotonic() < deadline, "the dead holder's lease never ran out"
        lease = jobs.claim(again, "other", asked=True)
        await asyncio.sleep(0.02)
    jobs.finish(lease, "ok", 0)
    assert [run.outcome for run in jobs.history()] == ["ok", "lost"]


async def test_several_lanes_run_beside_each_other_within_the_bound(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    bench = Bench(tmp_path, *(job("sleep", str(pids), name=f"harvest:{name}") for name in ("a", "b", "c")))
    bench.clock.advance(14 * HOUR)
    running = asyncio.create_task(bench.worker.run())
    await _written(pids, 2)
    assert len(bench.logged("job.began")) == 2
    bench.worker.stop()
    await running
    assert [run.outcome for run in bench.jobs.history()] == ["stopped", "stopped"]


def _pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


async def _written(path: Path, count: int = 1) -> None:
    deadline = time.monotonic() + 30
    while len(_pids(path)) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
