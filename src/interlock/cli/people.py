"""``interlock people``."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.cli.keys import Days, issue, store_of
from interlock.cli.options import CONFIG, ConfigFile, operator, out, print_table

app = typer.Typer(help="People: roles, groups, personal tokens.", no_args_is_help=True)
PersonId = Annotated[str, typer.Argument(help="Id of the person.")]


@app.command()
def add(
    id: PersonId,  # noqa: A002
    name: Annotated[str, typer.Option("--name", help="Full name.")],
    role: Annotated[
        list[str] | None, typer.Option("--role", help="viewer, steward, approver, administrator; repeatable.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="Group; repeatable.")] = None,
    config: ConfigFile = CONFIG,
) -> None:
    """Add a person."""
    with store_of(config) as store:
        store.add_person(id, name, roles=role or (), groups=group or (), by=operator())
    out.print(f"{id}: added; `interlock people token {id}` gives them a token", markup=False)


@app.command("list")
def list_command(config: ConfigFile = CONFIG) -> None:
    """All people."""
    from interlock.principals.models import Person

    with store_of(config) as store:
        rows = [
            [p.id, p.name, p.status, ", ".join(sorted(p.roles)), ", ".join(sorted(p.groups))]
            for p in store.list("person")
            if isinstance(p, Person)
        ]
    print_table("People", ["id", "name", "status", "roles", "groups"], rows)


@app.command()
def token(id: PersonId, config: ConfigFile = CONFIG, days: Days = 90) -> None:  # noqa: A002
    """Issue a personal token; it is shown this once."""
    issue(config, id, days)


@app.command()
def suspend(id: PersonId, config: ConfigFile = CONFIG) -> None:  # noqa: A002
    """Stop a person's tokens."""
    with store_of(config) as store:
        store.suspend(id, by=operator())
    out.print(f"{id}: suspended", markup=False)
