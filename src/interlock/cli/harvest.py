"""``interlock harvest``: everything that sources hold, into snapshots."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table
from interlock.records.problems import Problem, Slug, invalid

if TYPE_CHECKING:
    from interlock.quality.harvest.history import Run
    from interlock.quality.harvest.run import Watch


def harvest(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Sources; all when none.")] = None,
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; may be repeated.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed.")] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Read nothing: take the harvests that were set aside as suspect.")
    ] = False,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Read every record of the sources into snapshots, for the scan.

    What changed since the last time where the source can be asked for it, else everything, within the source's
    budget for harvests. A harvest that was interrupted goes on. Exit code 1 when one failed or was set aside.
    """
    settings = config_of(config)
    chosen = list(names or settings.sources)
    if unknown := [name for name in chosen if name not in settings.sources]:
        raise invalid("SOURCE", unknown[0], "is not a source", f"Sources: {', '.join(settings.sources) or 'none'}.")
    if accept:
        _accept(settings, chosen, kinds or [], as_json)
        return
    runs = asyncio.run(_harvest(settings, chosen, kinds or [], full, as_json))
    done = [run for run in runs if run.outcome != "not offered"]
    if runs and not done:
        raise Problem(
            Slug.UNSUPPORTED, runs[0].detail, next_step="Harvest another kind, or look at the adapter's page."
        )
    if as_json:
        print_json([asdict(run) for run in done])
    else:
        print_table("Harvest", _COLUMNS, [_row(run) for run in done])
        typer.echo(_summary(done))
    if any(run.outcome != "published" for run in done):
        raise typer.Exit(1)


_COLUMNS = ["source", "kind", "outcome", "how", "rows", "read", "changed", "gone", "calls", "s", "why"]


def _summary(done: list[Run]) -> str:
    ends = Counter(run.outcome for run in done)
    told = ", ".join(f"{count} {outcome}" for outcome, count in ends.items())
    return f"kinds: {told or 'none'}; {sum(run.rows for run in done):,} rows, {sum(run.calls for run in done):,} calls"


def _row(run: Run) -> list[str]:
    changed = ["" if each is None else f"{each:,}" for each in (run.changed, run.gone)]
    seconds = f"{run.ended_at - run.began_at:.1f}"
    counts = [f"{run.rows:,}", f"{run.read:,}", *changed, f"{run.calls:,}", seconds]
    return [run.source, run.kind, run.outcome, run.mode, *counts, run.detail]


async def _harvest(settings: Any, names: list[str], kinds: list[str], full: bool, quiet: bool) -> list[Run]:
    from interlock.cli.harvest_progress import watching
    from interlock.clock import SystemClock
    from interlock.quality.harvest.columnwise import little_garbage
    from interlock.quality.harvest.run import harvest_source
    from interlock.quality.harvest.snapshots import Snapshots
    from interlock.sources.opening import open_sources
    from interlock.state.files import private_folder
    from interlock.telemetry import silent_telemetry

    clock = SystemClock()
    private_folder(settings.state)
    snapshots = Snapshots(settings.state / "snapshots", clock)
    only = settings.model_copy(update={"sources": {name: settings.sources[name] for name in names}})
    sources = await open_sources(only, clock, silent_telemetry(clock))
    able = {kind for source in sources.values() for kind in source.kinds}

    async def one(name: str, watch: Watch) -> list[Run]:
        mine = sources[name].kinds.intersection(kinds) if kinds else ()
        if kinds and not mine:
            return []
        entry = settings.sources[name]
        return await harvest_source(sources[name], entry, snapshots, kinds=mine, full=full, watch=watch)

    try:
        if unknown := [kind for kind in kinds if kind not in able]:
            raise invalid("--kind", unknown[0], "is none of these sources'", f"Kinds: {', '.join(sorted(able))}.")
        with watching(quiet) as watch, little_garbage():
            found = await asyncio.gather(*(one(name, watch) for name in names))
    finally:
        await sources.close()
    return [run for runs in found for run in runs]


def _accept(settings: Any, names: list[str], kinds: list[str], as_json: bool) -> None:
    from interlock.quality.harvest.snapshots import Snapshots

    snapshots = Snapshots(settings.state / "snapshots")
    taken = [
        snapshots.accept(source, kind)
        for source, kind in snapshots.kinds()
        if source in names and (not kinds or kind in kinds) and snapshots.suspect(source, kind) is not None
    ]
    if not taken:
        raise Problem(
            Slug.NOT_FOUND,
            "no harvest of these sources and kinds was set aside",
            next_step="Harvest them: interlock harvest.",
        )
    if as_json:
        print_json([{"source": t.source, "kind": t.kind, "generation": t.generation} for t in taken])
        return
    rows = [[t.source, t.kind, str(t.generation), f"{t.manifest.rows:,}", "; ".join(t.manifest.why)] for t in taken]
    print_table("Taken", ["source", "kind", "generation", "rows", "although"], rows)
