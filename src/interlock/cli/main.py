"""``interlock``: the commands, loaded only when used so that each starts fast."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from interlock import __version__
from interlock.cli import (
    adapters,
    agents,
    approvals,
    calls,
    checks,
    connect,
    contracts,
    demo,
    flags,
    harvest,
    jobs,
    ledger,
    people,
    scan,
    serve,
    storage,
    worker,
)
from interlock.cli import sources as source_commands
from interlock.records.problems import Problem

app = typer.Typer(
    name="interlock",
    help="A gateway that lets AI agents use ITSM and CMDB systems safely.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("storage")(storage.storage)
app.command("demo")(demo.demo)
app.command("harvest")(harvest.harvest)
app.command("scan")(scan.scan)
app.command("call")(calls.call)
app.command("tools")(calls.tools)
app.command("connect")(connect.connect)
app.add_typer(source_commands.app, name="sources")
app.add_typer(contracts.app, name="contracts")
app.add_typer(adapters.app, name="adapter")
app.add_typer(checks.app, name="checks")
app.add_typer(agents.app, name="agents")
app.add_typer(people.app, name="people")
app.add_typer(approvals.app, name="approvals")
app.add_typer(jobs.app, name="jobs")
app.add_typer(flags.app, name="flags")
app.add_typer(ledger.app, name="ledger")


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        typer.echo(f"interlock {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; what goes wrong is one clear message and exit code 1, never a traceback."""
    try:
        app()
    except Problem as problem:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print("[bold red]error:[/] ", end="")
        given = str(problem.value) if isinstance(problem.value, str | int) else ""
        told = f" (given: {given})" if given and given not in problem.detail else ""
        console.print(f"{problem.detail}{told}", markup=False)
        if problem.next_step:
            console.print(f"  {problem.next_step}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
