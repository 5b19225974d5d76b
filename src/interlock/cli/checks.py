"""``interlock checks``."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli import trying
from interlock.cli.options import CONFIG, ConfigFile, config_of, print_table
from interlock.places import place
from interlock.records.problems import Problem, Slug

app = typer.Typer(help="Quality checks.", no_args_is_help=True)
app.command("try")(trying.attempt)


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
