"""The worker: takes up what is due and runs it in processes of its own, one at a time in each lane."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from interlock.clock import Clock
from interlock.jobs.job import Job, Outcome
from interlock.jobs.process import end
from interlock.jobs.store import LEASE_S, Jobs, Lease
from interlock.records.problems import Problem
from interlock.telemetry import Log

TICK_S = 1.0
"""How often it looks for what is due."""
END_S = 10.0
"""How long a process that is told to end may take before it is killed."""
_LINE = 2000


def minutely(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """For ``between``: the same, but at most once a minute."""
    again = 0.0

    async def between() -> None:
        nonlocal again
        now = asyncio.get_running_loop().time()
        if now >= again:
            again = now + 60.0
            await work()

    return between


@dataclass(slots=True)
class _Going:
    """A process and what it has said last."""

    process: asyncio.subprocess.Process
    last_line: str = ""


class Worker:
    """Runs jobs. Several workers, in any number of processes, share the work through ``jobs``.

    ``program``: the module whose command line a job's arguments are meant for. ``parallel``: most jobs at a time.
    ``between`` is called after every look.
    """

    def __init__(
        self,
        jobs: Jobs,
        plan: Sequence[Job],
        clock: Clock,
        log: Log,
        *,
        program: Sequence[str] = ("interlock",),
        parallel: int = 2,
        lease_s: float = LEASE_S,
        between: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._jobs = jobs
        self._plan = plan
        self._clock = clock
        self._log = log
        self._program = program
        self._parallel = parallel
        self._renew_s = lease_s / 3
        self._between = between
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._running: set[asyncio.Task[Outcome]] = set()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Take up nothing more and end what runs; ``run`` and ``once`` return when that is done."""
        self._stop.set()

    async def run(self) -> None:
        """Work until it is stopped."""
        self._jobs.know(self._plan)
        while not self._stop.is_set():
            try:
                await self._look(self._plan)
            except (Problem, OSError) as problem:  # a busy or full disk: the next look may find it well again
                self._log.error("jobs.look", error=str(problem))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TICK_S)
        await self._ended()

    async def once(self) -> list[Outcome]:
        """One pass: everything that is due is run to its end, each job once. Returns the outcomes."""
        self._jobs.know(self._plan)
        outcomes: list[Outcome] = []
        left = list(self._plan)
        while True:
            begun = await self._look(left)
            left = [job for job in left if job.name not in begun]
            if not self._running:
                return outcomes
            done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            outcomes += [task.result() for task in done]
            self._running -= done

    async def asked(self, job: Job) -> Outcome | None:
        """Run one job now, due or not. None: a job of its lane runs already."""
        self._jobs.know(self._plan)
        lease = self._jobs.claim(job, self._holder, asked=True)
        return None if lease is None else await self._perform(job, lease)

    async def _look(self, plan: Sequence[Job]) -> set[str]:
        """Begin what of the plan is due and may run; its names."""
        begun: set[str] = set()
        for run in self._jobs.expire():
            self._log.warning("job.lost", job=run.job, run=run.id, holder=run.holder)
        self._running = {task for task in self._running if not task.done()}
        for job in plan:
            if self._stop.is_set() or len(self._running) >= self._parallel:
                break
            lease = self._jobs.claim(job, self._holder)
            if lease is not None:
                begun.add(job.name)
                self._running.add(asyncio.create_task(self._perform(job, lease)))
        if self._between is not None:
            await self._between()
        return begun

    async def _ended(self) -> None:
        if self._running:
            await asyncio.wait(self._running)

    async def _perform(self, job: Job, lease: Lease) -> Outcome:
        self._log.info("job.began", job=job.name, run=lease.run)
        code: int | None = None
        try:
            going = await self._start(job)
        except OSError as error:
            outcome: Outcome = "failed"
            detail = f"could not be started: {error.strerror}"
        else:
            reading = asyncio.create_task(self._read(job, lease, going))
            outcome = await self._watch(job, lease, going.process)
            await end(going.process, END_S)
            with suppress(TimeoutError):  # a grandchild may hold the pipe open
                await asyncio.wait_for(reading, END_S)
            code, detail = going.process.returncode, going.last_line
        try:
            if not self._jobs.finish(lease, outcome, code, detail):
                outcome = "lost"
        except Problem as problem:  # the lease runs out, and the run counts as lost
            self._log.error("job.unrecorded", job=job.name, run=lease.run, error=problem.detail)
            outcome = "lost"
        level = self._log.info if outcome in ("ok", "stopped") else self._log.error
        level("job.ended", job=job.name, run=lease.run, outcome=outcome, exit_code=code)
        return outcome

    async def _start(self, job: Job) -> _Going:
        # The tether: when this process dies the pipe closes, and the job ends with us.
        command = [sys.executable, "-m", "interlock.jobs.tether", *self._program, *job.command]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return _Going(process)

    async def _watch(self, job: Job, lease: Lease, process: asyncio.subprocess.Process) -> Outcome:
        """Until the process ends or has to: the lease is renewed meanwhile."""
        loop = asyncio.get_running_loop()
        until, renew_at = loop.time() + job.timeout_s, loop.time() + self._renew_s
        ended = asyncio.ensure_future(process.wait())
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            while True:
                pause = min(until, renew_at, loop.time() + TICK_S) - loop.time()
                await asyncio.wait((ended, stopped), timeout=max(pause, 0), return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    return "ok" if ended.result() == 0 else "failed"
                if stopped.done() or any(w.ends(self._clock.now()) is not None for w in job.maintenance):
                    return "stopped"
                if loop.time() >= until:
                    return "timed_out"
                if loop.time() >= renew_at:
                    if not self._renewed(lease):
                        return "lost"
                    renew_at = loop.time() + self._renew_s
        finally:
            ended.cancel()
            stopped.cancel()

    def _renewed(self, lease: Lease) -> bool:
        try:
            return self._jobs.renew(lease)
        except Problem as problem:  # busy for long: the lease may still be ours, the next renewal tells
            self._log.warning("job.unrenewed", job=lease.job, run=lease.run, error=problem.detail)
            return True

    async def _read(self, job: Job, lease: Lease, going: _Going) -> None:
        stream = going.process.stdout
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the buffer: it was dropped
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").strip()[:_LINE]
            if text:
                if any(map(str.isalnum, text)):  # the rule below a table says nothing
                    going.last_line = text
                self._log.info("job.line", job=job.name, run=lease.run, text=text)
