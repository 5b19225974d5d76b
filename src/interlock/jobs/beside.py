"""A worker beside a serving gateway: a process of its own, so that serving waits for no job, nor loads an engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from interlock.config import Config
from interlock.jobs.plan import plan_of
from interlock.jobs.process import end
from interlock.telemetry import Log

_AGAIN_S = (1.0, 60.0)
"""Pause before a worker that ended by itself is started again: the first, and the longest after doubling."""
_END_S = 15.0


@asynccontextmanager
async def worker_beside(config: Config, path: Path, log: Log) -> AsyncIterator[None]:
    """``interlock worker`` as long as this is open, if anything is scheduled; started again when it dies.

    It ends with this process, however that ends. ``path``: the file of the configuration, from the root.
    """
    if not any(job.schedule for job in plan_of(config)):
        yield
        return
    command = [sys.executable, "-m", "interlock.jobs.tether", "interlock", "worker", "--config", str(path)]
    keeping = asyncio.create_task(_keep(command, log))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(command: list[str], log: Log) -> None:
    pause, longest = _AGAIN_S
    loop = asyncio.get_running_loop()
    while True:
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, start_new_session=True)
        began = loop.time()
        log.info("worker.started", pid=process.pid)
        try:
            code = await process.wait()
        finally:
            await end(process, _END_S)
        if loop.time() - began > longest:
            pause = _AGAIN_S[0]
        log.error("worker.ended", exit_code=code, again_in_s=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest)
