"""``interlock contracts``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from interlock.cli.options import AsJson, print_json
from interlock.places import place
from interlock.records.problems import invalid

app = typer.Typer(help="The published contracts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The published contracts."""


@app.command("export")
def export_command(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; contracts/ of this installation if left out.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when files differ or a frozen version would break.")
    ] = False,
    first: Annotated[
        bool, typer.Option("--first", help="Write a frozen version that was never published before.")
    ] = False,
) -> None:
    """Write the contracts: JSON Schemas of records and tools, openapi.json, the MCP list, strict functions."""
    from interlock.faces.openapi import document
    from interlock.tools.contracts import VERSION, documents
    from interlock.tools.publishing import broken_promises, export

    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    extra = {f"{VERSION}/openapi.json": orjson.dumps(document(), option=options)}
    target = folder or place("contracts")
    if check:
        wanted = documents() | extra
        wrong = [path for path, body in wanted.items() if not _same(target / path, body)]
        for one in broken_promises(target, wanted, VERSION) if wrong else ():
            typer.echo(f"breaks {VERSION}: {one.file}{one.pointer}: {one.what}", err=True)
        if wrong:
            typer.echo("out of date: " + ", ".join(sorted(wrong)), err=True)
            raise typer.Exit(1)
        typer.echo(f"{len(wanted)} files are up to date")
        return
    changed = export(target, extra, first=first)
    typer.echo("\n".join(changed) if changed else "nothing changed")


@app.command("diff")
def diff_command(
    old: Annotated[str, typer.Argument(help="The older contracts: a folder, or a version such as v1.")],
    new: Annotated[str, typer.Argument(help="The newer contracts: a folder, or a version.")],
    as_json: AsJson = False,
) -> None:
    """What changed between two versions of the contracts; exit code 1 when it breaks agents or readers."""
    from interlock.tools.compatibility import breaking, compare, read_contracts

    findings = compare(read_contracts(_folder("old", old)), read_contracts(_folder("new", new)))
    broken = breaking(findings)
    if as_json:
        print_json({"breaking": len(broken), "findings": [one.body() for one in findings]})
    else:
        for one in findings:
            mark = f"BREAKS {one.whom}" if one.breaking else "compatible"
            typer.echo(f"{mark}  {one.file} {one.pointer or '/'}\n    {one.what}: {one.why}")
        typer.echo(f"{len(broken)} breaking, {len(findings) - len(broken)} compatible changes")
    if broken:
        raise typer.Exit(1)


def _folder(argument: str, name: str) -> Path:
    path = Path(name)
    published = place("contracts")
    if not path.is_dir() and "/" not in name:
        path = published / name
    if not path.is_dir():
        versions = ", ".join(sorted(entry.name for entry in published.iterdir() if entry.is_dir()))
        raise invalid(argument, name, "is neither a folder nor a published version", f"Versions: {versions}.")
    return path


def _same(path: Path, body: bytes) -> bool:
    return path.exists() and path.read_bytes() == body
