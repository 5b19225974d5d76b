"""The plan: the jobs that a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from interlock.config import Config
from interlock.jobs.cron import read_cron
from interlock.jobs.job import Job
from interlock.jobs.windows import read_window

_OWN = {"scan": ("scan",), "owner_list": ("flags", "owners", "--send"), "retention": ("storage", "--remove")}
"""The gateway's own jobs and the commands that do them."""


def plan_of(config: Config, path: Path | None = None) -> tuple[Job, ...]:
    """All jobs that can be run; those without a schedule only when somebody asks for one.

    ``path``: the file of the configuration, for the commands.
    """
    settings = config.schedule
    zone = ZoneInfo(settings.time_zone)
    configured = () if path is None else ("--config", str(path.resolve()))
    found = []
    for name, source in config.sources.items():
        quiet = tuple(read_window(text, zone) for text in source.schedule.quiet)
        maintenance = tuple(read_window(text, zone) for text in source.schedule.maintenance)
        for what, more in (("harvest", ()), ("reconcile", ("--full",))):
            found.append(
                Job(
                    name=f"{what}:{name}",
                    schedule=tuple(read_cron(text, zone) for text in getattr(source.schedule, what)),
                    command=("harvest", name, *more, *configured),
                    lane=f"source:{name}",
                    timeout_s=settings.timeout_s,
                    jitter_s=settings.jitter_s,
                    quiet=quiet,
                    maintenance=maintenance,
                )
            )
    found += [
        Job(
            name=name,
            schedule=tuple(read_cron(text, zone) for text in getattr(settings, name)),
            command=(*command, *configured),
            lane=name,
            timeout_s=settings.timeout_s,
            jitter_s=settings.jitter_s,
        )
        for name, command in _OWN.items()
    ]
    return tuple(found)
