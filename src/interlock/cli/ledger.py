"""``interlock ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json

app = typer.Typer(help="The tamper-evident history.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The tamper-evident history."""


@app.command()
def verify(
    config: ConfigFile = CONFIG,
    state: Annotated[
        Path | None, typer.Option("--state", help="A state folder, instead of the configured one.")
    ] = None,
    anchors: Annotated[Path | None, typer.Option("--anchors", help="The file of signed heads.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, payload and signed head; exit code 1 when anything was altered, removed or reordered."""
    from interlock.governance.ledger import verify as check

    folder = state
    if folder is None:
        found = config_of(config)
        folder, anchors = found.state, anchors or found.ledger.anchor
    report = check(folder, anchors)
    if as_json:
        print_json({name: getattr(report, name) for name in ("ok", "entries", "first_bad", "reason", "heads")})
    elif report.ok:
        typer.echo(f"the ledger is whole: {report.entries} entries, {report.heads} signed heads")
    else:
        typer.echo(f"the ledger is NOT whole at entry {report.first_bad}: {report.reason}", err=True)
    if not report.ok:
        raise typer.Exit(1)
