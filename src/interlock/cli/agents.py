"""``interlock agents``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.keys import Days, Overlap, issue, revoke, rotate, store_of
from interlock.cli.options import CONFIG, ConfigFile, operator, out, print_table

app = typer.Typer(help="Agents: what each may do, and its keys.", no_args_is_help=True)
AgentId = Annotated[str, typer.Argument(help="Id of the agent.")]


@app.command()
def add(
    declaration: Annotated[Path, typer.Argument(help="YAML: id, owner, purpose, tools, read, stage, budgets.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Take over an agent's declaration; a known agent is changed to it."""
    from interlock.cli.declarations import read_agent

    agent = read_agent(declaration)
    with store_of(config) as store:
        if any(known.id == agent.id for known in store.list("agent")):
            store.update(agent, by=operator())
            out.print(f"{agent.id}: changed", markup=False)
        else:
            store.add_agent(agent, by=operator())
            out.print(f"{agent.id}: added; `interlock agents token {agent.id}` gives it a key", markup=False)


@app.command("list")
def list_command(config: ConfigFile = CONFIG) -> None:
    """All agents."""
    from interlock.principals.models import Agent

    with store_of(config) as store:
        rows = [
            [a.id, a.status, a.stage, a.owner, str(len(a.tools)), ", ".join(sorted(a.scopes))]
            for a in store.list("agent")
            if isinstance(a, Agent)
        ]
    print_table("Agents", ["id", "status", "stage", "owner", "tools", "reads"], rows)


@app.command()
def token(id: AgentId, config: ConfigFile = CONFIG, days: Days = 90) -> None:  # noqa: A002
    """Issue a key; it is shown this once."""
    issue(config, id, days)


@app.command("rotate")
def rotate_command(
    key: Annotated[str, typer.Argument(help="Id of the key.")], config: ConfigFile = CONFIG, overlap: Overlap = 3600
) -> None:
    """Issue a new key for an old one, which stays valid for the overlap."""
    rotate(config, key, overlap)


@app.command("revoke")
def revoke_command(key: Annotated[str, typer.Argument(help="Id of the key.")], config: ConfigFile = CONFIG) -> None:
    """End a key now."""
    revoke(config, key)


@app.command()
def suspend(id: AgentId, config: ConfigFile = CONFIG) -> None:  # noqa: A002
    """Stop an agent: running gateways refuse it within a second."""
    with store_of(config) as store:
        store.suspend(id, by=operator())
    out.print(f"{id}: suspended", markup=False)


@app.command()
def resume(id: AgentId, config: ConfigFile = CONFIG) -> None:  # noqa: A002
    """Let a suspended agent act again."""
    with store_of(config) as store:
        store.resume(id, by=operator())
    out.print(f"{id}: active", markup=False)
