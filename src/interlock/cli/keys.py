"""Keys and tokens on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import config_of, operator
from interlock.clock import SystemClock
from interlock.principals.store import DAY, PrincipalStore

Days = Annotated[int, typer.Option("--days", min=1, max=3650, help="How long it is valid.")]
Overlap = Annotated[int, typer.Option("--overlap", min=0, help="Seconds the old one stays valid.")]


@contextmanager
def store_of(config: Path) -> Iterator[PrincipalStore]:
    """The principals of a configured gateway; works while it runs."""
    store = PrincipalStore(config_of(config).state, SystemClock())
    try:
        yield store
    finally:
        store.close()


def issue(config: Path, id: str, days: int) -> None:  # noqa: A002
    """Issue and print a key: the token alone on stdout, so that it can be piped into a secret store."""
    with store_of(config) as store:
        issued = store.issue(id, lasts_s=days * DAY, by=operator())
    typer.echo(f"key {issued.key.id} for {id}, valid {days} days; it is shown only now:", err=True)
    typer.echo(issued.token)


def rotate(config: Path, key: str, overlap: int) -> None:
    """Issue a successor of a key."""
    with store_of(config) as store:
        issued = store.rotate(key, overlap, by=operator())
    typer.echo(f"key {issued.key.id} replaces {key}, which ends in {overlap} s; it is shown only now:", err=True)
    typer.echo(issued.token)


def revoke(config: Path, key: str) -> None:
    """End a key."""
    with store_of(config) as store:
        store.revoke(key, by=operator())
    typer.echo(f"{key}: revoked")
