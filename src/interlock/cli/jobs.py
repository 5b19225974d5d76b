"""``interlock jobs``: what runs by the clock."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table
from interlock.records.problems import Problem, Slug, invalid

if TYPE_CHECKING:
    from interlock.jobs.store import Run

app = typer.Typer(help="What runs by the clock: the plan, the runs, and running one now.", no_args_is_help=True)


@app.command("list")
def list_command(
    config: ConfigFile = CONFIG,
    runs: Annotated[int, typer.Option("--runs", min=0, max=1000, help="Also so many of the last runs.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Every job with its schedule, its next start and its last run."""
    from interlock.clock import SystemClock
    from interlock.jobs.job import due
    from interlock.jobs.plan import plan_of
    from interlock.jobs.store import SqliteJobs

    settings = config_of(config)
    clock = SystemClock()
    jobs = SqliteJobs(settings.state, clock)
    now = clock.now()
    plan = plan_of(settings, config)
    nexts, lasts = {}, {}
    for job in plan:
        standing = jobs.standing(job)
        served = max(standing.since, standing.due or 0.0)
        nexts[job.name] = now if due(job, standing, now) is not None else job.next_start(served, now)
        lasts[job.name] = next(iter(jobs.history(job.name, 1)), None)
    history = jobs.history(limit=runs) if runs else []
    jobs.close()
    schedules = {job.name: [cron.text for cron in job.schedule] for job in plan}
    if as_json:
        found = [
            {"name": name, "schedule": schedule, "next": nexts[name], "last": _body(lasts[name])}
            for name, schedule in schedules.items()
        ]
        print_json({"jobs": found, "runs": [_body(each) for each in history]})
        return
    rows = [
        [name, ", ".join(schedule) or "-", _time(nexts[name]), *_row(lasts[name])]
        for name, schedule in schedules.items()
    ]
    print_table("Jobs", ["job", "schedule", "next", "last", "outcome", "said"], rows)
    if history:
        rows = [[str(each.id), each.job, *_row(each), each.holder] for each in history]
        print_table("Runs", ["run", "job", "began", "outcome", "said", "by"], rows)


@app.command("run")
def run_command(
    name: Annotated[str, typer.Argument(help="Name of the job, as `interlock jobs list` shows it.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Run one job now, whether it is due or not; exit code 1 when it does not end well."""
    from interlock.cli.serve import stderr_telemetry
    from interlock.clock import SystemClock
    from interlock.jobs.plan import plan_of
    from interlock.jobs.store import SqliteJobs
    from interlock.jobs.worker import Worker

    settings = config_of(config)
    plan = {job.name: job for job in plan_of(settings, config)}
    if name not in plan:
        raise invalid("NAME", name, "is not a job", f"Jobs: {', '.join(plan)}.")
    clock = SystemClock()
    log = stderr_telemetry(clock).log
    jobs = SqliteJobs(settings.state, clock)
    outcome = asyncio.run(Worker(jobs, [plan[name]], clock, log).asked(plan[name]))
    jobs.close()
    log.flush()
    if outcome is None:
        raise Problem(
            Slug.WRONG_STATE,
            f"{name}, or a job that must not run beside it, is running already",
            next_step="`interlock jobs list --runs 5` shows by whom.",
        )
    typer.echo(f"{name}: {outcome}")
    if outcome != "ok":
        raise typer.Exit(1)


def _body(run: Run | None) -> dict[str, object] | None:
    return None if run is None else asdict(run)


def _row(run: Run | None) -> list[str]:
    if run is None:
        return ["-", "-", ""]
    code = f" ({run.exit_code})" if run.exit_code else ""
    return [_time(run.began_at), f"{run.outcome or 'running'}{code}", run.detail[:80]]


def _time(at: float | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
