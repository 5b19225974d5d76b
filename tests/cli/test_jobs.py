"""The worker, the jobs and the storage as commands; the worker beside ``serve``."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import orjson
from tests.cli.commands import Shell
from tests.cli.test_serving import serving

from interlock.clock import ManualClock, SystemClock
from interlock.jobs.store import SqliteJobs
from interlock.state.sizes import DAY, note

CONFIG = "state: state\nlisten: {port: 0}\nschedule: {jitter_s: 0, retention: '* * * * *'}\n"


def test_without_a_schedule_nothing_runs_but_what_is_asked_for(shell: Shell) -> None:
    assert "nothing is scheduled" in shell.fails("worker", "--once")
    listed = orjson.loads(shell.ok("jobs", "list", "--json"))["jobs"]
    assert {job["name"]: job["next"] for job in listed} == {"scan": None, "owner_list": None, "retention": None}
    assert "Jobs: scan, owner_list, retention." in shell.fails("jobs", "run", "retentoin")
    assert "retention: ok" in shell.ok("jobs", "run", "retention")
    (run,) = orjson.loads(shell.ok("jobs", "list", "--json", "--runs", "5"))["runs"]
    assert (run["job"], run["due"], run["outcome"], run["exit_code"]) == ("retention", None, "ok", 0)
    assert "no day the disk is full" in run["detail"]
    assert "retention" in shell.ok("jobs", "list", "--runs", "1")


def test_a_job_that_runs_already_is_told(shell: Shell) -> None:
    jobs = SqliteJobs(shell.folder / "state", SystemClock())
    from interlock.config import load_config
    from interlock.jobs.plan import plan_of

    job = next(job for job in plan_of(load_config(Path("interlock.yaml"))) if job.name == "retention")
    assert jobs.claim(job, "somebody", asked=True) is not None
    assert "is running already" in shell.fails("jobs", "run", "retention")


def test_a_worker_once_runs_what_is_due(shell: Shell) -> None:
    shell.write("interlock.yaml", CONFIG)
    from interlock.config import load_config
    from interlock.jobs.plan import plan_of

    plan = [job for job in plan_of(load_config(Path("interlock.yaml"))) if job.schedule]
    SqliteJobs(shell.folder / "state", ManualClock(time.time() - 7 * DAY)).know(plan)  # known for a week, never run
    shell.ok("worker", "--once")
    shown = orjson.loads(shell.ok("jobs", "list", "--json", "--runs", "5"))
    assert [(run["job"], run["outcome"]) for run in shown["runs"]] == [("retention", "ok")]  # for a week of minutes


def test_a_worker_runs_beside_serve_and_ends_with_it(shell: Shell) -> None:
    shell.write("interlock.yaml", CONFIG)
    with serving(shell.folder) as (process, _):
        assert process.stderr is not None
        pid = None
        for line in process.stderr:
            told = orjson.loads(line)
            if told["event"] == "worker.started":
                pid = told["pid"]
            if told["event"] == "worker.ready":
                assert told["jobs"] == ["retention"]
                break
        assert pid is not None
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and _alive(pid):
            assert time.monotonic() < deadline, "the worker outlived its gateway"
            time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_sizes_and_the_day_the_disk_is_full(shell: Shell) -> None:
    shell.ok("jobs", "list")
    state = shell.folder / "state"
    now = time.time()
    for day in range(20, 0, -1):
        (state / "ledger.sqlite").write_bytes(b"x" * 1_000_000 * (21 - day))
        note(state, now - day * DAY)
    shown = orjson.loads(shell.ok("storage", "--json"))
    assert shown["parts"]["ledger"] >= 20_000_000
    assert shown["total"] == sum(shown["parts"].values())
    assert 900_000 < shown["forecast"]["per_day"] < 1_100_000
    told = shell.ok("storage")
    assert "ledger" in told
    assert "more a day" in told
    assert "the disk is full on" in told or "not within ten years" in told
