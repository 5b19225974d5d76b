"""``interlock ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json

app = typer.Typer(help="The tamper-evident history.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The tamper-evident history."""


State = Annotated[Path | None, typer.Option("--state", help="A state folder, instead of the configured one.")]


@app.command()
def export(
    config: ConfigFile = CONFIG,
    state: State = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Only entries after this sequence number.")] = 0,
    payloads: Annotated[bool, typer.Option("--payloads", help="With arguments and receipts from the vault.")] = False,
) -> None:
    """Print the history as JSON lines, one entry a line, oldest first; also while the gateway runs."""
    from interlock.governance.ledger.read import export as entries

    for entry in entries(state or config_of(config).state, after=after, payloads=payloads):
        typer.echo(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS))


@app.command()
def verify(
    config: ConfigFile = CONFIG,
    state: State = None,
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
