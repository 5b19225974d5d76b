"""``interlock worker``."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import CONFIG, ConfigFile, config_of
from interlock.cli.serve import run, stderr_telemetry
from interlock.config import Config
from interlock.records.problems import Problem, Slug


def worker(
    config: ConfigFile = CONFIG,
    once: Annotated[bool, typer.Option("--once", help="Run what is due now, then end.")] = False,
) -> None:
    """Run the scheduled jobs, each in a process of its own, until it is interrupted.

    `interlock serve` starts one beside itself; start more, here or there, and they share the work. With --once the
    exit code is 1 when a job did not end well.
    """
    run(_work(config_of(config), config, once))


async def _work(config: Config, path: Path, once: bool) -> None:
    from interlock.clock import SystemClock
    from interlock.jobs.plan import plan_of
    from interlock.jobs.store import SqliteJobs
    from interlock.jobs.worker import Worker, minutely
    from interlock.quality.flags.store import FlagStore
    from interlock.quality.harvest.snapshots import Snapshots
    from interlock.quality.lateness import rejudge
    from interlock.quality.preparers.source_state import source_states
    from interlock.state.sizes import note

    plan = [job for job in plan_of(config, path) if job.schedule]
    if not plan:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            "nothing is scheduled",
            field="schedule",
            next_step="Write schedule.scan or sources.NAME.schedule.harvest into the configuration.",
        )
    clock = SystemClock()
    log = stderr_telemetry(clock).log
    jobs = SqliteJobs(config.state, clock)
    snapshots, flags = Snapshots(config.state / "snapshots", clock), FlagStore(config.state, clock)
    said: dict[str, str | None] = {}

    async def between() -> None:
        nonlocal said
        note(config.state, clock.now())
        now = config.as_of.timestamp() if config.as_of else clock.now()
        said = rejudge(source_states(snapshots, config), flags, now, said)

    worker = Worker(jobs, plan, clock, log, parallel=config.schedule.parallel, between=minutely(between))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    try:
        if once:
            outcomes = await worker.once()
            if any(outcome != "ok" for outcome in outcomes):
                raise typer.Exit(1)
        else:
            log.info("worker.ready", jobs=sorted(job.name for job in plan))
            await worker.run()
    finally:
        jobs.close()
        flags.close()
        log.flush()
