"""``interlock contracts``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from interlock.places import place

app = typer.Typer(help="The published contracts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The published contracts."""


@app.command("export")
def export_command(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; contracts/ of this installation if left out.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when files differ.")] = False,
) -> None:
    """Write the contracts: JSON Schemas of records and tools, openapi.json, the MCP list, strict functions."""
    from interlock.faces.openapi import document
    from interlock.tools.contracts import VERSION, documents, export

    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    extra = {f"{VERSION}/openapi.json": orjson.dumps(document(), option=options)}
    target = folder or place("contracts")
    if check:
        wanted = documents() | extra
        wrong = [path for path, body in wanted.items() if not _same(target / path, body)]
        if wrong:
            typer.echo("out of date: " + ", ".join(sorted(wrong)), err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(wanted)} files are up to date")
        return
    changed = export(target, extra)
    typer.echo("\n".join(changed) if changed else "nothing changed")


def _same(path: Path, body: bytes) -> bool:
    return path.exists() and path.read_bytes() == body
