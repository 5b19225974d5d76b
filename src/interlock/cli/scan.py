"""``interlock scan``: every check over the current snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table
from interlock.records.problems import Problem, Slug

if TYPE_CHECKING:
    from interlock.quality.profile import Profile
    from interlock.quality.scan.full import Progress


def scan(
    full: Annotated[bool, typer.Option("--full", help="Judge every record, not only what changed.")] = False,
    codes: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="CODE", help="Only count what this check finds; may be repeated."),
    ] = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Run the checks over what was harvested, and put the flags in force.

    With --code the findings are counted and lie in a file to look at; the flags stay as they are.
    """
    nightly = needing_engine("interlock.quality.scan.nightly")
    settings = config_of(config)
    profile, as_of = asyncio.run(current_profile(settings))
    with watching(as_json) as progress:
        result = nightly.run(settings.state, profile, as_of, codes=codes, full=full, progress=progress, config=settings)
    if as_json:
        print_json({**result.as_json(), "findings": str(result.findings)})
        return
    rows = [[code, f"{count:,}"] for code, count in sorted(result.counts.items(), key=lambda item: (-item[1], item[0]))]
    print_table(f"Scan {result.id}: {sum(result.counts.values()):,} findings", ["check", "found on"], rows)
    for name, why in result.faults.items():
        typer.echo(f"could not run: {name}: {why}", err=True)
    typer.echo(f"{result.mode}, {result.seconds:.1f} s; {result.findings}")


def needing_engine(module: str) -> Any:
    """A module of the scan. Raises Problem unsupported without the extra ``quality``."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise Problem(
            Slug.UNSUPPORTED,
            "scanning needs the extra quality",
            next_step="pip install 'interlock-gateway[quality]'",
        ) from None


async def current_profile(settings: Any) -> tuple[Profile, float]:
    """The profile with the choice lists of the sources that answer in time, and now."""
    from interlock.clock import AsOfClock, SystemClock
    from interlock.gateway.taxonomies import Taxonomies
    from interlock.sources.opening import open_sources
    from interlock.telemetry import silent_telemetry

    clock = AsOfClock(settings.as_of.timestamp()) if settings.as_of else SystemClock()
    sources = await open_sources(settings, clock, silent_telemetry(clock))
    try:
        taxonomies = Taxonomies(settings, sources)
        await taxonomies.start()
        taxonomies.judge.close()
        return taxonomies.judge.profile, clock.now()
    finally:
        await sources.close()


@contextmanager
def watching(quiet: bool) -> Iterator[Progress | None]:
    """A bar on a terminal, one line a step elsewhere; nothing when quiet."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, highlight=False)
    if quiet:
        yield None
    elif not console.is_terminal:
        yield lambda label, done, steps: print(f"{done}/{steps} {label}".rstrip(), file=sys.stderr, flush=True)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=console, transient=True) as bars:
            task = bars.add_task("reading", total=None)
            yield lambda label, done, steps: bars.update(task, description=label, completed=done, total=steps)
