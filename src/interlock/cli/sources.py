"""``interlock sources``."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table

app = typer.Typer(help="Configured sources.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Configured sources."""


@app.command("list")
def list_command(config: ConfigFile = CONFIG, as_json: AsJson = False) -> None:
    """Open every configured source, read one record of each kind, and say how it is."""
    found = asyncio.run(_look(config))
    if as_json:
        print_json(found)
        return
    rows = [
        [s["name"], s["product"], s["environment"], ", ".join(s["kinds"]), s["health"]["state"], s["reads"]]
        for s in found
    ]
    print_table("Sources", ["name", "product", "environment", "kinds", "line", "reads"], rows)


async def _look(path: ConfigFile) -> list[dict[str, Any]]:
    from interlock.clock import SystemClock
    from interlock.gateway.describe import source_entry
    from interlock.records.filters import Query
    from interlock.records.problems import Problem
    from interlock.sources.opening import open_sources
    from interlock.telemetry import silent_telemetry

    clock = SystemClock()
    sources = await open_sources(config_of(path), clock, silent_telemetry(clock))
    found: list[dict[str, Any]] = []
    try:
        for source in sources.values():
            said = []
            for kind in sorted(source.kinds):
                try:
                    await source.search(kind, Query(limit=1))
                    said.append(f"{kind} ok")
                except Problem as problem:
                    said.append(f"{kind}: {problem.detail}")
            found.append({**source_entry(source), "reads": "; ".join(said)})
    finally:
        await sources.close()
    return found
