"""``interlock demo``: the main job, whole, on this machine and nothing else."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from interlock.places import place
from interlock.records.problems import Problem, Slug, invalid


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="A folder of real exports, instead of the synthetic enterprise.")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=200, max=200_000, help="CIs of the synthetic enterprise.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Another enterprise.")] = 7,
    keep: Annotated[bool, typer.Option("--keep", help="Go on serving afterwards, until interrupted.")] = False,
    night: Annotated[
        bool, typer.Option("--night", help="Another story: a night passes, a CI goes stale, a steward waives.")
    ] = False,
    state: Annotated[Path | None, typer.Option("--state", help="State folder; a temporary one if left out.")] = None,
) -> None:
    """Start an enterprise, a ServiceNow and a gateway on free ports, and let an agent triage."""
    if state is not None and state.is_dir() and any(state.iterdir()):
        raise invalid("--state", str(state), "holds the state of an earlier run", "Name a folder that is empty or new.")
    sys.path.insert(0, str(place("mock_servers").parent))
    try:
        if data is not None:
            from interlock.cli.demo_data import run_data

            ok = asyncio.run(run_data(data, state, keep))
        elif night:
            from interlock.cli.demo_night import run_night

            ok = asyncio.run(run_night(size, seed, state))
        else:
            from interlock.cli.demo_story import run_story

            ok = asyncio.run(run_story(size, seed, state, keep))
    except ImportError as error:
        raise Problem(
            Slug.UNSUPPORTED, f"the demo cannot start: {error}", next_step="Install Interlock with its dependencies."
        ) from None
    if not ok:
        raise typer.Exit(1)
