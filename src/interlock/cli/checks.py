"""``interlock checks``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table
from interlock.cli.scan import current_profile, needing_engine
from interlock.places import place
from interlock.records.problems import Problem, Slug

app = typer.Typer(help="Quality checks.", no_args_is_help=True)


@app.command("list")
def list_command() -> None:
    """Every check: what its flag does to a write by default, and what lifts it."""
    from interlock.quality.rowlevel import shipped

    rows = [[c.code, c.kind, c.severity, c.effect, c.lifts] for c in shipped().checks.values()]
    print_table("Checks", ["code", "on", "severity", "a write", "what lifts it"], rows)


@app.command()
def build(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when files differ.")] = False,
) -> None:
    """Compile the checks into the statements that serve live records, and write their catalogue page."""
    from interlock.quality.rowlevel import PATH

    try:
        from interlock.quality import build as building
    except ImportError:
        raise Problem(
            Slug.UNSUPPORTED,
            "building checks needs the extra quality",
            next_step="pip install 'interlock-gateway[quality]'",
        ) from None
    if check:
        if PATH.read_text(encoding="utf-8") != building.rendered(building.build()):
            typer.echo(f"out of date: {PATH.name}", err=True)
            raise typer.Exit(1)
        typer.echo("up to date")
        return
    docs = place("adapters").parent / "docs"
    for path in building.write(docs if docs.is_dir() else None):
        typer.echo(f"wrote {path}")


@app.command("accept-matrix")
def accept_matrix(
    source: Annotated[str, typer.Argument(help="The source whose matrix TKT-MATRIX found.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Take a source's own priority matrix over into the profile, as TKT-MATRIX found it."""
    from interlock.quality import matrices
    from interlock.quality.flags import FlagStore
    from interlock.quality.flags.listing import Filters

    settings = config_of(config)
    store = FlagStore(settings.state)
    try:
        flags = store.listed(Filters(code=(matrices.CODE,), source=(source,))).flags
    finally:
        store.close()
    done = matrices.accept(settings.quality.profile, source, [(flag.ref, flag.evidence) for flag in flags])
    for impact, row in done.cells.items():
        for urgency, priority in row.items():
            typer.echo(f"impact {impact}, urgency {urgency}: {priority}")
    typer.echo(
        f"{settings.quality.profile} has the matrix of {source}; scans go by it now, the gateway from its next start"
    )


@app.command("try")
def try_command(
    code: Annotated[str, typer.Argument(help="The check.")],
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting of the profile; may be repeated.")
    ],
    days: Annotated[int, typer.Option("--days", min=0, help="How far back calls are looked at.")] = 7,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """What a check would find, and which calls it would have stopped, under another setting. Changes nothing."""
    from interlock.tools.catalogue import TOOLS

    trials = needing_engine("interlock.quality.scan.trial")
    body = config_of(config)
    profile, as_of = asyncio.run(current_profile(body))
    tried = trials.changed(profile, code, settings)
    found = trials.trial(body.state, code, profile, tried, as_of, config=body)
    effects = {tool.name: tool.effect for tool in TOOLS}
    since = datetime.now(UTC).timestamp() - days * 86_400
    stopped = trials.would_stop(trials.past_calls(_ledger(body.state), since, effects), code, found.raised, tried)
    held, refused = len(stopped["hold"]), len(stopped["refuse"])
    if as_json:
        told = {"code": code, "now": found.now, "then": found.then, **{k: sorted(v) for k, v in stopped.items()}}
        print_json({**told, "raised": sorted(found.raised), "cleared": sorted(found.cleared), "days": days})
        return
    typer.echo(f"{code} with {', '.join(settings)}: {found.then:,} findings, now {found.now:,}")
    typer.echo(
        f"would raise {len(found.raised):,}, clear {len(found.cleared):,}, would have held {held:,}"
        f"{f' and refused {refused:,}' if refused else ''} of the calls of the last {days} days"
    )


def _ledger(state: Path) -> Iterator[dict[str, Any]]:
    """The entries of the ledger; none where no gateway ran yet."""
    from interlock.governance.ledger.read import export
    from interlock.governance.ledger.tables import NAME

    yield from export(state) if (state / NAME).exists() else ()
