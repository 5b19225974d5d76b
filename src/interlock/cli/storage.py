"""``interlock storage``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, out, print_json, print_table

if TYPE_CHECKING:
    from interlock.config import Config
    from interlock.quality.harvest.snapshots import Snapshot
    from interlock.state.sizes import Size

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def storage(
    config: ConfigFile = CONFIG,
    remove: Annotated[
        bool, typer.Option("--remove", help="First remove what the policy (storage in the configuration) lets go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How large each part of the state folder is, how it grows, and the day the disk is full."""
    from interlock.clock import SystemClock
    from interlock.state.files import private_folder
    from interlock.state.sizes import forecast, measure, note, read_log

    settings = config_of(config)
    folder = private_folder(settings.state)
    gone = _remove(settings) if remove else []
    now = SystemClock().now()
    note(folder, now)
    log = read_log(folder)
    size = measure(folder, now)
    told = forecast(log, size)
    if as_json:
        removed = [{"source": s.source, "kind": s.kind, "generation": s.generation} for s in gone]
        print_json({**asdict(size), "total": size.total, "forecast": asdict(told), "removed": removed})
        return
    for snapshot in gone:
        out.print(f"removed {snapshot.source} {snapshot.kind} {snapshot.generation}", markup=False)
    print_table(
        str(settings.state),
        ["part", "size", "before", "on"],
        [[part, _bytes(held), *_before(part, log)] for part, held in size.parts.items()],
    )
    out.print(f"{_bytes(size.total)} in all, {_bytes(size.free)} free", markup=False)
    grows = (
        "" if told.per_day is None else f"{_bytes(abs(told.per_day))} {'more' if told.per_day > 0 else 'less'} a day; "
    )
    full = "no day the disk is full" if told.full_at is None else f"the disk is full on {_day(told.full_at)}"
    out.print(f"{grows}{full}: {told.why}", markup=False)


def _remove(settings: Config) -> list[Snapshot]:
    from interlock.clock import SystemClock
    from interlock.jobs.store import SqliteJobs
    from interlock.quality.flags.rows import NAME
    from interlock.quality.flags.store import FlagStore
    from interlock.quality.harvest.retention import DAY, retire
    from interlock.quality.harvest.snapshots import Snapshots

    clock, policy = SystemClock(), settings.storage
    jobs = SqliteJobs(settings.state, clock)
    jobs.forget(clock.now() - policy.runs_days * DAY)
    jobs.close()
    if (settings.state / NAME).exists():
        flags = FlagStore(settings.state, clock)
        flags.prune(clock.now() - policy.flags_days * DAY)
        flags.close()
    return retire(Snapshots(settings.state / "snapshots", clock), policy.snapshots)


def _before(part: str, log: list[Size]) -> list[str]:
    """The day on which a part was first noted in the last four weeks, and its size then."""
    recent = [size for size in log if part in size.parts][-28:]
    return [_bytes(recent[0].parts[part]), _day(recent[0].at)] if recent else ["-", "-"]


def _bytes(count: float) -> str:
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
