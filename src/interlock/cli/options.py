"""Options and small things that several commands share."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from interlock.config import Config, load_config
from interlock.records.problems import Problem, Slug

CONFIG = Path("interlock.yaml")

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="INTERLOCK_CONFIG", help="The gateway's configuration file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str, typer.Option("--url", envvar="INTERLOCK_URL", help="A running gateway.")]
DEFAULT_URL = "http://127.0.0.1:8080"

out = Console(soft_wrap=True, highlight=False)
if not out.is_terminal:
    out.width = 150  # a file or pipe has no width; tables there need not be folded


def config_of(path: Path) -> Config:
    """The configuration. Raises Problem naming file, key and way out."""
    if not path.exists():
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"there is no configuration {path}",
            field="config",
            value=str(path),
            next_step="Write one (`interlock serve --help` shows how), or name yours with --config.",
        )
    return load_config(path)


def operator() -> str:
    """Who acts on the command line: the user of this machine."""
    return f"cli:{getpass.getuser()}"


def print_json(body: Any) -> None:
    """JSON for people and pipes."""
    typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table; text in it is never markup."""
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)
